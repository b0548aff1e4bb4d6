"""POST, PUT and PATCH of objects."""

import random
import uuid
from time import perf_counter_ns

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.admission import admit_create
from drumroll.apiserver.allocation import Claims
from drumroll.apiserver.cluster import Change, Cluster
from drumroll.apiserver.conversion import seen_as, storage_kind, stored_as
from drumroll.apiserver.failures import Unclassified, bad_option, exists, missing
from drumroll.apiserver.limiting import admit_limits, charged
from drumroll.apiserver.options import WriteOptions, write_options
from drumroll.apiserver.owning import own, without_owners
from drumroll.apiserver.pipeline import (
    check_namespace,
    check_preconditions,
    check_target,
    decoded,
    default,
    ready_to_create,
    ready_to_update,
)
from drumroll.apiserver.reading import presenter
from drumroll.apiserver.routing import Target
from drumroll.domain.validation.warnings import WITH_UPDATE_WARNINGS, create_warnings, update_warnings
from drumroll.objects.custom import CustomKind
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import POD, SERVICE
from drumroll.objects.meta import Obj, Revision, timestamp
from drumroll.objects.patch import apply_patch
from drumroll.objects.wire import APPLY_PATCH, Request, Response
from drumroll.store.interface import Stale

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_CREATED_BY_UPDATE = ("endpoints", "events", "leases")
_NAME_ATTEMPTS = 8


async def create(cluster: Cluster, target: Target, request: Request) -> Response:
    """The new object. Raises BadRequest, Invalid, AlreadyExists, NotFound (namespace), Forbidden."""
    present = presenter(cluster, target, request)
    options = write_options(request, "CreateOptions")
    found = decoded(cluster.stages, target.kind, request, options.field_validation)
    metadata = found.obj.setdefault("metadata", {})
    check_namespace(target, metadata)
    value = await create_object(cluster, target, found.obj, options)
    return present.one(201, value, [*found.warnings, *create_warnings(target.kind, found.obj)])


async def create_object(
    cluster: Cluster, target: Target, obj: Obj, options: WriteOptions, owners: list[Obj] | None = None
) -> bytes:
    """Complete, check and store a decoded object; a generated name that is taken is generated again.

    `owners` are its managedFields, when the caller knows them.
    """
    kind, metadata = target.kind, obj["metadata"]
    prefix = "" if metadata.get("name") else metadata.get("generateName") or ""
    if metadata.pop("resourceVersion", "") not in ("", "0"):
        raise Unclassified("resourceVersion should not be set on objects to be created")
    for attempt in range(_NAME_ATTEMPTS):
        if prefix:
            metadata["name"] = prefix[:58] + "".join(random.choices(_LETTERS, k=5))
        if attempt == 0:
            default(cluster.stages, kind, obj)
            own(cluster, target, obj, None, options, owners)
            admit_create(cluster, target, obj)
            if kind is POD:
                default(cluster.stages, kind, obj)  # what admission added
            admit_limits(cluster, target, obj)
            metadata["uid"] = str(uuid.uuid4())
            metadata["creationTimestamp"] = timestamp(cluster.now())
            ready_to_create(cluster.stages, kind, obj)
            cluster.check_grant(kind, obj, None)
        named = Target(kind, target.namespace, metadata["name"])
        try:
            async with charged(cluster, named, obj, dry_run=options.dry_run):
                return await _store_new(cluster, named, stored_as(kind, obj), options.dry_run)
        except Stale as error:
            if not prefix or attempt == _NAME_ATTEMPTS - 1:
                raise exists(kind, named.name) from error
    raise exists(kind, metadata["name"])


async def _store_new(cluster: Cluster, target: Target, obj: Obj, dry_run: bool) -> bytes:
    claims = cluster.allocator.assign(obj) if target.kind is SERVICE else None
    try:
        started = perf_counter_ns()
        draft = codec.draft(storage_kind(target.kind), obj)
        cluster.stages.add("encode", started)
        if not dry_run:
            return (await cluster.put(target, draft, Revision(0))).value
        _check_absent(cluster, target)
    except (Stale, ApiError):  # but not when cancelled: the write may yet reach the disk
        if claims is not None:
            claims.undo()
        raise
    if claims is not None:
        claims.undo()
    return codec.without_revision(storage_kind(target.kind), draft)


def _check_absent(cluster: Cluster, target: Target) -> None:
    current = cluster.store.get(codec.collection(target.kind), target.key)
    if current is not None:
        raise Stale(target.key, current)


async def update(cluster: Cluster, target: Target, request: Request) -> Response:
    """The replaced object. Raises BadRequest, Invalid, NotFound, Conflict."""
    present = presenter(cluster, target, request)
    options = write_options(request, "UpdateOptions")
    found = decoded(cluster.stages, target.kind, request, options.field_validation)
    check_target(target, found.obj)
    uid = found.obj["metadata"].get("uid") or ""
    revision = found.obj["metadata"].get("resourceVersion") or ""
    if (
        target.kind.plural in _CREATED_BY_UPDATE
        and cluster.store.get(codec.collection(target.kind), target.key) is None
    ):
        if uid or revision not in ("", "0"):
            raise missing(target.kind, target.name)
        return present.one(201, await create_object(cluster, target, found.obj, options), found.warnings)

    def replace(old: Obj) -> Obj:
        check_preconditions(target, old, uid, revision)
        return updated(cluster, target, _copy(found.obj), seen_as(target.kind, old), options)

    value = await change_object(cluster, target, replace, dry_run=options.dry_run, once=revision not in ("", "0"))
    return present.one(200, value, [*found.warnings, *_update_warnings(target, value)])


async def patch(cluster: Cluster, target: Target, request: Request) -> Response:
    """The patched object. Raises BadRequest, Invalid, NotFound, UnsupportedMediaType, Conflict."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip() == APPLY_PATCH:
        from drumroll.apiserver.applying import apply

        return await apply(cluster, target, request)
    present = presenter(cluster, target, request)
    options = write_options(request, "PatchOptions")
    if request.parameter("force"):
        message = "Forbidden: may not be specified for non-apply patch"
        raise bad_option("PatchOptions", "force", "FieldValueForbidden", message)
    warnings: list[str] = []

    def patched(old: Obj) -> Obj:
        started = perf_counter_ns()
        shown = seen_as(target.kind, old)
        current, owners = without_owners(shown, request.body)
        current = _copy(current) if isinstance(target.kind, CustomKind) else current  # decoding by messages copies
        found = apply_patch(target.kind, current, request.body, content_type, options.field_validation)
        cluster.stages.add("decode", started)
        warnings[:] = found.warnings
        check_target(target, found.obj)
        check_preconditions(target, old, "", found.obj["metadata"].get("resourceVersion") or "")
        if owners is not None:
            found.obj["metadata"]["managedFields"] = owners
        return updated(cluster, target, found.obj, shown, options)

    value = await change_object(cluster, target, patched, dry_run=options.dry_run)
    return present.one(200, value, [*warnings, *_update_warnings(target, value)])


def _update_warnings(target: Target, value: bytes) -> list[str]:
    """Nobody reads warnings about a status, and decoding the value again is not free."""
    if target.subresource or target.kind not in WITH_UPDATE_WARNINGS:
        return []
    return update_warnings(target.kind, orjson.loads(value))


def updated(
    cluster: Cluster, target: Target, new: Obj, old: Obj, options: WriteOptions, owners: list[Obj] | None = None
) -> Obj:
    """The changed object as it will be stored. `owners` are its managedFields, when known. Raises Invalid."""
    ready_to_update(cluster.stages, target, new, old)
    own(cluster, target, new, old, options, owners)
    cluster.check_grant(target.kind, new, old)
    return stored_as(target.kind, new)


async def change_object(
    cluster: Cluster, target: Target, make: Change, *, dry_run: bool = False, once: bool = False
) -> bytes:
    """Change a stored object; a Service gets and gives back addresses and ports on the way."""
    if target.kind is not SERVICE or target.subresource:
        return (await cluster.change(target, make, dry_run=dry_run, once=once)).value
    made: list[Obj] = []
    claims: list[Claims] = []

    def with_addresses(old: Obj) -> Obj:
        while claims:
            claims.pop().undo()
        new = make(old)
        claims.append(cluster.allocator.assign(new, old))
        made[:] = [new, old]
        return new

    try:
        outcome = await cluster.change(target, with_addresses, dry_run=dry_run, once=once)
    except ApiError:
        while claims:
            claims.pop().undo()
        raise
    if dry_run:
        claims.pop().undo()
    elif not outcome.removed:
        cluster.allocator.release_changed(*made)
    return outcome.value


def _copy(obj: Obj) -> Obj:
    copied: Obj = orjson.loads(orjson.dumps(obj))
    return copied
