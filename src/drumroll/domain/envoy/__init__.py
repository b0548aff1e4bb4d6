"""Envoy's resources as plain data. Equal inputs give equal resources, so an unchanged world is an unchanged snapshot."""
