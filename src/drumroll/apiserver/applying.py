"""Server-side apply, as far as it goes without field ownership: create, or merge what was applied."""

from dataclasses import replace

from drumroll.apiserver import codec
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.conversion import seen_as
from drumroll.apiserver.failures import bad_option
from drumroll.apiserver.negotiation import YAML
from drumroll.apiserver.options import write_options
from drumroll.apiserver.pipeline import check_preconditions, check_target, decoded
from drumroll.apiserver.reading import presenter
from drumroll.apiserver.routing import Target
from drumroll.apiserver.writing import change_object, create_object, updated
from drumroll.objects.errors import BadRequest
from drumroll.objects.meta import Obj
from drumroll.objects.patch import apply_patch
from drumroll.objects.wire import STRATEGIC_MERGE_PATCH, Request, Response


async def apply(cluster: Cluster, target: Target, request: Request) -> Response:
    """The applied object: 201 when it is new. Raises BadRequest, Invalid."""
    import orjson

    present = presenter(cluster, target, request)
    options = write_options(request, "PatchOptions")
    if not options.field_manager:
        message = "Required value: is required for apply patch"
        raise bad_option("PatchOptions", "fieldManager", "FieldValueRequired", message)
    as_yaml = replace(request, headers={**request.headers, "content-type": YAML})
    found = decoded(cluster.stages, target.kind, as_yaml, options.field_validation)
    metadata = found.obj.get("metadata") or {}
    if metadata.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    check_target(target, found.obj)
    if cluster.store.get(codec.collection(target.kind), target.key) is None and not target.subresource:
        return present.one(201, await create_object(cluster, target, found.obj, options), found.warnings)
    body = orjson.dumps(found.obj)

    def applied(old: Obj) -> Obj:
        shown = seen_as(target.kind, old)
        merged = apply_patch(target.kind, shown, body, STRATEGIC_MERGE_PATCH, "Ignore").obj
        check_preconditions(target, old, "", metadata.get("resourceVersion") or "")
        return updated(cluster, target, merged, orjson.loads(orjson.dumps(seen_as(target.kind, old))))

    value = await change_object(cluster, target, applied, dry_run=options.dry_run)
    return present.one(200, value, found.warnings)
