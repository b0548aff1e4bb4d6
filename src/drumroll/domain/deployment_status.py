"""What a Deployment reports of itself: counts, conditions, and whether it still makes progress.

Source: kubernetes pkg/controller/deployment/sync.go (calculateStatus), progress.go, util/deployment_util.go.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from drumroll.domain.replicas import Split, available, fence_of, wanted
from drumroll.objects.apps_v1 import Deployment, ReplicaSet
from drumroll.objects.meta import Obj, parse_timestamp, timestamp

PROGRESSING, AVAILABLE, REPLICA_FAILURE = "Progressing", "Available", "ReplicaFailure"
COMPLETE, TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"
COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def condition(kind: str, status: str, reason: str, message: str, now: datetime) -> Obj:
    """A condition that has just come about."""
    moment = timestamp(now)
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": moment,
        "lastTransitionTime": moment,
        "reason": reason,
        "message": message,
    }


def find(conditions: Sequence[Obj], kind: str) -> Obj | None:
    """The condition of that type."""
    return next((one for one in conditions if one["type"] == kind), None)


def without(conditions: Sequence[Obj], kind: str) -> list[Obj]:
    """All conditions but the one of that type."""
    return [one for one in conditions if one["type"] != kind]


def with_condition(conditions: Sequence[Obj], new: Obj) -> list[Obj]:
    """The conditions with `new` at the end; unchanged when it has the status and reason that it had before."""
    current = find(conditions, new["type"])
    if current is not None and current["status"] == new["status"]:
        if current.get("reason") == new["reason"]:
            return list(conditions)
        new = {**new, "lastTransitionTime": current["lastTransitionTime"]}
    return [*without(conditions, new["type"]), new]


def paused_conditions(deployment: Deployment, now: datetime) -> list[Obj]:
    """The conditions, with pausing or resuming noted: time spent paused does not count towards the deadline."""
    conditions = deployment.conditions
    current = find(conditions, PROGRESSING) or {}
    if deployment.deadline_seconds is None or current.get("reason") == TIMED_OUT:
        return list(conditions)
    is_noted = current.get("reason") == PAUSED
    if deployment.is_paused and not is_noted:
        return with_condition(conditions, condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now))
    if not deployment.is_paused and is_noted:
        return with_condition(conditions, condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now))
    return list(conditions)


def is_complete(deployment: Deployment, status: Obj) -> bool:
    """Whether every wanted replica is updated and available and no old one is left, as `status` tells."""
    counts = (status.get(name) or 0 for name in ("updatedReplicas", "replicas", "availableReplicas"))
    is_observed = (status.get("observedGeneration") or 0) >= deployment.generation
    return is_observed and all(count == deployment.replicas for count in counts)


def calculate_status(deployment: Deployment, split: Split, conditions: Sequence[Obj], now: datetime) -> Obj:
    """The status as the replica sets make it; of the conditions only Available is judged here."""
    up = available(split.all)
    status: Obj = {
        "observedGeneration": deployment.generation,
        "replicas": sum(rs.current for rs in split.all),
        "updatedReplicas": split.new.current if split.new else 0,
        "readyReplicas": sum(rs.ready for rs in split.all),
        "availableReplicas": up,
        "unavailableReplicas": max(0, wanted(split.all) - up),
    }
    terminating = _terminating(split.all)
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    if (collisions := deployment.status.get("collisionCount")) is not None:
        status["collisionCount"] = collisions
    status["conditions"] = with_condition(conditions, _availability(deployment, up, now))
    return status


def _availability(deployment: Deployment, up: int, now: datetime) -> Obj:
    if up >= deployment.replicas - fence_of(deployment).unavailable:
        message = "Deployment has minimum availability."
        return condition(AVAILABLE, "True", "MinimumReplicasAvailable", message, now)
    message = "Deployment does not have minimum availability."
    return condition(AVAILABLE, "False", "MinimumReplicasUnavailable", message, now)


def _terminating(sets: Sequence[ReplicaSet]) -> int | None:
    """The sum, or None as long as a synced replica set does not report it."""
    total = 0
    for rs in sets:
        count = rs.status.get("terminatingReplicas")
        if count is None:
            if rs.status.get("observedGeneration"):
                return None
            continue
        total += count
    return total


def judge_progress(deployment: Deployment, split: Split, status: Obj, now: datetime) -> Obj:
    """The fresh `status` with Progressing and ReplicaFailure judged against the deployment's last one."""
    conditions: list[Obj] = status["conditions"]
    current = find(conditions, PROGRESSING)
    if deployment.deadline_seconds is None:
        conditions = without(conditions, PROGRESSING)
    elif not _was_complete(current, status):
        conditions = _progressed(deployment, split, status, current, now)
    failure = _replica_failure(split)
    conditions = without(conditions, REPLICA_FAILURE) if failure is None else with_condition(conditions, failure)
    return {**status, "conditions": conditions}


def _was_complete(current: Obj | None, status: Obj) -> bool:
    """Once complete, a rollout stays so while only its own replicas come and go."""
    is_alone = (status.get("replicas") or 0) == (status.get("updatedReplicas") or 0)
    return is_alone and current is not None and current.get("reason") == COMPLETE


def _progressed(deployment: Deployment, split: Split, status: Obj, current: Obj | None, now: datetime) -> list[Obj]:
    conditions: list[Obj] = status["conditions"]
    subject = f'ReplicaSet "{split.new.name}"' if split.new else f'Deployment "{deployment.name}"'
    if is_complete(deployment, status):
        message = f"{subject} has successfully progressed."
        return with_condition(conditions, condition(PROGRESSING, "True", COMPLETE, message, now))
    if has_progressed(deployment.status, status):
        fresh = condition(PROGRESSING, "True", "ReplicaSetUpdated", f"{subject} is progressing.", now)
        if current is not None and current["status"] == "True":
            fresh["lastTransitionTime"] = current["lastTransitionTime"]
        return [*without(conditions, PROGRESSING), fresh]
    if has_timed_out(deployment, current, now):
        message = f"{subject} has timed out progressing."
        return with_condition(conditions, condition(PROGRESSING, "False", TIMED_OUT, message, now))
    return conditions


def has_progressed(old: Obj, new: Obj) -> bool:
    """Whether more replicas are updated, ready or available than before, or fewer old ones are left."""
    before, after = ({name: status.get(name) or 0 for name in COUNTS} for status in (old, new))
    left_before, left = (counts["replicas"] - counts["updatedReplicas"] for counts in (before, after))
    grew = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return left < left_before or any(after[name] > before[name] for name in grew)


def has_timed_out(deployment: Deployment, current: Obj | None, now: datetime) -> bool:
    """Whether the deadline passed since the last progress."""
    if current is None or deployment.deadline_seconds is None or current.get("reason") == COMPLETE:
        return False
    if current.get("reason") == TIMED_OUT:
        return True
    return _deadline(current, deployment.deadline_seconds) < now


def next_check(deployment: Deployment, status: Obj) -> datetime | None:
    """When to look again whether the deadline has passed, as long as it can."""
    current = find(status.get("conditions") or (), PROGRESSING)
    if current is None or deployment.deadline_seconds is None or is_complete(deployment, status):
        return None
    if current.get("reason") in (TIMED_OUT, COMPLETE):
        return None
    return _deadline(current, deployment.deadline_seconds) + timedelta(seconds=1)


def _deadline(current: Obj, seconds: int) -> datetime:
    return parse_timestamp(current["lastUpdateTime"]) + timedelta(seconds=seconds)


def _replica_failure(split: Split) -> Obj | None:
    """The new replica set's failure, else that of any other, in the Deployment's words."""
    ordered = (split.new, *split.old) if split.new else split.old
    found = (find(rs.status.get("conditions") or (), REPLICA_FAILURE) for rs in ordered)
    failure = next((one for one in found if one is not None), None)
    if failure is None:
        return None
    return {"lastUpdateTime": failure.get("lastTransitionTime"), **failure}
