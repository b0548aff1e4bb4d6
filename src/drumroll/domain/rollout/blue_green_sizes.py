"""How many pods the versions of a blue/green Rollout have.

Nothing shrinks that a Service leads to, or that one led to until its endpoints have followed. Source: argo-rollouts
rollout/bluegreen.go, rollout/replicaset.go.
"""

from drumroll.domain.rollout.inputs import Turn, hash_of
from drumroll.domain.rollout.revision import DESIRED
from drumroll.domain.rollout.scale_down import (
    deadline_of,
    delayed,
    has_passed,
    scaled_to,
    with_deadline,
    without_deadline,
)
from drumroll.objects.apps_v1 import ReplicaSet


def is_saturated(turn: Turn) -> bool:
    """Whether the new pods are all there, as many as the Rollout wants now."""
    new, wanted = turn.sets.new, turn.rollout.replicas
    if new is None or not new.is_observed:
        return False
    return new.replicas == wanted and new.annotations.get(DESIRED) == str(wanted) and new.available >= wanted


def is_preview_up(turn: Turn) -> bool:
    """Whether the new pods that there shall be before the switch are all available."""
    new = turn.sets.new
    wanted = preview_size(turn)
    return new is not None and new.is_observed and new.replicas >= wanted and new.available >= wanted


def preview_size(turn: Turn) -> int:
    """How many new pods there shall be before the switch."""
    count = (turn.rollout.blue_green or {}).get("previewReplicaCount")
    is_through = bool((turn.status.get("blueGreen") or {}).get("scaleUpPreviewCheckPoint"))
    return turn.rollout.replicas if count is None or is_through else min(int(count), turn.rollout.replicas)


def with_blue_green_sizes(turn: Turn, *, is_settled: bool) -> Turn:
    """The turn with the changes of sizes. `is_settled` says that the active Service's endpoints are the pods that it
    shall lead to."""
    sets, active = turn.sets, (turn.status.get("blueGreen") or {}).get("activeSelector") or ""
    for rs in sets.other:
        if rs.name == (sets.stable.name if sets.stable else "") or hash_of(rs) == active:
            turn = _kept(turn, rs, turn.rollout.replicas)
    if sets.new is not None:
        turn = _with_new(turn, sets.new, active, is_settled=is_settled)
    return _without_older(turn, [rs for rs in sets.older if hash_of(rs) != active]) if is_settled else turn


def _kept(turn: Turn, replica_set: ReplicaSet, size: int) -> Turn:
    patched = scaled_to(turn, replica_set, size)
    return turn.then((*without_deadline(replica_set), *patched))


def _with_new(turn: Turn, new: ReplicaSet, active: str, *, is_settled: bool) -> Turn:
    """The new pods: as many as the preview needs, or all; while it is halted only as a change of the Rollout's size
    demands. A deadline of theirs goes when they are the stable ones: until then it says that this is a fast way back,
    without any analysis."""
    has_other = turn.sets.stable is not None and not turn.sets.is_stable_new
    if turn.is_aborted and has_other:
        return _given_up(turn, new, active, is_settled=is_settled)
    is_serving = active == hash_of(new) or not has_other
    is_known = new.annotations.get(DESIRED) == str(turn.rollout.replicas)
    if turn.is_halted and not is_serving and is_known:
        return turn
    if turn.is_skipping or (turn.status.get("promoteFull") and not is_serving):
        return turn.then(scaled_to(turn, new, turn.rollout.replicas))
    if is_serving:
        return _kept(turn, new, turn.rollout.replicas)
    return _kept(turn, new, preview_size(turn))


def _given_up(turn: Turn, new: ReplicaSet, active: str, *, is_settled: bool) -> Turn:
    """The new pods after an abort stay a while for people to look at them, and as long as a Service leads to them."""
    delay, stable = turn.rollout.abort_delay, turn.sets.stable
    is_whole = stable is not None and stable.available >= turn.rollout.replicas
    if active == hash_of(new) or not is_settled or not is_whole or delay is None or new.replicas == 0:
        return turn
    if deadline_of(new) is None:
        return turn.then(with_deadline(new, delay, turn.now)) if delay else turn.then(scaled_to(turn, new, 0))
    return turn.then(scaled_to(turn, new, 0)) if has_passed(new, turn.now) else turn.wake(deadline_of(new))


def _without_older(turn: Turn, idle: list[ReplicaSet]) -> Turn:
    """What was active before goes after the delay; what never was goes at once."""
    is_over = turn.sets.is_stable_new
    waiting = [rs for rs in idle if is_over or deadline_of(rs) is not None]
    turn = delayed(turn, waiting, turn.rollout.scale_down_delay)
    return delayed(turn, [rs for rs in idle if rs not in waiting], 0)
