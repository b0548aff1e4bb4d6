"""The cluster's DNS domain. A module of its own: the DNS server imports this and little else."""

ZONE = "cluster.local"
