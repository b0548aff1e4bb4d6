"""Server-side apply over HTTP: create, or merge what was applied, and say who owns what."""

from dataclasses import dataclass, replace

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.conversion import seen_as
from drumroll.apiserver.failures import bad_option, conflict
from drumroll.apiserver.negotiation import YAML
from drumroll.apiserver.options import WriteOptions, write_options
from drumroll.apiserver.owning import writer
from drumroll.apiserver.pipeline import check_preconditions, check_target, decoded
from drumroll.apiserver.reading import presenter
from drumroll.apiserver.routing import Target
from drumroll.apiserver.writing import change_object, create_object, updated
from drumroll.domain import apply as applying
from drumroll.domain.managed_fields import Schema, schema_of
from drumroll.objects.custom import CustomKind
from drumroll.objects.decode import check_type, parse_body
from drumroll.objects.errors import AlreadyExists, BadRequest
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj
from drumroll.objects.wire import JSON, Request, Response

_UNKNOWN = 'unknown field "'


@dataclass(frozen=True, slots=True)
class _Apply:
    """One request to apply."""

    cluster: Cluster
    target: Target
    request: Request
    options: WriteOptions
    config: Obj
    schema: Schema

    def merged(self, live: Obj) -> applying.Applied:
        """The configuration in the live object, in stored form, and its owners. Raises Conflict, BadRequest."""
        who = writer(self.cluster, self.target, self.options)
        found = applying.apply(self.schema, who, live, self.config, force=self.options.force)
        metadata = {name: value for name, value in found.obj["metadata"].items() if name != "managedFields"}
        body = orjson.dumps({**found.obj, "metadata": metadata})
        plain = replace(self.request, body=body, headers={"content-type": JSON})
        return replace(found, obj=decoded(self.cluster.stages, self.target.kind, plain, "Ignore").obj)

    def changed(self, old: Obj) -> Obj:
        """The stored object with the configuration applied."""
        metadata = self.config["metadata"]
        check_preconditions(self.target, old, metadata.get("uid") or "", metadata.get("resourceVersion") or "")
        live = seen_as(self.target.kind, old)
        found = self.merged(live)
        return updated(self.cluster, self.target, found.obj, live, self.options, found.entries)

    async def create(self) -> bytes:
        """The new object. Raises AlreadyExists when another client was faster, Conflict when it must exist."""
        uid = self.config["metadata"].get("uid")
        if uid:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(self.target.kind, self.target.name, why)
        found = self.merged(self.schema.empty)
        check_target(self.target, found.obj)
        return await create_object(self.cluster, self.target, found.obj, self.options, found.entries)


async def apply(cluster: Cluster, target: Target, request: Request) -> Response:
    """The applied object: 201 when it is new. Raises BadRequest, Invalid, Conflict."""
    present = presenter(cluster, target, request)
    options = apply_options(request)
    config, warnings = configuration(cluster, target, target.kind, request, options)
    asked = _Apply(cluster, target, request, options, config, schema_of(target.kind))
    if not target.subresource and cluster.store.get(codec.collection(target.kind), target.key) is None:
        try:
            return present.one(201, await asked.create(), warnings)
        except AlreadyExists:
            pass
    value = await change_object(cluster, target, asked.changed, dry_run=options.dry_run)
    return present.one(200, value, warnings)


def apply_options(request: Request) -> WriteOptions:
    """What an apply asks for. Raises Invalid when it does not say who applies."""
    options = write_options(request, "PatchOptions")
    if not options.field_manager:
        message = "Required value: is required for apply patch"
        raise bad_option("PatchOptions", "fieldManager", "FieldValueRequired", message)
    return options


def configuration(
    cluster: Cluster, target: Target, kind: Kind, request: Request, options: WriteOptions
) -> tuple[Obj, tuple[str, ...]]:
    """The body, of that kind, as it was written, nulls and all, and warnings. Raises BadRequest, NotTyped."""
    as_yaml = replace(request, headers={**request.headers, "content-type": YAML})
    config: Obj = parse_body(request.body, kind, is_yaml=True)
    check_type(config, kind, request.body)
    config = {"apiVersion": kind.api_version, "kind": kind.name, **config}
    try:
        found = decoded(cluster.stages, kind, as_yaml, "Warn")
    except BadRequest:
        applying.check_types(schema_of(kind), config)
        raise
    if (config.get("metadata") or {}).get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    if isinstance(kind, CustomKind) or any(text.startswith(_UNKNOWN) for text in found.warnings):
        applying.check_types(schema_of(kind), config)
    check_target(target, config)
    if found.warnings and options.field_validation == "Strict":
        raise BadRequest(f"error strict decoding YAML: {', '.join(found.warnings)}")
    return config, found.warnings if options.field_validation != "Ignore" else ()
