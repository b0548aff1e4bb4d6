"""Shadow traffic compared: what two versions answered to the same request, and how far the answers differ."""
