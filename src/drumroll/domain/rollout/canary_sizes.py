"""What the replica sets of a canary are scaled to in this turn: one kind of them at a time, the stable one first.

Nothing shrinks while the weights that were asked for are not acknowledged, and what a Service with traffic leads to
does not shrink at all. Source: argo-rollouts rollout/canary.go, rollout/replicaset.go.
"""

from datetime import timedelta

from drumroll.domain.replicas import remaining
from drumroll.domain.rollout.inputs import Turn, hash_of
from drumroll.domain.rollout.ping_pong import names_of
from drumroll.domain.rollout.revision import is_scaling_event, revision_of
from drumroll.domain.rollout.scale_down import (
    deadline_of,
    delayed,
    has_passed,
    scaled_to,
    with_deadline,
    without_deadline,
)
from drumroll.domain.rollout.services import selected_hash
from drumroll.domain.rollout.sizing import Sizes, basic, fence_of, has_other_stable, routed
from drumroll.domain.rollout.weights import asked_weights, is_promoted, is_settled
from drumroll.objects.apps_v1 import ReplicaSet


def with_sizes(turn: Turn, *, is_switched: bool) -> Turn:
    """The turn with the next changes of sizes. `is_switched` says that the stable Service has arrived."""
    rollout, sets = turn.rollout, turn.sets
    if turn.is_halted and not is_scaling_event(rollout, sets):
        return turn
    is_routed = rollout.traffic_routing is not None
    for rs in (sets.stable, None if turn.is_aborted or sets.is_stable_new else sets.new):
        turn = turn.then(without_deadline(rs)) if rs is not None else turn
    sizes = routed(rollout, turn.status) if is_routed else basic(rollout, turn.status, sets)
    if sets.stable is None:
        sizes = Sizes(rollout.replicas, 0)
    if not is_settled(turn):
        sizes = _held(turn, sizes)
    if sets.stable is not None and has_other_stable(sets):
        actions = scaled_to(turn, sets.stable, sizes.stable)
        if actions:
            return turn.then(actions)
    if sets.new is not None:
        before = len(turn.actions)
        turn = _with_new(turn, sets.new, sizes.new)
        if len(turn.actions) > before:
            return turn
    if not is_routed:
        return _without_older(turn)
    return _after_traffic(turn, is_switched=is_switched) if is_settled(turn) else turn


def _held(turn: Turn, sizes: Sizes) -> Sizes:
    new, stable = turn.sets.new, turn.sets.stable
    return Sizes(max(sizes.new, new.replicas if new else 0), max(sizes.stable, stable.replicas if stable else 0))


def _with_new(turn: Turn, new: ReplicaSet, size: int) -> Turn:
    """The new replica set's size; an aborted one stays a while for people to look at it, when it has no traffic."""
    rollout = turn.rollout
    strategy = rollout.canary or {}
    is_given = strategy.get("abortScaleDownDelaySeconds") is not None
    if (
        not turn.is_aborted
        or not has_other_stable(turn.sets)
        or rollout.traffic_routing is None
        or (strategy.get("dynamicStableScale") and not is_given)
    ):
        return turn.then(scaled_to(turn, new, size))
    delay, stable = rollout.abort_delay, turn.sets.stable
    if delay is None or new.replicas == 0:
        return turn
    if deadline_of(new) is None:
        if stable is None or stable.available < rollout.replicas or not is_settled(turn):
            return turn
        return turn.then(with_deadline(new, delay, turn.now)).wake(turn.now + timedelta(seconds=delay + 1))
    if not has_passed(new, turn.now):
        return turn.wake(deadline_of(new))
    return turn.then(scaled_to(turn, new, 0)) if is_settled(turn) else turn


def _without_older(turn: Turn) -> Turn:
    """Without traffic routing: what is neither new nor stable goes, as far as enough pods stay available."""
    floor = turn.rollout.replicas - fence_of(turn.rollout).unavailable
    spare = sum(remaining(rs) for rs in turn.sets.all) - floor
    for rs in sorted(turn.sets.older, key=lambda one: (revision_of(one.raw), one.age_order), reverse=True):
        useless = max(0, rs.replicas - rs.available)
        drop = useless + min(max(0, spare), rs.replicas - useless)
        spare -= drop - useless
        if drop > 0:
            turn = turn.then(scaled_to(turn, rs, rs.replicas - drop))
    return turn


def _after_traffic(turn: Turn, *, is_switched: bool) -> Turn:
    """With traffic routing: what has no traffic goes, after the delay when the update is over, else at once."""
    canary = names_of(turn.rollout, turn.status).canary
    bearers = (
        {selected_hash(turn.inputs.services.get(canary))}
        if (asked_weights(turn).get("canary") or {}).get("weight")
        else set()
    )
    idle = [rs for rs in turn.sets.older if hash_of(rs) not in bearers]
    if not is_promoted(turn):
        return delayed(turn, idle, 0)
    return delayed(turn, idle, turn.rollout.scale_down_delay) if is_switched else turn
