"""Decisions: pure functions of objects and . No I/O, clock, chance, async or log."""
