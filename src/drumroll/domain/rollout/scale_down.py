"""When old replica sets go: a deadline on each, noted as an annotation. Source: argo-rollouts rollout/replicaset.go."""

from datetime import datetime, timedelta

from drumroll.domain.actions import Action, Record, patch_of
from drumroll.domain.rollout.inputs import Turn
from drumroll.domain.rollout.revision import DESIRED, SCALE_DOWN_DEADLINE, revision_of
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.kinds import REPLICA_SET
from drumroll.objects.meta import Obj, parse_timestamp, timestamp

SCALING = "ScalingReplicaSet"


def deadline_of(replica_set: ReplicaSet) -> datetime | None:
    """When the replica set is to be scaled down; None when no deadline is set, or what is set is no time."""
    text = replica_set.annotations.get(SCALE_DOWN_DEADLINE)
    try:
        return parse_timestamp(text) if text else None
    except ValueError:
        return None


def with_deadline(replica_set: ReplicaSet, seconds: int, now: datetime) -> tuple[Action, ...]:
    """Set the deadline `seconds` from now, unless there is one."""
    if deadline_of(replica_set) is not None:
        return ()
    text = timestamp(now + timedelta(seconds=seconds))
    return (patch_of(REPLICA_SET, replica_set.raw, {"metadata": {"annotations": {SCALE_DOWN_DEADLINE: text}}}),)


def without_deadline(replica_set: ReplicaSet) -> tuple[Action, ...]:
    """Take the deadline away, where there is one."""
    if SCALE_DOWN_DEADLINE not in replica_set.annotations:
        return ()
    return (patch_of(REPLICA_SET, replica_set.raw, {"metadata": {"annotations": {SCALE_DOWN_DEADLINE: None}}}),)


def has_passed(replica_set: ReplicaSet, now: datetime) -> bool:
    """Whether the deadline is over; False without one."""
    deadline = deadline_of(replica_set)
    return deadline is not None and deadline <= now


def scaled_to(turn: Turn, replica_set: ReplicaSet, size: int) -> tuple[Action, ...]:
    """The write and the event that give a replica set its size, and note the Rollout's; none when all is as it should.

    One that goes down to nothing has no deadline any more.
    """
    notes: dict[str, str | None] = {}
    if size == 0 and SCALE_DOWN_DEADLINE in replica_set.annotations:
        notes[SCALE_DOWN_DEADLINE] = None
    if replica_set.annotations.get(DESIRED) != str(turn.rollout.replicas):
        notes[DESIRED] = str(turn.rollout.replicas)
    patch: Obj = {"metadata": {"annotations": notes}} if notes else {}
    before = replica_set.replicas
    if size == before:
        return (patch_of(REPLICA_SET, replica_set.raw, patch),) if patch else ()
    patch["spec"] = {"replicas": size}
    direction = "up" if size > before else "down"
    name = f"{replica_set.name} (revision {revision_of(replica_set.raw)})"
    message = f"Scaled {direction} ReplicaSet {name} from {before} to {size}"
    return (patch_of(REPLICA_SET, replica_set.raw, patch), Record(turn.inputs.rollout, "Normal", SCALING, message))


def delayed(turn: Turn, sets: list[ReplicaSet], seconds: int) -> Turn:
    """The turn in which these go after the delay, each at its own moment; the newest stay when only some may
    (scaleDownDelayRevisionLimit).
    """
    strategy = turn.rollout.blue_green or turn.rollout.canary or {}
    limit, kept = strategy.get("scaleDownDelayRevisionLimit"), 0
    for rs in sorted(sets, key=lambda one: (revision_of(one.raw), one.age_order), reverse=True):
        if rs.replicas == 0:
            continue
        if seconds > 0 and (limit is None or kept < int(limit)):
            kept += 1
            if deadline_of(rs) is None:
                turn = turn.then(with_deadline(rs, seconds, turn.now)).wake(turn.now + timedelta(seconds=seconds + 1))
                continue
            if not has_passed(rs, turn.now):
                turn = turn.wake(deadline_of(rs))
                continue
        turn = turn.then(scaled_to(turn, rs, 0))
    return turn
