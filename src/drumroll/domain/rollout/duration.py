"""How long an update took, and how it ended: `status.duration`. Source: argo-rollouts pkg/apis/rollouts/v1alpha1."""

from datetime import datetime

from drumroll.domain.rollout.phase import is_promoted
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj, parse_timestamp, timestamp


def duration_of(rollout: Rollout, status: Obj, now: datetime) -> Obj:
    """The duration as it is after this turn; `rollout` has the status of before. Empty before the first update."""
    before: Obj = dict(rollout.status.get("duration") or {})
    old_hash, new_hash = rollout.status.get("currentPodHash"), status.get("currentPodHash")
    found = before
    if new_hash != old_hash and not is_promoted(status):
        found = {"rolloutStartedAt": timestamp(now)}
    if not found.get("rolloutStartedAt"):
        return found
    found = _with_pauses(found, rollout, status, now)
    ending = _ending(rollout, status)
    is_taken_back = ending == "Aborted" != found.get("completionStatus")
    if ending and (not found.get("finishedAt") or is_taken_back):
        found = {**found, "finishedAt": timestamp(now), "completionStatus": ending}
    elif not ending and found.get("finishedAt") and not is_promoted(status):
        found = {name: value for name, value in found.items() if name not in ("finishedAt", "completionStatus")}
    return found


def _with_pauses(found: Obj, rollout: Rollout, status: Obj, now: datetime) -> Obj:
    is_paused = rollout.is_paused or bool(status.get("pauseConditions"))
    started = found.get("manualPauseStartedAt")
    if is_paused and not started:
        return {**found, "manualPauseStartedAt": timestamp(now)}
    if not is_paused and started:
        seconds = int((now - parse_timestamp(started)).total_seconds())
        total = found.get("totalManualPauseDurationSeconds", 0) + max(0, seconds)
        left = {name: value for name, value in found.items() if name != "manualPauseStartedAt"}
        return {**left, "totalManualPauseDurationSeconds": total}
    return found


def _ending(rollout: Rollout, status: Obj) -> str:
    if status.get("abort"):
        return "Aborted"
    if not is_promoted(status):
        return ""
    before = rollout.status
    is_back = before.get("stableRS") == status.get("stableRS")
    is_fast = bool(before.get("promoteFull"))
    if is_back:
        return "FastRolledBack" if is_fast else "RolledBack"
    return "FastPromoted" if is_fast else "Promoted"
