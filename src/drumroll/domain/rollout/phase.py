"""A Rollout's phase and the message that explains it. Source: argo-rollouts utils/rollout/rolloututil.go
CalculateRolloutPhase; the order of the questions is the original's."""

from typing import Literal, NamedTuple

from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj

Name = Literal["Healthy", "Degraded", "Progressing", "Paused"]
ABORTED, TIMED_OUT, INVALID = "RolloutAborted", "ProgressDeadlineExceeded", "InvalidSpec"


class Phase(NamedTuple):
    """A phase and its message; a healthy Rollout has none."""

    phase: Name
    message: str = ""


def phase_of(rollout: Rollout, status: Obj) -> Phase:
    """The phase of a Rollout with this status."""
    return _stopped(rollout, status) or _progressing(rollout, status) or Phase("Healthy")


def _stopped(rollout: Rollout, status: Obj) -> Phase | None:
    for condition in status.get("conditions") or ():
        if condition["type"] == INVALID:
            return Phase("Degraded", f"{INVALID}: {condition['message']}")
        if condition["type"] == "Progressing" and condition["reason"] in (ABORTED, TIMED_OUT):
            return Phase("Degraded", f"{condition['reason']}: {condition['message']}")
    if rollout.is_paused:
        return Phase("Paused", "manually paused")
    for pause in status.get("pauseConditions") or ():
        return Phase("Paused", pause["reason"])
    return None


def _progressing(rollout: Rollout, status: Obj) -> Phase | None:
    updated, available = status.get("updatedReplicas") or 0, status.get("availableReplicas") or 0
    message = ""
    if rollout.spec.get("restartAt") and rollout.spec["restartAt"] != status.get("restartedAt"):
        message = "rollout is restarting"
    elif updated < rollout.replicas:
        message = "more replicas need to be updated"
    elif available < updated:
        message = "updated replicas are still becoming available"
    elif rollout.blue_green is not None:
        message = _blue_green(rollout, status)
    elif rollout.traffic_routing is None and (status.get("replicas") or 0) > updated:
        message = "old replicas are pending termination"
    elif not is_promoted(status):
        message = "waiting for all steps to complete"
    return Phase("Progressing", message) if message else None


def _blue_green(rollout: Rollout, status: Obj) -> str:
    active = (status.get("blueGreen") or {}).get("activeSelector")
    if not active or active != status.get("currentPodHash"):
        return "active service cutover pending"
    if is_promoted(status):
        return ""
    strategy = rollout.blue_green or {}
    if strategy.get("postPromotionAnalysis"):
        return "waiting for analysis to complete"
    return "waiting for post-promotion verification to complete"


def is_promoted(status: Obj) -> bool:
    """Whether the wanted template is the stable one."""
    return bool(status.get("stableRS")) and status["stableRS"] == status.get("currentPodHash")
