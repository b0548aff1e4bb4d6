"""Pauses: the controller notes why it waits, a person takes the note away.

A pause condition that the controller has set (controllerPause) and that is gone was taken away by a person: go on.
Source: argo-rollouts rollout/pause.go.
"""

from datetime import datetime

from drumroll.domain.analysis.durations import parse_seconds
from drumroll.domain.rollout.inputs import Turn
from drumroll.objects.meta import Obj, parse_timestamp, timestamp

CANARY_PAUSE = "CanaryPauseStep"


def pause_condition(status: Obj, reason: str) -> Obj | None:
    """The pause condition of that reason."""
    return next((one for one in status.get("pauseConditions") or () if one["reason"] == reason), None)


def with_pause(turn: Turn, reason: str) -> Turn:
    """The turn that pauses for that reason from now on, unless it does so already."""
    if pause_condition(turn.status, reason):
        return turn
    conditions = [*(turn.status.get("pauseConditions") or ()), {"reason": reason, "startTime": timestamp(turn.now)}]
    return turn.with_status(pauseConditions=conditions, controllerPause=True)


def without_pause(turn: Turn, reason: str = "") -> Turn:
    """The turn without the pause for that reason, or (empty) without any."""
    kept = [one for one in turn.status.get("pauseConditions") or () if reason and one["reason"] != reason]
    return turn.with_status(pauseConditions=kept or None, controllerPause=True if kept else None)


def pause_end(pause: Obj, condition: Obj | None) -> datetime | None:
    """When a pause step is over by itself; None for never, or when it has not begun."""
    duration = pause.get("duration")
    if duration is None or condition is None:
        return None
    return parse_timestamp(condition["startTime"]) + parse_seconds(duration)


def is_pause_over(turn: Turn, pause: Obj) -> bool:
    """Whether the pause of the current step is over: its time has passed, or a person went on."""
    condition = pause_condition(turn.status, CANARY_PAUSE)
    if condition is None:
        return bool(turn.status.get("controllerPause"))
    end = pause_end(pause, condition)
    return end is not None and turn.now >= end
