"""Which pods of a replica set die first.

Source: kubernetes pkg/controller/controller_utils.go (ActivePodsWithRanks).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from heapq import nsmallest
from math import log2
from typing import TypeAlias

from drumroll.domain.replica import Replica
from drumroll.objects.meta import parse_timestamp

_Rank: TypeAlias = tuple[bool, int, bool, int, int, int, int, int, int, str]
"""A pod's place: the smaller, the earlier it dies."""


def first_to_die(replicas: Sequence[Replica], count: int, on_node: Mapping[str, int], now: datetime) -> list[Replica]:
    """The `count` pods whose end costs least; the order of `replicas` does not matter."""
    bucket = cache(lambda moment: _bucket(moment, now))  # many pods, few moments
    return nsmallest(count, replicas, key=lambda replica: _rank(replica, on_node, bucket))


def _rank(replica: Replica, on_node: Mapping[str, int], bucket: Callable[[str | None], int]) -> _Rank:
    """Ages are compared by powers of two, so that among pods of about the same age chance (the uid) decides, and not
    all pods of one wave die together.
    """
    node, (containers, init_containers) = replica.node, replica.restarts
    return (
        bool(node),
        replica.phase,
        replica.is_ready,
        replica.cost,
        -on_node.get(node, 0),
        bucket(replica.ready_since) if replica.is_ready else 0,
        -containers,
        -init_containers,
        bucket(replica.created),
        replica.uid,
    )


def _bucket(moment: str | None, now: datetime) -> int:
    """The power of two of the age in nanoseconds; an unknown moment counts as just now."""
    if not moment:
        return -1
    age = (now - parse_timestamp(moment)).total_seconds() * 1e9
    return int(log2(age)) if age >= 1 else 0
