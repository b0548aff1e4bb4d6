"""Admission by limits, quotas and priorities: what a namespace allows a new object to be and to use."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from drumroll.apiserver import codec
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.failures import forbidden
from drumroll.apiserver.routing import Target
from drumroll.domain import quota as quotas
from drumroll.domain.limits import claim_faults, pod_faults, set_limits
from drumroll.domain.priority import second_default, set_priority
from drumroll.domain.quota import Usage
from drumroll.objects.errors import ApiError, NotFound
from drumroll.objects.kinds import (
    KINDS,
    LIMIT_RANGE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    PRIORITY_CLASS,
    RESOURCE_QUOTA,
    STORED_AS,
    Kind,
)
from drumroll.objects.meta import Obj
from drumroll.store.interface import Stale


def admit_limits(cluster: Cluster, target: Target, obj: Obj) -> None:
    """Complete a defaulted new object, in place, by priority classes and limit ranges. Raises Forbidden."""
    if target.kind is POD:
        _admit_pod(cluster, target, obj)
    elif target.kind is PERSISTENT_VOLUME_CLAIM:
        _refuse(target.kind, obj, claim_faults(obj, _limit_ranges(cluster, target)))
    elif target.kind is PRIORITY_CLASS:
        admit_priority_class(cluster, obj)


def admit_priority_class(cluster: Cluster, obj: Obj) -> None:
    """One class at most is the default. Raises Forbidden."""
    taken = second_default(obj, _priority_classes(cluster))
    if taken:
        why = f"PriorityClass {taken} is already marked as default. Only one default can exist"
        raise forbidden(PRIORITY_CLASS, obj["metadata"].get("name", ""), why)


def _admit_pod(cluster: Cluster, target: Target, pod: Obj) -> None:
    if not isinstance(pod.get("spec"), dict):
        return
    why = set_priority(pod, _priority_classes(cluster))
    if why:
        raise forbidden(POD, pod["metadata"].get("name", ""), why)
    ranges = _limit_ranges(cluster, target)
    if ranges:
        set_limits(pod, ranges)
        _refuse(POD, pod, pod_faults(pod, ranges))


def _refuse(kind: Kind, obj: Obj, faults: list[str]) -> None:
    if faults:
        unique = list(dict.fromkeys(faults))
        why = unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
        raise forbidden(kind, obj["metadata"].get("name", ""), why)


def _priority_classes(cluster: Cluster) -> list[Obj]:
    return [codec.decode(record) for record in cluster.store.select(PRIORITY_CLASS.resource)]


def _limit_ranges(cluster: Cluster, target: Target) -> list[Obj]:
    return [codec.decode(record) for record in cluster.store.select(LIMIT_RANGE.resource, target.prefix)]


@asynccontextmanager
async def charged(cluster: Cluster, target: Target, obj: Obj, *, dry_run: bool) -> AsyncIterator[None]:
    """Book a checked new object on the quotas of its namespace while it is stored; given back when that fails.

    Raises Forbidden when one of them has no room.
    """
    paid: list[tuple[Target, Usage]] = []
    try:
        for quota in _quotas(cluster, target):
            bill = await _charge(cluster, quota, target, obj, dry_run=dry_run)
            if bill is not None:
                paid.append(bill)
        yield
    except (ApiError, Stale):
        for where, usage in paid:
            with suppress(ApiError):
                await _book(cluster, where, {name: -value for name, value in usage.items()}, dry_run=dry_run)
        raise


def _quotas(cluster: Cluster, target: Target) -> list[Obj]:
    if not target.kind.namespaced:
        return []
    return [codec.decode(record) for record in cluster.store.select(RESOURCE_QUOTA.resource, target.prefix)]


async def _charge(
    cluster: Cluster, quota: Obj, target: Target, obj: Obj, *, dry_run: bool
) -> tuple[Target, Usage] | None:
    name = obj["metadata"].get("name", "")
    where = Target(RESOURCE_QUOTA, target.namespace, quota["metadata"]["name"])
    usage = quotas.relevant(quota, target.kind, obj)
    lacking = quotas.missing_amounts(quota, target.kind, obj)
    if lacking:
        raise forbidden(target.kind, name, f"failed quota: {where.name}: {lacking}")
    if not usage:
        return None
    try:
        why = await _book(cluster, where, usage, dry_run=dry_run)
    except NotFound:  # the quota was deleted a moment ago
        return None
    if why:
        raise forbidden(target.kind, name, why)
    return where, usage


async def _book(cluster: Cluster, where: Target, usage: Usage, *, dry_run: bool) -> str:
    """Add to a quota's status. Returns why there is no room; then nothing is added."""
    why = ""

    def booked(quota: Obj) -> Obj:
        nonlocal why
        if not quotas.is_counted(quota):  # new or changed, and its controller has not seen it yet
            quota["status"] = quotas.recount(quota, _contents(cluster, where.namespace, quota))
        used, why = quotas.spend(quota, usage)
        quota["status"] = {**quota["status"], "used": used}
        return quota

    await cluster.change(where, booked, dry_run=dry_run)
    return why


def _contents(cluster: Cluster, namespace: str, quota: Obj) -> Iterator[tuple[Kind, Obj]]:
    for kind in KINDS:
        if kind.namespaced and kind not in STORED_AS and quotas.is_about(quota, kind):
            for record in cluster.store.select(kind.resource, f"{namespace}/"):
                yield kind, codec.decode(record)
