"""What controllers count about themselves, under the names of client-go's work queues, and how rollouts stand.

Source: k8s.io/component-base/metrics/prometheus/workqueue.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from time import perf_counter

from drumroll.controllers.caches import Caches
from drumroll.objects.kinds import DEPLOYMENT, POD
from drumroll.objects.meta import Obj
from drumroll.objects.metrics import Labels, Metrics

_STATES = ("progressing", "complete", "failed")
_REPLICAS = ("updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


class QueueMeter:
    """Counts for one controller's queue."""

    def __init__(self, metrics: Metrics, name: str, depth: Callable[[], int]) -> None:
        self._name = (name,)
        self._adds = metrics.counter("workqueue_adds_total", "Turns asked for.", "name")
        self._retries = metrics.counter("workqueue_retries_total", "Turns that failed and come again.", "name")
        self._work = metrics.histogram("workqueue_work_duration_seconds", "How long turns take.", "name")
        self._waits = metrics.histogram("workqueue_queue_duration_seconds", "How long items wait.", "name")
        self._turns = metrics.counter("drumroll_reconcile_total", "Turns, by their end.", "controller", "result")
        metrics.gauge("workqueue_depth", "Items that wait for their turn.", "name").follow(depth, self._name)

    def added(self) -> None:
        """A turn was asked for."""
        self._adds.add(self._name)

    def waited(self, seconds: float) -> None:
        """An item's turn began."""
        self._waits.observe(seconds, self._name)

    def worked(self, began: float, result: str) -> None:
        """A turn ended that began at `began` (perf_counter); `result` is success or error."""
        self._work.observe(perf_counter() - began, self._name)
        self._turns.add((*self._name, result))
        if result == "error":
            self._retries.add(self._name)


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
