"""Blue/green's pause before the switch: a person, or the time, ends it. Source: argo-rollouts rollout/pause.go."""

from datetime import datetime, timedelta

from drumroll.domain.rollout.blue_green_sizes import is_preview_up
from drumroll.domain.rollout.inputs import Turn
from drumroll.domain.rollout.pause import pause_condition, with_pause, without_pause
from drumroll.objects.meta import parse_timestamp

BLUE_GREEN_PAUSE = "BlueGreenPause"


def with_blue_green_pause(turn: Turn, *, is_pre_done: bool, is_fast: bool) -> Turn:
    """The turn that waits before the switch, when it shall; and that notes when the wait is over.

    `scaleUpPreviewCheckPoint` is that note where the preview has fewer pods: from then on they all come.
    """
    if turn.rollout.is_paused or turn.is_aborted:
        return turn
    if is_fast or turn.sets.new is None or turn.sets.is_stable_new:
        return without_pause(turn, BLUE_GREEN_PAUSE)
    if not is_pre_done:
        if turn.status.get("controllerPause") and not turn.status.get("pauseConditions"):
            return turn.with_status(controllerPause=None)  # a person went on after an inconclusive analysis
        return turn
    if is_pause_over(turn):
        return _gone_on(turn)
    if pause_condition(turn.status, BLUE_GREEN_PAUSE) is None and is_preview_up(turn):
        turn = with_pause(turn, BLUE_GREEN_PAUSE)
    return turn.wake(_end(turn))


def _gone_on(turn: Turn) -> Turn:
    if pause_condition(turn.status, BLUE_GREEN_PAUSE) is not None:
        turn = without_pause(turn, BLUE_GREEN_PAUSE).with_status(controllerPause=True)
    fewer = (turn.rollout.blue_green or {}).get("previewReplicaCount") is not None
    if fewer and is_preview_up(turn):
        return turn.with_part("blueGreen", {"scaleUpPreviewCheckPoint": True})
    return turn


def is_wanted(turn: Turn) -> bool:
    """Whether this Rollout pauses before the switch at all."""
    strategy = turn.rollout.blue_green or {}
    return strategy.get("autoPromotionEnabled") is False or bool(strategy.get("autoPromotionSeconds"))


def is_pause_over(turn: Turn) -> bool:
    """Whether nothing is waited for: there is no pause, its time has passed, or a person took its note away."""
    part = turn.status.get("blueGreen") or {}
    if not is_wanted(turn) or part.get("scaleUpPreviewCheckPoint"):
        return True
    if pause_condition(turn.status, BLUE_GREEN_PAUSE) is None:
        return bool(turn.status.get("controllerPause"))
    end = _end(turn)
    return end is not None and turn.now >= end


def _end(turn: Turn) -> datetime | None:
    condition = pause_condition(turn.status, BLUE_GREEN_PAUSE)
    seconds = (turn.rollout.blue_green or {}).get("autoPromotionSeconds")
    if condition is None or not seconds:
        return None
    return parse_timestamp(condition["startTime"]) + timedelta(seconds=int(seconds))
