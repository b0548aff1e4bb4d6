"""Where measurements come from: one small module per source. Start reading at `registry.py`."""
