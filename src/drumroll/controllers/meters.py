"""How the rollouts of Deployments stand, in figures."""

from collections import Counter
from collections.abc import Iterable

from drumroll.objects.kinds import DEPLOYMENT, POD
from drumroll.objects.meta import Obj
from drumroll.objects.metrics import Labels, Metrics
from drumroll.reconcile.caches import Caches

_STATES = ("progressing", "complete", "failed")
_REPLICAS = ("updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def add_rollout_figures(metrics: Metrics, caches: Caches) -> None:
    """Tell, when asked, how far rollouts are."""
    deployments, pods = caches.of(DEPLOYMENT), caches.of(POD)

    def states() -> Iterable[tuple[Labels, float]]:
        found = Counter(_state(deployment) for deployment in deployments.items())
        return (((state,), found[state]) for state in _STATES)

    def replicas() -> Iterable[tuple[Labels, float]]:
        everything = deployments.items()
        yield ("replicas",), sum(one["spec"].get("replicas", 1) for one in everything)
        for name in _REPLICAS:
            yield (name,), sum((one.get("status") or {}).get(name) or 0 for one in everything)

    def conditions() -> Iterable[tuple[Labels, float]]:
        found = Counter(_phase_and_readiness(pod) for pod in pods.items())
        return found.items()

    metrics.gauge("drumroll_deployments", "Deployments, by the state of their rollout.", "state", read=states)
    metrics.gauge("drumroll_deployment_replicas", "Replicas of all Deployments, as asked.", "count", read=replicas)
    metrics.gauge("drumroll_pods", "Pods, by phase and readiness.", "phase", "ready", read=conditions)


def _state(deployment: Obj) -> str:
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Progressing":
            if condition["status"] == "False":
                return "failed"
            return "complete" if condition.get("reason") == "NewReplicaSetAvailable" else "progressing"
    return "progressing"


def _phase_and_readiness(pod: Obj) -> tuple[str, str]:
    status = pod.get("status") or {}
    ready = next((one["status"] for one in status.get("conditions") or () if one["type"] == "Ready"), "False")
    return status.get("phase") or "Pending", ready.lower()
