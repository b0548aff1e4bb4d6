"""Experiments: versions that run side by side for a while, and what is made of what they show."""
