"""Builds the real parts and runs them; the only package that knows all."""
