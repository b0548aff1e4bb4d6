"""The Prometheus query language, as Prometheus 2 reads and evaluates it: text to tree, tree and samples to values.

What is left out: native histograms, exemplars, `holt_winters` and trigonometry.
"""
