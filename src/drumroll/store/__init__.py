"""Revisions on disk: durable, ordered, compare-and-set, watched."""
