"""DELETE of an object and of a collection: preconditions, grace, finalizers, propagation."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

import orjson

from drumroll.apiserver.admission import admit_delete
from drumroll.apiserver.answering import success
from drumroll.apiserver.cluster import Cluster, Outcome
from drumroll.apiserver.conversion import storage_kind, value_as
from drumroll.apiserver.failures import conflict
from drumroll.apiserver.matching import selection
from drumroll.apiserver.options import DeleteOptions, delete_options, list_options
from drumroll.apiserver.pipeline import check_preconditions
from drumroll.apiserver.reading import presenter, select
from drumroll.apiserver.routing import Target
from drumroll.domain.custom.naming import doom
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, POD, SERVICE, SERVICE_ACCOUNT
from drumroll.objects.meta import Obj, parse_timestamp, timestamp
from drumroll.objects.wire import Request, Response

_RETURNS_OBJECT = (POD, SERVICE, SERVICE_ACCOUNT)
_PROPAGATION = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
_TOGETHER = 128


async def delete(cluster: Cluster, target: Target, request: Request) -> Response:
    """The object as it is going, or a Status when it is gone. Raises NotFound, Conflict, Forbidden."""
    present = presenter(cluster, target, request)
    options = delete_options(request)
    admit_delete(target)
    outcome = await remove(cluster, target, options)
    if outcome.removed and target.kind not in _RETURNS_OBJECT:
        details = {
            "name": target.name,
            "group": target.kind.group,
            "kind": target.kind.plural,
            "uid": orjson.loads(outcome.value)["metadata"].get("uid", ""),
        }
        return success(200, {name: value for name, value in details.items() if value})
    return present.one(200, value_as(target.kind, outcome.value))


async def delete_collection(cluster: Cluster, target: Target, request: Request) -> Response:
    """The selected objects as they were. One that goes away meanwhile is no error."""
    present = presenter(cluster, target, request)
    options = delete_options(request)
    list_options(request)
    records = select(cluster, selection(target, request))
    revision = cluster.store.revision
    for start in range(0, len(records), _TOGETHER):
        chunk = records[start : start + _TOGETHER]
        async with asyncio.TaskGroup() as group:
            for record in chunk:
                namespace, _, name = record.key.rpartition("/")
                group.create_task(_remove_if_there(cluster, Target(target.kind, namespace, name), options))
    return present.many([record.value for record in records], {"resourceVersion": str(revision)})


async def _remove_if_there(cluster: Cluster, target: Target, options: DeleteOptions) -> None:
    with suppress(NotFound):
        await remove(cluster, target, options)


async def remove(cluster: Cluster, target: Target, options: DeleteOptions) -> Outcome:
    """Delete one object as far as it can be now. Raises NotFound, Conflict."""
    is_final = False

    def step(obj: Obj) -> Obj:
        nonlocal is_final
        metadata = obj["metadata"]
        check_preconditions(target, obj, options.uid, "")
        if options.resource_version and options.resource_version != metadata["resourceVersion"]:
            raise conflict(target.kind, target.name, _differs(options.resource_version, metadata["resourceVersion"]))
        _set_propagation(metadata, options.policy)
        is_final = _mark(target, obj, options, cluster.now())
        return obj

    stored = Target(storage_kind(target.kind), target.namespace, target.name)
    return await cluster.change(stored, step, dry_run=options.dry_run, finished=lambda _: is_final)


def _differs(wanted: str, found: str) -> str:
    return (
        "the ResourceVersion in the precondition "
        f"({wanted}) does not match the ResourceVersion in record ({found}). The object might have been modified"
    )


def _set_propagation(metadata: Obj, policy: str) -> None:
    """Who deletes the dependents is told by a finalizer. Source: apiserver pkg/registry/generic/registry/store.go."""
    if not policy:
        return
    kept = [name for name in metadata.get("finalizers") or () if name not in _PROPAGATION.values()]
    if policy in _PROPAGATION:
        kept.append(_PROPAGATION[policy])
    if kept:
        metadata["finalizers"] = kept
    else:
        metadata.pop("finalizers", None)


def _mark(target: Target, obj: Obj, options: DeleteOptions, now: datetime) -> bool:
    """Note in the object, in place, that it is to go. True when nothing holds it any more."""
    metadata = obj["metadata"]
    if target.kind is POD:
        return _mark_pod(obj, options, now)
    if target.kind is NAMESPACE:
        if not metadata.get("deletionTimestamp"):
            metadata["deletionTimestamp"] = timestamp(now)
            obj.setdefault("status", {})["phase"] = "Terminating"
        return not metadata.get("finalizers") and not (obj.get("spec") or {}).get("finalizers")
    if target.kind is CUSTOM_RESOURCE_DEFINITION and not metadata.get("deletionTimestamp"):
        doom(obj, timestamp(now))
    if not metadata.get("finalizers"):
        return True
    if not metadata.get("deletionTimestamp"):
        _date(metadata, now, 0)
        _bump_generation(metadata)
    return False


def _mark_pod(pod: Obj, options: DeleteOptions, now: datetime) -> bool:
    """Source: apiserver registry/rest/delete.go BeforeDelete, registry/core/pod/strategy.go CheckGracefulDelete."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    wanted = options.grace
    if metadata.get("deletionTimestamp"):
        former = metadata.get("deletionGracePeriodSeconds") or 0
        if wanted is not None and wanted < former:
            wanted = max(wanted, 0)
            asked_at = parse_timestamp(metadata["deletionTimestamp"]) - timedelta(seconds=former)
            _date(metadata, max(asked_at + timedelta(seconds=wanted), now), wanted)
    else:
        if wanted is None:
            given = spec.get("terminationGracePeriodSeconds")
            wanted = 30 if given is None else given
        if not spec.get("nodeName") or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            wanted = 0
        wanted = 1 if wanted < 0 else wanted
        _date(metadata, now + timedelta(seconds=wanted), wanted)
        _bump_generation(metadata)
    return not metadata.get("deletionGracePeriodSeconds") and not metadata.get("finalizers")


def _date(metadata: Obj, moment: datetime, grace: int) -> None:
    metadata["deletionTimestamp"] = timestamp(moment)
    metadata["deletionGracePeriodSeconds"] = grace


def _bump_generation(metadata: Obj) -> None:
    if metadata.get("generation"):
        metadata["generation"] += 1
