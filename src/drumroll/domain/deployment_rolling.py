"""One step of a rolling update: grow the new replica set, then shrink the old ones, never too much at once.

Source: kubernetes pkg/controller/deployment/rolling.go.
"""

from drumroll.domain.replicas import Scaling, Split, fence_of, new_replicas, occupied, remaining, wanted
from drumroll.objects.apps_v1 import Deployment


def grow_new(deployment: Deployment, split: Split) -> list[Scaling]:
    """The new replica set's next size, when it differs from the present one."""
    new = split.new
    if new is None or new.replicas == deployment.replicas:
        return []
    if new.replicas > deployment.replicas:
        return [Scaling(new, deployment.replicas)]
    size = new_replicas(deployment, occupied(split.all), new.replicas)
    return [Scaling(new, size)] if size != new.replicas else []


def shrink_old(deployment: Deployment, split: Split) -> list[Scaling]:
    """The old replica sets' next sizes, step by step: first without unavailable replicas, which cost nothing, then
    without as many available ones as can be spared. A replica set may occur twice.

    Worked example: 10 wanted, surge 3, unavailable 2; the old one wants 8, the new one wants 5 and none of those is
    available. 13 pods less a floor of 8 less 5 that are not up yet leave 0 to remove: a broken update takes no more.
    """
    old, new = split.active_old, split.new
    if not old:
        return []
    floor = deployment.replicas - fence_of(deployment).unavailable
    coming = new.replicas - remaining(new) if new else 0
    removable = wanted(split.all) - floor - coming
    if removable <= 0:
        return []
    steps: list[Scaling] = []
    sizes: dict[str, int] = {}
    for rs in old:
        cut = max(0, min(removable, rs.replicas - rs.available))
        sizes[rs.uid] = rs.replicas - cut
        removable -= cut
        if cut:
            steps.append(Scaling(rs, sizes[rs.uid]))
    spare = sum(map(remaining, split.all)) - floor
    for rs in old:
        cut = max(0, min(spare, sizes[rs.uid]))
        spare -= cut
        if cut:
            steps.append(Scaling(rs, sizes[rs.uid] - cut))
    return steps
