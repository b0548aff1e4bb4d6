"""How many pods the new and the stable replica set of a canary shall have.

Without traffic routing the replicas are the traffic: their ratio comes as near to the weight as whole pods allow.
With it the stable one stays whole, or (dynamicStableScale) gives way as its traffic does.

Source: argo-rollouts utils/replicaset/canary.go.
"""

from dataclasses import dataclass
from fractions import Fraction

from drumroll.domain.replicas import Fence, scaled
from drumroll.domain.rollout.inputs import Sets
from drumroll.domain.rollout.steps import is_through, scale_in_force, step_index, weight_in_force
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many pods the new and the stable replica set have or shall have."""

    new: int
    stable: int


def fence_of(rollout: Rollout) -> Fence:
    """The resolved maxSurge and maxUnavailable; when both come to 0, one pod may be unavailable."""
    strategy = rollout.canary or {}
    surge = scaled(_given(strategy, "maxSurge"), rollout.replicas, up=True)
    unavailable = scaled(_given(strategy, "maxUnavailable"), rollout.replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Fence(surge, min(unavailable, rollout.replicas))


def _given(strategy: Obj, name: str) -> object:
    value = strategy.get(name)
    return "25%" if value is None else value


def set_weight(rollout: Rollout, status: Obj) -> int:
    """The weight that the steps ask for now."""
    if status.get("abort"):
        return 0
    if is_through(rollout, status):
        return rollout.most_weight
    return weight_in_force(rollout, step_index(rollout, status))


def wanted_scale(rollout: Rollout, status: Obj) -> tuple[int | None, int]:
    """A number of canary pods that was set, or else the weight by which they are sized."""
    stable = status.get("stableRS") or ""
    if status.get("promoteFull") or not stable or status.get("currentPodHash") == stable:
        return None, rollout.most_weight
    scale = scale_in_force(rollout, status)
    if scale is not None and scale.get("replicas") is not None:
        return int(scale["replicas"]), 0
    if scale is not None and scale.get("weight") is not None:
        return None, int(scale["weight"])
    return None, set_weight(rollout, status)


def ceiling_share(total: int, weight: int, most: int) -> int:
    """The part of `total` for `weight` of `most`, rounded up."""
    return -(-total * weight // most)


def approximate(total: int, weight: int, most: int, surge: int) -> Sizes:
    """The whole numbers of pods whose ratio is nearest to the weight; one pod more than `total` where that is nearer
    and a surge is allowed. No group is empty unless the weight says so (or there is one pod only).
    """
    if total == 0:
        return Sizes(0, 0)
    up, down = ceiling_share(total, weight, most), total * weight // most
    may_be_none = weight in (0, most) or (total == 1 and surge == 0)
    options: list[tuple[int, int]] = []
    for size in (total, total + 1) if surge > 0 else (total,):
        if up < total or may_be_none or size > total:
            options.append((up, size))
        is_tied = Fraction(size * weight, most) % 1 == Fraction(1, 2)
        if not is_tied and (down != 0 or may_be_none):
            options.append((down, size))
    if not options:
        return Sizes(0, total)
    canary, size = min(options, key=lambda option: abs(Fraction(option[0] * most, option[1]) - weight))
    return Sizes(canary, size - canary)


def desired(rollout: Rollout, status: Obj, sets: Sets) -> Sizes:
    """The sizes at the end of the current step, however far away the present ones are."""
    if rollout.traffic_routing is not None:
        return routed(rollout, status)
    if not has_other_stable(sets):
        return Sizes(rollout.replicas, 0)
    _, weight = wanted_scale(rollout, status)
    return approximate(rollout.replicas, weight, rollout.most_weight, fence_of(rollout).surge)


def has_other_stable(sets: Sets) -> bool:
    """Whether there is a stable replica set and it is not the new one."""
    return sets.stable is not None and not sets.is_stable_new


def basic(rollout: Rollout, status: Obj, sets: Sets) -> Sizes:
    """The next sizes without traffic routing: as far towards the desired ones as surge and unavailable allow now."""
    target, fence = desired(rollout, status, sets), fence_of(rollout)
    stable_set = sets.stable if has_other_stable(sets) else None
    limit, floor = rollout.replicas + fence.surge, rollout.replicas - fence.unavailable
    now = Sizes(sets.new.replicas if sets.new else 0, stable_set.replicas if stable_set else 0)
    older = sum(rs.replicas for rs in sets.older)
    room = max(0, limit - now.new - now.stable - older)
    stable = now.stable + min(room, max(0, target.stable - now.stable)) if stable_set else 0
    room -= stable - now.stable
    new = now.new + min(room, max(0, target.new - now.new)) if sets.new else 0
    if older > 0:
        return Sizes(new, stable)  # the older ones go first
    is_growing = sets.new is None or target.new >= now.new
    pool = _spare(sets.new, is_ignoring=not is_growing) + _spare(stable_set, is_ignoring=is_growing)
    if pool <= floor:
        return Sizes(new, stable)
    drop = pool - floor
    if is_growing:
        if now.stable > target.stable:
            stable = max(target.stable, now.stable - drop)
        stable, new = _within(stable_set, stable, sets.new, new, limit, floor)
    else:
        new = max(target.new, now.new - drop)
        new, stable = _within(sets.new, new, stable_set, stable, limit, floor)
    return Sizes(new, stable)


def _spare(replica_set: ReplicaSet | None, *, is_ignoring: bool) -> int:
    """How many pods of a replica set count as a reserve; `is_ignoring` counts those that are not available too."""
    if replica_set is None:
        return 0
    if replica_set.replicas < replica_set.available or is_ignoring:
        return replica_set.replicas
    return replica_set.available


def _within(
    drained: ReplicaSet | None, drained_size: int, fixed: ReplicaSet | None, fixed_size: int, limit: int, floor: int
) -> tuple[int, int]:
    """Keep both within the limit, first at the expense of `fixed` as far as the floor allows, then of `drained`."""
    if fixed is None:
        return drained_size, fixed_size
    over = max(0, fixed_size + drained_size - limit)
    fixed_size -= over
    available = min(fixed.available, fixed_size) + (min(drained.available, drained_size) if drained else 0)
    lost = max(0, fixed.available - fixed_size)
    fixed_size += min(lost, max(0, floor - available))
    over = max(0, fixed_size + drained_size - limit)
    return drained_size - over, fixed_size


def routed(rollout: Rollout, status: Obj) -> Sizes:
    """The sizes with traffic routing, by the weight that is wanted and the one that was last asked for."""
    strategy, wanted, most = rollout.canary or {}, rollout.replicas, rollout.most_weight
    count, weight = wanted_scale(rollout, status)
    new = at_least(rollout, ceiling_share(wanted, weight, most)) if count is None else count
    if not strategy.get("dynamicStableScale"):
        return Sizes(new, wanted)
    if scale_in_force(rollout, status) is not None:
        weight = min(weight, set_weight(rollout, status))  # a canary larger than its traffic bears no more of it
    stable = ceiling_share(wanted, most - weight, most)
    weights = (status.get("canary") or {}).get("weights")
    if weights:
        stable = max(stable, ceiling_share(wanted, weights["stable"]["weight"], most))
        if _is_anothers(weights["canary"], status):
            stable = wanted  # all traffic goes back to it before this update gets any
        if status.get("abort"):
            new = max(new, ceiling_share(wanted, weights["canary"]["weight"], most))
    return Sizes(at_least(rollout, new), at_least(rollout, stable))


def _is_anothers(canary: Obj, status: Obj) -> bool:
    """Whether the canary's weight was given to a template that is no longer wanted."""
    return bool(canary["weight"]) and canary.get("podTemplateHash") not in (None, "", status.get("currentPodHash"))


def at_least(rollout: Rollout, count: int) -> int:
    """`count`, but no fewer than minPodsPerReplicaSet (which is no more than all) when it is not 0."""
    minimum = (rollout.canary or {}).get("minPodsPerReplicaSet")
    if count == 0 or minimum is None or rollout.traffic_routing is None:
        return count
    return max(count, min(int(minimum), rollout.replicas))


def is_enough(rollout: Rollout, wanted: int, available: int) -> bool:
    """Whether so many available pods will do: all that are wanted, or replicaProgressThreshold of them."""
    threshold = (rollout.canary or {}).get("replicaProgressThreshold") or {}
    value = threshold.get("value")
    if value is None:
        return available == wanted
    if str(threshold.get("type")).startswith("Percent"):
        return available * 100 >= wanted * int(value)
    return available >= min(int(value), wanted)


def is_at_desired(rollout: Rollout, status: Obj, sets: Sets) -> bool:
    """Whether the sizes of the current step are reached, by available pods."""
    target, strategy = desired(rollout, status, sets), rollout.canary or {}
    new, stable = sets.new, sets.stable
    if new is None or new.replicas != target.new or not is_enough(rollout, target.new, new.available):
        return False
    if sets.is_stable_new:
        return True
    if not strategy.get("dynamicStableScale"):
        if stable is None:
            return target.stable == 0 or rollout.traffic_routing is not None
        if not stable.replicas == stable.available == stable.current == target.stable:
            return False
    return rollout.traffic_routing is not None or sum(rs.available for rs in sets.older) == 0
