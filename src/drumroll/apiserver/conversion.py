"""Kinds that are two views of one stored object: Events, and autoscalers of two versions.

Source: pkg/apis/events/v1/conversion.go.
"""

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.custom_versions import custom_seen, custom_stored, custom_value
from drumroll.domain.autoscaler_versions import to_v1, to_v2
from drumroll.domain.defaults import set_defaults
from drumroll.objects.custom import CustomKind, stored_kind
from drumroll.objects.kinds import (
    EVENT,
    EVENTS_EVENT,
    HORIZONTAL_POD_AUTOSCALER,
    HORIZONTAL_POD_AUTOSCALER_V1,
    STORED_AS,
    Kind,
)
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


def seen_as(kind: Kind, stored: Obj) -> Obj:
    """A stored object as `kind` shows it."""
    if isinstance(kind, CustomKind):
        return custom_seen(kind, stored)
    if kind is HORIZONTAL_POD_AUTOSCALER_V1:
        return to_v1(stored)
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
    if isinstance(kind, CustomKind):
        return custom_stored(kind, obj)
    if kind is HORIZONTAL_POD_AUTOSCALER_V1:
        converted = to_v2(obj)
        set_defaults(HORIZONTAL_POD_AUTOSCALER, converted)
        return converted
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
    return stored_kind(kind)


def value_as(kind: Kind, value: bytes) -> bytes:
    """A stored value as `kind` shows it; the same bytes for kinds that are stored themselves."""
    if isinstance(kind, CustomKind):
        return custom_value(kind, value)
    if kind not in STORED_AS:
        return value
    obj = seen_as(kind, orjson.loads(value))
    if "resourceVersion" not in obj["metadata"]:  # of a dry run
        return codec.without_revision(kind, codec.draft(kind, obj))
    revision = int(obj["metadata"]["resourceVersion"])
    return codec.draft(kind, obj).at(revision)
