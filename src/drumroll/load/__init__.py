"""The open-model load generator and its ledger of failed and cut requests."""
