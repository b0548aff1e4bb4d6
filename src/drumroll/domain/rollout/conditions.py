"""A Rollout's conditions, in the original's words. Source: argo-rollouts utils/conditions/conditions.go and
rollout/sync.go calculateRolloutConditions."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from drumroll.domain.deployment_status import condition, find, without
from drumroll.domain.replicas import scaled
from drumroll.domain.rollout.inputs import Sets, hash_of
from drumroll.domain.rollout.phase import ABORTED, INVALID, TIMED_OUT, is_promoted
from drumroll.domain.rollout.revision import revision_of
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj, parse_timestamp

AVAILABLE, PROGRESSING, PAUSED, COMPLETED, HEALTHY = "Available", "Progressing", "Paused", "Completed", "Healthy"
REPLICA_FAILURE = "ReplicaFailure"
COMPLETE, UPDATED = "NewReplicaSetAvailable", "ReplicaSetUpdated"
ROLLOUT_PAUSED, RESUMED, RETRY = "RolloutPaused", "RolloutResumed", "RolloutRetry"
_MESSAGES = {
    ROLLOUT_PAUSED: "Rollout is paused",
    RESUMED: "Rollout is resumed",
    RETRY: "Retrying Rollout after abort",
}


def with_condition(conditions: Sequence[Obj], new: Obj) -> list[Obj]:
    """The conditions with `new` at the end; unchanged when status, reason and message are what they were."""
    current = find(conditions, new["type"])
    if current is not None and current["status"] == new["status"]:
        if all(current.get(name) == new.get(name) for name in ("reason", "message")):
            return list(conditions)
        new = {**new, "lastTransitionTime": current["lastTransitionTime"]}
    return [*without(conditions, new["type"]), new]


def conditions_of(rollout: Rollout, status: Obj, sets: Sets, now: datetime, *, aborted_for: str = "") -> list[Obj]:
    """The conditions of a valid Rollout. `rollout` has its last status, `status` the counts and marks of this turn.

    `aborted_for` is why an update that is aborted was given up, when this turn knows a reason.
    """
    found = without(list(rollout.conditions), INVALID)
    for one in (
        _availability(rollout, status, sets, now),
        _pausing(rollout, status, now),
        _completion(rollout, status, sets, now),
        _health(rollout, status, now),
    ):
        found = with_condition(found, one)
    found = _with_progress(rollout, status, sets, found, now, aborted_for)
    failure = _replica_failure(sets)
    return without(found, REPLICA_FAILURE) if failure is None else with_condition(found, failure)


def invalid(rollout: Rollout, message: str, now: datetime) -> list[Obj]:
    """The conditions of a Rollout that cannot be carried out as it is."""
    return with_condition(rollout.conditions, condition(INVALID, "True", INVALID, message, now))


def _availability(rollout: Rollout, status: Obj, sets: Sets, now: datetime) -> Obj:
    """Whether enough pods serve: of blue/green's those that the active Service selects."""
    available = status.get("availableReplicas") or 0
    active = (status.get("blueGreen") or {}).get("activeSelector")
    if active:
        available = sum(rs.available for rs in sets.all if hash_of(rs) == active)
    if available >= rollout.replicas - _may_lack(rollout):
        return condition(AVAILABLE, "True", "AvailableReason", "Rollout has minimum availability", now)
    return condition(AVAILABLE, "False", "AvailableReason", "Rollout does not have minimum availability", now)


def _may_lack(rollout: Rollout) -> int:
    if rollout.canary is None:
        return 0
    unavailable = scaled(rollout.canary.get("maxUnavailable", "25%"), rollout.replicas, up=False)
    surge = scaled(rollout.canary.get("maxSurge", "25%"), rollout.replicas, up=True)
    return 1 if unavailable == surge == 0 else min(unavailable, rollout.replicas)


def _is_paused(rollout: Rollout, status: Obj) -> bool:
    return rollout.is_paused or bool(status.get("pauseConditions"))


def _pausing(rollout: Rollout, status: Obj, now: datetime) -> Obj:
    if _is_paused(rollout, status):
        return condition(PAUSED, "True", ROLLOUT_PAUSED, "Rollout is paused", now)
    return condition(PAUSED, "False", ROLLOUT_PAUSED, "Rollout is not paused", now)


def _completion(rollout: Rollout, status: Obj, sets: Sets, now: datetime) -> Obj:
    revision = revision_of(sets.new.raw) if sets.new else 0
    if is_promoted(status):
        message = f"Rollout completed update to revision {revision}"
        return condition(COMPLETED, "True", "RolloutCompleted", message, now)
    message = f"Rollout not completed, started update to revision {revision}"
    return condition(COMPLETED, "False", "RolloutCompleted", message, now)


def is_healthy(rollout: Rollout, status: Obj) -> bool:
    """Whether the wanted template is stable and every wanted replica of it is there and available."""
    updated, available = status.get("updatedReplicas") or 0, status.get("availableReplicas") or 0
    if rollout.blue_green is not None:
        active = (status.get("blueGreen") or {}).get("activeSelector")
        is_all = active == status.get("currentPodHash") and available >= rollout.replicas
    else:
        has_old = rollout.traffic_routing is None and (status.get("replicas") or 0) != rollout.replicas
        is_all = not has_old and available >= rollout.replicas
    is_observed = str(status.get("observedGeneration") or "") == str(rollout.generation)
    return is_promoted(status) and updated == rollout.replicas and is_all and is_observed


def _health(rollout: Rollout, status: Obj, now: datetime) -> Obj:
    if is_healthy(rollout, status):
        return condition(HEALTHY, "True", "RolloutHealthy", "Rollout is healthy", now)
    return condition(HEALTHY, "False", "RolloutHealthy", "Rollout is not healthy", now)


def _with_progress(
    rollout: Rollout, status: Obj, sets: Sets, conditions: list[Obj], now: datetime, aborted_for: str
) -> list[Obj]:
    current = find(conditions, PROGRESSING)
    if status.get("abort"):
        return with_condition(conditions, _aborted(sets, current, now, aborted_for))
    if current is not None and current["reason"] == ABORTED:
        return with_condition(conditions, condition(PROGRESSING, "Unknown", RETRY, _MESSAGES[RETRY], now))
    if (change := _pause_change(rollout, status, current)) is not None:
        return with_condition(conditions, condition(PROGRESSING, "Unknown", change, _MESSAGES[change], now))
    if _is_paused(rollout, status):
        return conditions
    fresh = _progress(rollout, status, sets, current, now)
    if fresh is None:
        return conditions
    if fresh["reason"] != UPDATED:
        return with_condition(conditions, fresh)
    if current is not None and current["status"] == "True":
        fresh["lastTransitionTime"] = current["lastTransitionTime"]
    return [*without(conditions, PROGRESSING), fresh]


def _aborted(sets: Sets, current: Obj | None, now: datetime, reason: str) -> Obj:
    revision = revision_of(sets.new.raw) if sets.new else 0
    message = f"Rollout aborted update to revision {revision}"
    if reason:
        message = f"{message}: {reason}"
    elif current is not None and current["reason"] == ABORTED and current["message"].startswith(message):
        message = current["message"]
    return condition(PROGRESSING, "False", ABORTED, message, now)


def _pause_change(rollout: Rollout, status: Obj, current: Obj | None) -> str | None:
    reason = (current or {}).get("reason")
    if _is_paused(rollout, status):
        is_over = reason == COMPLETE and is_promoted(status)  # no update is there to be paused
        return None if is_over or reason in (ROLLOUT_PAUSED, TIMED_OUT) else ROLLOUT_PAUSED
    return RESUMED if reason == ROLLOUT_PAUSED else None


def _progress(rollout: Rollout, status: Obj, sets: Sets, current: Obj | None, now: datetime) -> Obj | None:
    subject = f'ReplicaSet "{sets.new.name}"' if sets.new else f'Rollout "{rollout.name}"'
    if is_healthy(rollout, status):
        return condition(PROGRESSING, "True", COMPLETE, f"{subject} has successfully progressed.", now)
    if current is not None and current["reason"] == COMPLETE and is_promoted(status):
        return None  # once complete, replicas may come and go
    if current is None or has_progressed(rollout.status, status):
        return condition(PROGRESSING, "True", UPDATED, f"{subject} is progressing.", now)
    if has_timed_out(rollout, status, current, now):
        return condition(PROGRESSING, "False", TIMED_OUT, f"{subject} has timed out progressing.", now)
    return None


def has_progressed(old: Obj, new: Obj) -> bool:
    """Whether pods, the step, the weight or the active Service have come nearer to the end of the update."""
    counts = ("updatedReplicas", "readyReplicas", "availableReplicas")
    marks = ("currentStepIndex", "stableRS", "currentPodHash", "currentStepHash")
    left_before, left = ((one.get("replicas") or 0) - (one.get("updatedReplicas") or 0) for one in (old, new))
    return (
        left < left_before
        or any((new.get(name) or 0) > (old.get(name) or 0) for name in counts)
        or any(new.get(name) != old.get(name) for name in marks)
        or _active(new) != _active(old)
        or _weight(new) != _weight(old)
    )


def _active(status: Obj) -> object:
    return (status.get("blueGreen") or {}).get("activeSelector")


def _weight(status: Obj) -> object:
    return (((status.get("canary") or {}).get("weights") or {}).get("canary") or {}).get("weight")


def is_waiting_without_deadline(rollout: Rollout, status: Obj) -> bool:
    """Whether the current step takes as long as it takes: a pause, an analysis, an experiment; or all is through."""
    if _is_paused(rollout, status):
        return True
    index = status.get("currentStepIndex")
    steps = rollout.steps
    if is_promoted(status) or _is_analysed(status):
        return True
    if index is None or not 0 <= index < len(steps):
        return False
    return any(name in steps[index] for name in ("pause", "analysis", "experiment"))


def _is_analysed(status: Obj) -> bool:
    """Whether an analysis of blue/green goes on."""
    part = status.get("blueGreen") or {}
    runs = (part.get(f"{when}PromotionAnalysisRunStatus") or {} for when in ("pre", "post"))
    return any(run.get("name") and run.get("status") in (None, "", "Pending", "Running") for run in runs)


def has_timed_out(rollout: Rollout, status: Obj, current: Obj, now: datetime) -> bool:
    """Whether the deadline passed since the last progress."""
    if current["reason"] == TIMED_OUT:
        return True
    deadline = next_deadline(rollout, status, current)
    return deadline is not None and deadline <= now


def next_deadline(rollout: Rollout, status: Obj, current: Obj | None) -> datetime | None:
    """When the update will have made no progress for too long; None while no clock runs."""
    if current is None or rollout.deadline_seconds is None or is_waiting_without_deadline(rollout, status):
        return None
    if current["reason"] in (TIMED_OUT, COMPLETE, ROLLOUT_PAUSED, ABORTED):
        return None
    return parse_timestamp(current["lastUpdateTime"]) + timedelta(seconds=rollout.deadline_seconds)


def _replica_failure(sets: Sets) -> Obj | None:
    for rs in reversed(sets.all):
        failure = find(rs.status.get("conditions") or (), REPLICA_FAILURE)
        if failure is not None:
            return {"lastUpdateTime": failure.get("lastTransitionTime"), **failure}
    return None
