"""How each object is doing, with the icon that says so. Source: argo-rollouts pkg/kubectl-argo-rollouts/info."""

from drumroll.domain.rollout.phase import phase_of
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj

GOOD, BAD, BUSY, PAUSED, WAITING, IDLE, UNSURE, BROKEN = "✔", "✖", "◌", "॥", "◷", "•", "?", "⚠"
STYLES = {
    GOOD: "green",
    BAD: "red",
    BUSY: "yellow",
    PAUSED: "yellow",
    WAITING: "yellow",
    UNSURE: "yellow",
    BROKEN: "red",
}
"""The colours of icons; others have none."""

_ICONS = {
    "Healthy": GOOD,
    "Running": GOOD,
    "Successful": GOOD,
    "Completed": GOOD,
    "Succeeded": GOOD,
    "Degraded": BAD,
    "Failed": BAD,
    "Progressing": BUSY,
    "Paused": PAUSED,
    "ScaledDown": IDLE,
    "Pending": WAITING,
    "Inconclusive": UNSURE,
    "Error": BROKEN,
}
_STARTING = ("Pending", "ContainerCreating", "PodInitializing", "Terminating")


def with_icon(phase: str) -> str:
    """`✔ Healthy`; nothing for no phase."""
    return f"{_ICONS.get(phase, UNSURE)} {phase}" if phase else ""


def rollout_phase(rollout: Obj) -> tuple[str, str]:
    """The phase and the message of a Rollout; what the controller has not seen yet is in progress."""
    status = rollout.get("status") or {}
    if not _is_observed(rollout, status):
        return "Progressing", "waiting for rollout spec update to be observed"
    if status.get("controllerPause") and not status.get("pauseConditions"):
        return "Progressing", "waiting for rollout to unpause"
    return (status["phase"], status.get("message") or "") if status.get("phase") else phase_of(Rollout(rollout), status)


def _is_observed(rollout: Obj, status: Obj) -> bool:
    """The generation is a string in the original; one that is no number is of an older controller, and counts."""
    seen = str(status.get("observedGeneration") or "")
    return bool(seen) and (not seen.isdigit() or int(seen) >= (rollout["metadata"].get("generation") or 0))


def deployment_phase(deployment: Obj) -> tuple[str, str]:
    """The same for a Deployment. Source: kubectl pkg/polymorphichelpers/rollout_status.go."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    if (status.get("observedGeneration") or 0) < (deployment["metadata"].get("generation") or 0):
        return "Progressing", "waiting for deployment spec update to be observed"
    late = next(
        (one for one in status.get("conditions") or () if one.get("reason") == "ProgressDeadlineExceeded"), None
    )
    if late:
        return "Degraded", f"ProgressDeadlineExceeded: {late.get('message', '')}"
    if spec.get("paused"):
        return "Paused", "manually paused"
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas") or 0
    if updated < wanted:
        return "Progressing", f"{updated} out of {wanted} new replicas have been updated"
    if (old := (status.get("replicas") or 0) - updated) > 0:
        return "Progressing", f"{old} old replicas are pending termination"
    if (available := status.get("availableReplicas") or 0) < updated:
        return "Progressing", f"{available} of {updated} updated replicas are available"
    return "Healthy", ""


def replica_set_phase(replica_set: Obj, pods: list[Obj]) -> str:
    """By its pods: one that cannot run makes it degraded."""
    wanted = replica_set["spec"].get("replicas", 1)
    if not wanted and not pods:
        return "ScaledDown"
    if any(pod_icon(pod_state(pod)) == BAD for pod in pods):
        return "Degraded"
    available = (replica_set.get("status") or {}).get("availableReplicas") or 0
    return "Healthy" if available >= wanted and len(pods) <= wanted else "Progressing"


def pod_state(pod: Obj) -> str:
    """The STATUS of `kubectl get pods`. Source: kubernetes pkg/printers/internalversion/printers.go."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for kind in ("initContainerStatuses", "containerStatuses"):
        for one in status.get(kind) or ():
            state = one.get("state") or {}
            waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
            if waiting.get("reason"):
                return str(waiting["reason"])
            if ended and (kind == "containerStatuses" or ended.get("exitCode")):
                return str(ended.get("reason") or f"ExitCode:{ended.get('exitCode', 0)}")
    return str(status.get("reason") or status.get("phase") or "Pending")


def pod_icon(state: str) -> str:
    """The icon of a pod's state: whatever is not known to be good or on its way is bad."""
    if state in _STARTING:
        return BUSY
    return GOOD if state in ("Running", "Succeeded", "Completed") else BAD
