"""Decisions about one Rollout: from what there is and `now` to a plan."""
