"""The arithmetic of replicas: how many may exist, how many must be available, who has how many.

Source: kubernetes pkg/controller/deployment/util/deployment_util.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from drumroll.objects.apps_v1 import Deployment, ReplicaSet


@dataclass(frozen=True, slots=True)
class Fence:
    """How far an update may go: at most `surge` above, at most `unavailable` below the wanted number."""

    surge: int
    unavailable: int


def fence_of(deployment: Deployment) -> Fence:
    """The resolved maxSurge and maxUnavailable; both 0 for Recreate.

    Surge is rounded up and unavailable down; when both come to 0, one pod may be unavailable, or nothing could move.
    """
    if deployment.strategy != "RollingUpdate":
        return Fence(0, 0)
    rolling = (deployment.spec.get("strategy") or {}).get("rollingUpdate") or {}
    wanted = deployment.replicas
    surge = scaled(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = scaled(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Fence(surge, min(unavailable, wanted))


def scaled(value: Any, total: int, *, up: bool) -> int:
    """An absolute number as it is, a percentage of `total` rounded up or down; 0 when it is neither."""
    if isinstance(value, int):
        return value
    text = str(value)
    if not text.endswith("%") or not text[:-1].isdigit():
        return int(text) if text.isdigit() else 0
    product = int(text[:-1]) * total
    return -(-product // 100) if up else product // 100


@dataclass(frozen=True, slots=True)
class Split:
    """A deployment's replica sets, each in exactly one group. `old` is in order of age, the oldest first."""

    new: ReplicaSet | None  # runs the wanted template
    old: tuple[ReplicaSet, ...]

    @property
    def all(self) -> tuple[ReplicaSet, ...]:
        """Every replica set."""
        return (*self.old, self.new) if self.new else self.old

    @property
    def active_old(self) -> tuple[ReplicaSet, ...]:
        """The old ones that want pods."""
        return tuple(rs for rs in self.old if rs.replicas > 0)


@dataclass(frozen=True, slots=True)
class Scaling:
    """A replica set and the number of replicas that it shall have."""

    replica_set: ReplicaSet
    replicas: int


def wanted(sets: Iterable[ReplicaSet]) -> int:
    """The sum of the wanted replicas."""
    return sum(rs.replicas for rs in sets)


def occupied(sets: Iterable[ReplicaSet]) -> int:
    """The sum of the replicas that are wanted or still there, whichever is more.

    The original counts what is wanted. A replica set that was cut a moment ago still has its pods; to fill their places
    before they are on their way out would put more pods on the machine than the surge allows.
    """
    return sum(max(rs.replicas, rs.current) for rs in sets)


def available(sets: Iterable[ReplicaSet]) -> int:
    """The sum of the available replicas, as the statuses tell."""
    return sum(rs.available for rs in sets)


def remaining(replica_set: ReplicaSet) -> int:
    """How many available replicas a replica set will still have when it has acted on its present size.

    The original counts the status alone. A replica set that was cut a moment ago still reports the replicas that it is
    about to delete; counting those as spare would cut below the floor.
    """
    return min(replica_set.available, replica_set.replicas)


def new_replicas(deployment: Deployment, total: int, current: int) -> int:
    """How many a growing new replica set shall have, when all together occupy `total` places and it wants `current`."""
    room = deployment.replicas + fence_of(deployment).surge - total
    if room <= 0:
        return current
    return current + min(room, deployment.replicas - current)
