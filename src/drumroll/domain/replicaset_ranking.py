"""Which pods of a replica set die first.

Source: kubernetes pkg/controller/controller_utils.go (ActivePodsWithRanks).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cmp_to_key
from math import log2

from drumroll.objects.meta import Obj, annotations_of, parse_timestamp, uid_of

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class _Rank:
    """A pod's place, as what is compared first: a smaller `before` dies earlier."""

    pod: Obj
    before: tuple[bool, int, bool, int, int]
    is_ready: bool
    ready_bucket: int
    restarts: tuple[int, int]
    age_bucket: int
    uid: str


def first_to_die(pods: Sequence[Obj], count: int, pods_on_node: Mapping[str, int], now: datetime) -> list[Obj]:
    """The `count` pods whose end costs least; the order of `pods` does not matter."""
    ranked = sorted((_rank(pod, pods_on_node, now) for pod in pods), key=cmp_to_key(_compare))
    return [rank.pod for rank in ranked[:count]]


def _rank(pod: Obj, pods_on_node: Mapping[str, int], now: datetime) -> _Rank:
    node = pod["spec"].get("nodeName") or ""
    status = pod.get("status") or {}
    ready = next((one for one in status.get("conditions") or () if one["type"] == "Ready"), None)
    is_ready = ready is not None and ready["status"] == "True"
    since = (ready or {}).get("lastTransitionTime")
    phase = PHASES.get(status.get("phase") or "Pending", 2)
    before = (bool(node), phase, is_ready, _cost(pod), -pods_on_node.get(node, 0))
    return _Rank(
        pod,
        before,
        is_ready,
        _bucket(since, now),
        (-_restarts(status.get("containerStatuses")), -_restarts(status.get("initContainerStatuses"))),
        _bucket(pod["metadata"].get("creationTimestamp"), now),
        uid_of(pod),
    )


def _compare(one: _Rank, other: _Rank) -> int:
    """Negative when `one` dies first.

    Ages are compared by powers of two, so that among pods of about the same age chance (the uid) decides, and not
    all pods of one wave die together.
    """
    if one.before != other.before:
        return -1 if one.before < other.before else 1
    if one.is_ready and one.ready_bucket != other.ready_bucket:
        return one.ready_bucket - other.ready_bucket
    if one.restarts != other.restarts:
        return -1 if one.restarts < other.restarts else 1
    if one.age_bucket != other.age_bucket:
        return one.age_bucket - other.age_bucket
    return (one.uid > other.uid) - (one.uid < other.uid)


def _bucket(moment: str | None, now: datetime) -> int:
    """The power of two of the age in nanoseconds; an unknown moment counts as just now."""
    if not moment:
        return -1
    age = (now - parse_timestamp(moment)).total_seconds() * 1e9
    return int(log2(age)) if age >= 1 else 0


def _cost(pod: Obj) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _restarts(statuses: Sequence[Obj] | None) -> int:
    return max((status.get("restartCount") or 0 for status in statuses or ()), default=0)
