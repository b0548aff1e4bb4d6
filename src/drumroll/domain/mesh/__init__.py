"""The mesh's own figures: what Envoy counted, summed, kept for a while, under the names that users ask for."""
