"""The scale subresource: one shape (autoscaling/v1 Scale) for whatever has replicas."""

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.answering import document
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.conversion import seen_as, stored_as
from drumroll.apiserver.options import write_options
from drumroll.apiserver.owning import own
from drumroll.apiserver.pipeline import check_preconditions, check_target, decoded, ready_to_update
from drumroll.apiserver.routing import Target
from drumroll.apiserver.scaling_custom import custom_scale, with_replicas
from drumroll.objects.custom import CustomKind
from drumroll.objects.decode import SCALE
from drumroll.objects.errors import FieldError, invalid
from drumroll.objects.meta import Obj
from drumroll.objects.patch import apply_patch
from drumroll.objects.wire import Request, Response

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
        "status": {"replicas": status.get("replicas") or 0, "selector": _selector_text(spec.get("selector") or {})},
    }


def _selector_text(selector: Obj) -> str:
    """Source: apimachinery meta/v1 LabelSelectorAsSelector, printed."""
    parts = [f"{name}={value}" for name, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        name, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
        forms = {"In": f"{name} in ({values})", "NotIn": f"{name} notin ({values})", "Exists": name}
        parts.append(forms.get(expression["operator"], f"!{name}"))
    return ",".join(sorted(parts))


async def change_scale(cluster: Cluster, target: Target, request: Request) -> Response:
    """PUT or PATCH of the Scale. Raises BadRequest, Invalid, NotFound, Conflict."""
    is_patch = request.method == "PATCH"
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
        if isinstance(target.kind, CustomKind):
            new = with_replicas(target.kind, old, _replicas(target, scale))
        else:
            new = {**old, "spec": {**old["spec"], "replicas": _replicas(target, scale)}}
        new["metadata"] = dict(old["metadata"])
        ready_to_update(cluster.stages, Target(target.kind, target.namespace, target.name), new, old)
        own(cluster, target, new, old, options)
        return stored_as(target.kind, new)

    once = bool(sent and sent["metadata"].get("resourceVersion")) if sent else False
    outcome = await cluster.change(
        Target(target.kind, target.namespace, target.name), rescaled, dry_run=options.dry_run, once=once
    )
    return document(200, scale_of(target, orjson.loads(outcome.value)))


def _replicas(target: Target, scale: Obj) -> int:
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid("autoscaling", "Scale", target.name, [FieldError("spec.replicas", "FieldValueInvalid", message)])
    return int(replicas)
