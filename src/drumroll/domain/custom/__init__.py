"""Custom resources and their definitions: defaults, rules, what a write may touch."""
