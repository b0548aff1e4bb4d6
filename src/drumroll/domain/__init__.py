"""Decisions: pure functions of objects and `now`. No I/O, clock, chance, async or log."""
