"""An open-model load generator: requests leave at a constant rate, whatever comes back, and every one is booked."""
