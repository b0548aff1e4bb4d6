"""What shows without any metric that an update is bad: its pods crash, or its deadline has passed."""

from collections.abc import Iterator

from drumroll.domain.pod import all_containers
from drumroll.domain.rollout.inputs import Turn
from drumroll.domain.rollout.weights import asked_weight
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.meta import Obj, controller_of, is_deleting, key_of

RESTARTS = 2
"""After so many a container that waits to be started again counts as one that will not come up; at once when users meet
it (the first restart has no delay, so it has crashed twice by then).
"""
ANNOTATION = "drumroll.dev/abort-on-crash"
TIMED_OUT = "ProgressDeadlineExceeded"


def failure(turn: Turn) -> str:
    """Why the update must be given up; empty when nothing speaks against it. The first deployment has no way back."""
    rollout, sets = turn.rollout, turn.sets
    if turn.is_aborted or sets.new is None or sets.stable is None or sets.is_stable_new:
        return ""
    if rollout.spec.get("progressDeadlineAbort"):
        for condition in turn.status.get("conditions") or ():
            if condition["type"] == "Progressing" and condition.get("reason") == TIMED_OUT:
                return str(condition.get("message") or "")
    if rollout.annotations.get(ANNOTATION) == "false":
        return ""
    limit = 1 if asked_weight(turn) > 0 else RESTARTS
    return next((text for text in (_crash(pod, limit) for pod in pods_of(turn, sets.new)) if text), "")


def pods_of(turn: Turn, replica_set: ReplicaSet) -> list[Obj]:
    """The pods of a replica set."""
    return [pod for pod in turn.inputs.pods if (controller_of(pod) or {}).get("uid") == replica_set.uid]


def has_crashed(turn: Turn, replica_set: ReplicaSet) -> bool:
    """Whether a program of one of its pods has ended by itself, now or before."""
    return any(_has_crashed(one) for pod in pods_of(turn, replica_set) for one in containers_of(pod))


def containers_of(pod: Obj) -> Iterator[Obj]:
    """The statuses of its containers, the init containers first."""
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _has_crashed(container: Obj) -> bool:
    state = container.get("state") or {}
    exit_code = (state.get("terminated") or {}).get("exitCode")
    return bool(container.get("restartCount")) or bool(exit_code)


def _crash(pod: Obj, limit: int) -> str:
    if is_deleting(pod):
        return ""
    names = {container["name"] for container in all_containers(pod)}
    for one in containers_of(pod):
        waiting = (one.get("state") or {}).get("waiting") or {}
        restarts = one.get("restartCount") or 0
        if one["name"] in names and waiting.get("reason") == "CrashLoopBackOff" and restarts >= limit:
            return f"container {one['name']} of pod {key_of(pod).name} keeps crashing (restarts: {restarts})"
    return ""
