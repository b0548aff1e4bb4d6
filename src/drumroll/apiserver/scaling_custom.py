"""The scale of a custom resource: replicas and selector stand where its definition says."""

from typing import Any

from drumroll.objects.custom import CustomKind
from drumroll.objects.errors import BadRequest
from drumroll.objects.meta import Obj

_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def custom_scale(kind: CustomKind, obj: Obj) -> Obj:
    """The Scale view of a custom resource."""
    paths, metadata = kind.definition.scale or {}, obj["metadata"]
    wanted = _number(_at(obj, paths.get("specReplicasPath") or ""))
    status: Obj = {"replicas": _number(_at(obj, paths.get("statusReplicasPath") or ""))}
    selector = _at(obj, paths.get("labelSelectorPath") or "")
    if isinstance(selector, str) and selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in _COPIED if name in metadata},
        "spec": {"replicas": wanted} if wanted else {},
        "status": status,
    }


def with_replicas(kind: CustomKind, obj: Obj, replicas: int) -> Obj:
    """A copy of the object that wants so many replicas."""
    names = ((kind.definition.scale or {}).get("specReplicasPath") or "").strip(".").split(".")
    return _put(obj, names, replicas)


def _put(obj: Any, names: list[str], value: int) -> Obj:
    if not isinstance(obj, dict):
        raise BadRequest(f"the object has no {names[0]} to set")
    if len(names) == 1:
        return {**obj, names[0]: value}
    return {**obj, names[0]: _put(obj.get(names[0], {}), names[1:], value)}


def _at(obj: Obj, path: str) -> Any:
    value: Any = obj
    for name in filter(None, path.split(".")):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _number(value: Any) -> int:
    """The value as a count; what cannot be one counts as none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and abs(value) < 1 << 31 else 0
