"""How a changed number of replicas is spread over replica sets when a rollout is under way or paused.

Source: kubernetes pkg/controller/deployment/sync.go (scale) and util/deployment_util.go (GetReplicaSetProportion).
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from drumroll.domain.deployment_revision import DESIRED, MAXIMUM, integer
from drumroll.domain.replicas import Scaling, Split, fence_of, wanted
from drumroll.objects.apps_v1 import Deployment, ReplicaSet


def is_scaling_event(deployment: Deployment, sets: Iterable[ReplicaSet]) -> bool:
    """Whether the wanted number changed since a replica set that has replicas was last sized."""
    noted = (integer(rs.annotations.get(DESIRED)) for rs in sets if rs.replicas > 0)
    return any(number is not None and number != deployment.replicas for number in noted)


def scale(deployment: Deployment, split: Split) -> list[Scaling]:
    """The sizes that follow from the deployment's size alone; a size may stay and only its annotations change."""
    only = _active_or_latest(split)
    if only is not None:
        return [Scaling(only, deployment.replicas)] if only.replicas != deployment.replicas else []
    if split.new is not None and _is_saturated(deployment, split.new):
        return [Scaling(rs, 0) for rs in split.active_old]
    if deployment.strategy != "RollingUpdate":
        return []
    return _proportional(deployment, split)


def _active_or_latest(split: Split) -> ReplicaSet | None:
    """The one replica set that has replicas; with none, the new or the youngest old one; with several, None."""
    active = [rs for rs in split.all if rs.replicas > 0]
    if len(active) > 1:
        return None
    if active:
        return active[0]
    return split.new or (split.old[-1] if split.old else None)


def _is_saturated(deployment: Deployment, new: ReplicaSet) -> bool:
    noted = integer(new.annotations.get(DESIRED))
    return deployment.replicas == new.replicas == new.available == noted


def _proportional(deployment: Deployment, split: Split) -> list[Scaling]:
    active = [rs for rs in split.all if rs.replicas > 0]
    allowed = deployment.replicas + fence_of(deployment).surge if deployment.replicas > 0 else 0
    to_add = allowed - wanted(active)
    # The largest first. Among equals the newest grows first and the oldest shrinks first.
    by_age = sorted(active, key=lambda rs: rs.age_order, reverse=to_add > 0)
    ordered = sorted(by_age, key=lambda rs: -rs.replicas)
    added = 0
    sizes: list[int] = []
    for rs in ordered:
        share = _share(deployment, rs, to_add - added) if to_add else 0
        sizes.append(rs.replicas + share)
        added += share
    if sizes:
        sizes[0] = max(0, sizes[0] + to_add - added)  # what rounding left over
    return [Scaling(rs, size) for rs, size in zip(ordered, sizes, strict=True)]


def _share(deployment: Deployment, replica_set: ReplicaSet, left: int) -> int:
    """How many of the `left` replicas to add (negative: remove) fall to this replica set."""
    if left == 0:
        return 0
    fraction = _fraction(deployment, replica_set)
    return min(fraction, left) if left > 0 else max(fraction, left)


def _fraction(deployment: Deployment, replica_set: ReplicaSet) -> int:
    if deployment.replicas == 0:
        return -replica_set.replicas
    before = integer(replica_set.annotations.get(MAXIMUM)) or deployment.status.get("replicas") or 0
    if before == 0:
        return 0
    size = Decimal(replica_set.replicas * (deployment.replicas + fence_of(deployment).surge)) / before
    return int(size.to_integral_value(ROUND_HALF_UP)) - replica_set.replicas
