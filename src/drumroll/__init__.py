"""Drumroll: rolling updates of running services with no service interruption."""

__version__ = "0.1.0"
