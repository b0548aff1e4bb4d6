"""Controllers: one short file each (watches, inputs, keys), one shared loop."""
