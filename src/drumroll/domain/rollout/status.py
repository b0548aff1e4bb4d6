"""The end of a turn: a Rollout's status as the replica sets and this turn's decisions make it, and what to write.

Source: argo-rollouts rollout/sync.go (calculateBaseStatus, persistRolloutStatus), rollout/canary.go, bluegreen.go.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drumroll.domain.actions import Action, Plan, Record, patch_of
from drumroll.domain.deployment_status import condition, find
from drumroll.domain.rollout.conditions import (
    PROGRESSING,
    conditions_of,
    invalid,
    next_deadline,
    with_condition,
)
from drumroll.domain.rollout.duration import duration_of
from drumroll.domain.rollout.inputs import Turn, hash_of
from drumroll.domain.rollout.lacks import lacks, with_blocked, without_told
from drumroll.domain.rollout.phase import ABORTED, INVALID, phase_of
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import ROLLOUT
from drumroll.objects.meta import Obj
from drumroll.objects.selectors import selector_text


def counted(turn: Turn) -> Turn:
    """The turn with its replica sets' counts, the selector and the template's hash in the status."""
    sets, rollout = turn.sets, turn.rollout
    everything = sets.all
    counts: dict[str, Any] = {
        "replicas": sum(rs.current for rs in everything),
        "updatedReplicas": sets.new.current if sets.new else 0,
        "readyReplicas": sum(rs.ready for rs in everything),
        "availableReplicas": sum(rs.available for rs in everything),
        "HPAReplicas": sum(rs.current for rs in everything),
        "selector": selector_text(rollout.spec.get("selector") or {}),
        "currentPodHash": turn.pod_hash,
        "observedGeneration": str(rollout.generation),
    }
    if rollout.blue_green is not None:
        active_hash = (turn.status.get("blueGreen") or {}).get("activeSelector")
        active = next((rs for rs in everything if active_hash and hash_of(rs) == active_hash), None)
        if active is not None:  # what serves counts; before the first switch everything does
            counts |= {"readyReplicas": active.ready, "availableReplicas": active.available}
            counts["HPAReplicas"] = active.current
            counts["selector"] = f"{counts['selector']},{ROLLOUT_HASH}={active_hash}"
    return turn.with_status(**counts)


def finished(turn: Turn, *, aborted_for: str = "") -> Plan:
    """The plan of a turn: its actions, then the status when it differs from the one that is stored."""
    turn = counted(turn)
    conditions = conditions_of(turn.rollout, turn.status, turn.sets, turn.now, aborted_for=aborted_for)
    turn = turn.with_status(conditions=with_blocked(conditions, lacks(turn), turn.now))
    turn = turn.with_status(duration=duration_of(turn.rollout, turn.status, turn.now) or None)
    phase = phase_of(turn.rollout, turn.status)
    turn = turn.with_status(phase=phase.phase, message=phase.message or None)
    turn = turn.wake(next_deadline(turn.rollout, turn.status, find(conditions, PROGRESSING)))
    events = _events(turn)
    actions = without_told(turn.actions, turn.rollout.conditions)
    return Plan((*actions, *events, *write(turn.inputs.rollout, turn.status)), turn.wake_at)


def refused(obj: Obj, message: str, now: datetime, lacking: Sequence[str] = ()) -> Plan:
    """The plan for a Rollout that cannot be carried out: nothing moves, and the status says why."""
    rollout = Rollout(obj)
    conditions = with_blocked(invalid(rollout, message, now), lacking, now)
    status = {
        **rollout.status,
        "conditions": conditions,
        "phase": "Degraded",
        "message": f"{INVALID}: {message}",
        "observedGeneration": str(rollout.generation),
    }
    before = find(rollout.conditions, INVALID)
    is_new = before is None or before["message"] != message
    events = (Record(obj, "Warning", INVALID, message),) if is_new else ()
    return Plan((*events, *write(obj, status)))


def not_made(turn: Turn, failures: Sequence[ApiError]) -> tuple[Action, ...]:
    """What to write when the new replica set could not be made: why, or that its name belongs to another one.

    Then the next attempt has another hash, as the original's has.
    """
    if turn.sets.new is not None or not failures or failures[0].reason == "Conflict":
        return ()
    stored = turn.inputs.rollout
    status = stored.get("status") or {}
    if failures[0].reason == "AlreadyExists":
        return write(stored, {**status, "collisionCount": (status.get("collisionCount") or 0) + 1})
    text = f"Failed to create new replica set: {failures[0].message}"
    failed = condition(PROGRESSING, "False", "ReplicaSetCreateError", text, turn.now)
    conditions = with_blocked(with_condition(turn.rollout.conditions, failed), (text,), turn.now)
    return write(stored, {**status, "conditions": conditions})


def write(stored: Obj, status: Obj) -> tuple[Action, ...]:
    """The patch that makes the stored status this one; nothing when it is so already.

    It names the revision that the turn was made from: a person's promote or abort that came in between must not be
    overwritten by what was decided before.
    """
    patch = difference(stored.get("status") or {}, status)
    if not patch:
        return ()
    meta = {"resourceVersion": stored["metadata"]["resourceVersion"]}
    return (patch_of(ROLLOUT, stored, {"metadata": meta, "status": patch}, "status"),)


def difference(before: Obj, after: Obj) -> Obj:
    """The merge patch that makes `before` into `after`."""
    patch: Obj = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = difference(old, value)
            if inner:
                patch[name] = inner
        elif name not in before or old != value:
            patch[name] = value
    return patch


def _events(turn: Turn) -> tuple[Action, ...]:
    """Events for what this turn changes in the status."""
    before, after, rollout = turn.rollout.status, turn.status, turn.inputs.rollout
    found: list[Action] = []
    was, now = (find(one.get("conditions") or (), PROGRESSING) or {} for one in (before, after))
    if now.get("reason") == ABORTED and (was.get("reason"), was.get("message")) != (ABORTED, now.get("message")):
        found.append(Record(rollout, "Warning", ABORTED, now["message"]))  # whoever set `abort`, a person or a decision
    if after.get("pauseConditions") and not before.get("pauseConditions"):
        reason = after["pauseConditions"][0]["reason"]
        found.append(Record(rollout, "Normal", "RolloutPaused", f"Rollout is paused ({reason})"))
    elif before.get("pauseConditions") and not after.get("pauseConditions") and not after.get("abort"):
        found.append(Record(rollout, "Normal", "RolloutResumed", "Rollout is resumed"))
    return tuple(found)
