"""What a replica set's decision needs to know of a pod, read once per state of the pod."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from drumroll.domain.pod import is_finished
from drumroll.objects.meta import Obj, annotations_of, controller_of, is_deleting, labels_of, parse_timestamp, uid_of

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}

Labels: TypeAlias = frozenset[tuple[str, str]]
"""The pairs of an object's labels."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A pod as a replica set sees it. The moments are None where they are not known."""

    pod: Obj
    uid: str
    owner: str | None  # uid of its controller
    labels: Labels
    is_finished: bool
    is_deleting: bool
    is_ready: bool
    ready_since: str | None
    created: str | None
    node: str
    phase: int
    cost: int
    restarts: tuple[int, int]  # of containers and of init containers, the most of one


def replica_of(pod: Obj) -> Replica:
    """The pod as it is now."""
    status, meta = pod.get("status") or {}, pod["metadata"]
    ready = next((one for one in status.get("conditions") or () if one["type"] == "Ready"), None)
    owner = controller_of(pod)
    return Replica(
        pod=pod,
        uid=uid_of(pod),
        owner=owner["uid"] if owner is not None else None,
        labels=frozenset(labels_of(pod).items()),
        is_finished=is_finished(pod),
        is_deleting=is_deleting(pod),
        is_ready=ready is not None and ready["status"] == "True",
        ready_since=(ready or {}).get("lastTransitionTime"),
        created=meta.get("creationTimestamp"),
        node=pod["spec"].get("nodeName") or "",
        phase=PHASES.get(status.get("phase") or "Pending", 2),
        cost=_cost(pod),
        restarts=(_restarts(status.get("containerStatuses")), _restarts(status.get("initContainerStatuses"))),
    )


def ready_moment(replica: Replica) -> datetime | None:
    """Since when it is ready, or None when it is not."""
    if not replica.is_ready:
        return None
    return parse_timestamp(replica.ready_since or replica.created or "")


def _cost(pod: Obj) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _restarts(statuses: Sequence[Obj] | None) -> int:
    return max((status.get("restartCount") or 0 for status in statuses or ()), default=0)
