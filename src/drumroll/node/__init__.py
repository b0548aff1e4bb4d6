"""The node: pods on this machine as containers or plain processes."""
