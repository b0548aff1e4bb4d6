"""The scale subresource: one shape (autoscaling/v1 Scale) for whatever has replicas."""

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.answering import document
from drumroll.apiserver.applying import apply_options, configuration
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.conversion import seen_as, stored_as
from drumroll.apiserver.options import write_options
from drumroll.apiserver.owning import own, writer
from drumroll.apiserver.pipeline import check_preconditions, check_target, decoded, ready_to_update
from drumroll.apiserver.routing import Target
from drumroll.apiserver.scaling_custom import custom_scale, with_replicas
from drumroll.apiserver.writing import updated
from drumroll.domain.apply import apply as applied
from drumroll.domain.managed_fields import schema_of
from drumroll.objects.custom import CustomKind
from drumroll.objects.decode import SCALE
from drumroll.objects.errors import FieldError, invalid
from drumroll.objects.meta import Obj
from drumroll.objects.patch import apply_patch
from drumroll.objects.selectors import selector_text
from drumroll.objects.wire import APPLY_PATCH, Request, Response

_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def get_scale(cluster: Cluster, target: Target) -> Response:
    """The Scale of an object. Raises NotFound."""
    return document(200, scale_of(target, seen_as(target.kind, codec.decode(cluster.find(target)))))


def scale_of(target: Target, obj: Obj) -> Obj:
    """The Scale view of an object with spec.replicas and a label selector."""
    if isinstance(target.kind, CustomKind):
        return custom_scale(target.kind, obj)
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    wanted = spec.get("replicas") or 0
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in _COPIED if name in metadata},
        "spec": {"replicas": wanted} if wanted else {},
        "status": {"replicas": status.get("replicas") or 0, "selector": selector_text(spec.get("selector") or {})},
    }


async def change_scale(cluster: Cluster, target: Target, request: Request) -> Response:
    """PUT or PATCH of the Scale. Raises BadRequest, Invalid, NotFound, Conflict."""
    is_patch = request.method == "PATCH"
    if is_patch and request.headers.get("content-type", "").partition(";")[0] == APPLY_PATCH:
        return await _apply_scale(cluster, target, request)
    options = write_options(request, "PatchOptions" if is_patch else "UpdateOptions")
    sent = None if is_patch else decoded(cluster.stages, SCALE, request, options.field_validation).obj
    content_type = request.headers.get("content-type", "")

    def rescaled(old: Obj) -> Obj:
        old = seen_as(target.kind, old)
        scale = sent
        if scale is None:
            before = scale_of(target, old)
            scale = apply_patch(SCALE, before, request.body, content_type, options.field_validation).obj
        check_target(target, scale)
        metadata = scale["metadata"]
        check_preconditions(target, old, metadata.get("uid") or "", metadata.get("resourceVersion") or "")
        new = _with_replicas(target, old, _replicas(target, scale))
        new["metadata"] = dict(old["metadata"])
        ready_to_update(cluster.stages, Target(target.kind, target.namespace, target.name), new, old)
        own(cluster, target, new, old, options)
        return stored_as(target.kind, new)

    once = bool(sent and sent["metadata"].get("resourceVersion")) if sent else False
    outcome = await cluster.change(
        Target(target.kind, target.namespace, target.name), rescaled, dry_run=options.dry_run, once=once
    )
    return document(200, scale_of(target, orjson.loads(outcome.value)))


async def _apply_scale(cluster: Cluster, target: Target, request: Request) -> Response:
    """A Scale applied by server: its replicas are the applied field of the object. Raises BadRequest, Conflict."""
    options = apply_options(request)
    scale, _ = configuration(cluster, target, SCALE, request, options)
    whole = Target(target.kind, target.namespace, target.name)

    def rescaled(old: Obj) -> Obj:
        live = seen_as(target.kind, old)
        check_preconditions(target, old, scale["metadata"].get("uid") or "", "")
        config: Obj = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": {"name": target.name}}
        if "replicas" in (scale.get("spec") or {}):
            config = _with_replicas(target, config, _replicas(target, scale))
        who = writer(cluster, target, options)
        found = applied(schema_of(target.kind), who, live, config, force=options.force)
        return updated(cluster, whole, found.obj, live, options, found.entries)

    outcome = await cluster.change(whole, rescaled, dry_run=options.dry_run)
    return document(200, scale_of(target, orjson.loads(outcome.value)))


def _with_replicas(target: Target, obj: Obj, replicas: int) -> Obj:
    if isinstance(target.kind, CustomKind):
        return with_replicas(target.kind, obj, replicas)
    return {**obj, "spec": {**(obj.get("spec") or {}), "replicas": replicas}}


def _replicas(target: Target, scale: Obj) -> int:
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid("autoscaling", "Scale", target.name, [FieldError("spec.replicas", "FieldValueInvalid", message)])
    return int(replicas)
