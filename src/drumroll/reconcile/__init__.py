"""The loop that every controller runs in: watch, decide, perform, wait until our own writes are seen."""
