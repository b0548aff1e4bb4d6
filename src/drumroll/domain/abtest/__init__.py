"""A/B tests: who sees which version, and when the figures are enough to decide."""
