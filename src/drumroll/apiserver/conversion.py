"""The two Event kinds are two views of one stored object. Source: pkg/apis/events/v1/conversion.go."""

import orjson

from drumroll.apiserver import codec
from drumroll.objects.kinds import EVENT, EVENTS_EVENT, Kind
from drumroll.objects.meta import Obj

_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_BACK = {new: old for old, new in _RENAMED.items()}
_OPTIONAL = ("reportingComponent", "reportingInstance", "message", "deprecatedSource")


def seen_as(kind: Kind, stored: Obj) -> Obj:
    """A stored object as `kind` shows it."""
    if kind is not EVENTS_EVENT:
        return stored
    shown = {_RENAMED.get(name, name): value for name, value in stored.items()}
    for name in ("reportingController", "reportingInstance", "note"):
        if shown.get(name) == "":
            del shown[name]
    shown["apiVersion"] = kind.api_version
    shown.setdefault("regarding", {})
    return shown


def stored_as(kind: Kind, obj: Obj) -> Obj:
    """An object of `kind` as it is stored."""
    if kind is not EVENTS_EVENT:
        return obj
    stored = {_BACK.get(name, name): value for name, value in obj.items()}
    stored["apiVersion"] = EVENT.api_version
    for name, empty in (("source", {}), ("firstTimestamp", None), ("lastTimestamp", None)):
        stored.setdefault(name, empty)
    for name in ("reportingComponent", "reportingInstance"):
        stored.setdefault(name, "")
    return stored


def storage_kind(kind: Kind) -> Kind:
    """The kind as which objects of `kind` are stored."""
    return EVENT if kind is EVENTS_EVENT else kind


def value_as(kind: Kind, value: bytes) -> bytes:
    """A stored value as `kind` shows it; the same bytes for all kinds but one."""
    if kind is not EVENTS_EVENT:
        return value
    obj = seen_as(kind, orjson.loads(value))
    revision = int(obj["metadata"]["resourceVersion"])
    return codec.draft(kind, obj).at(revision)
