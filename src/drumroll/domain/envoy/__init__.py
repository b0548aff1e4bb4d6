"""Envoy's resources as plain data. Equal inputs give equal resources."""
