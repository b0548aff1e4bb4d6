"""What travels on the wire: kinds, metadata, selectors, quantities, patches, errors. No decisions."""
