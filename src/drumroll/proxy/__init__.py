"""Traffic: the ADS server, the Envoy process, drain, cluster DNS."""
