"""What a write of a custom resource may not touch, and how its generation grows.

Source: apiextensions pkg/registry/customresource/strategy.go and status_strategy.go.
"""

from drumroll.domain.custom.defaults import set_custom_defaults
from drumroll.objects.custom import CustomKind
from drumroll.objects.meta import Obj

_IDENTITY = ("apiVersion", "kind", "metadata")


def prepare_custom_create(kind: CustomKind, obj: Obj) -> None:
    """Drop, in place, a status where that is a subresource, but for its default, and start the generation."""
    if kind.definition.has_status:
        obj.pop("status", None)
        if "default" in ((kind.definition.schema.get("properties") or {}).get("status") or {}):
            set_custom_defaults(kind, obj)
    obj["metadata"]["generation"] = 1


def prepare_custom_update(kind: CustomKind, new: Obj, old: Obj) -> None:
    """Keep, in place, the status where that is a subresource; a change of anything but metadata and status counts."""
    ignored: tuple[str, ...] = _IDENTITY
    if kind.definition.has_status:
        if "status" in old:
            new["status"] = old["status"]
        else:
            new.pop("status", None)
        ignored = (*_IDENTITY, "status")
    if _content(new, ignored) != _content(old, ignored):
        new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1


def _content(obj: Obj, ignored: tuple[str, ...]) -> Obj:
    return {name: value for name, value in obj.items() if name not in ignored}
