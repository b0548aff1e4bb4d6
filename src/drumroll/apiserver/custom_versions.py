"""Stored custom resources as each version shows them. Conversion changes apiVersion alone.

An object that was written under the present schema is what it is; an older one is pruned and defaulted as it is read.
Source: apiextensions pkg/apiserver/customresource_handler.go.
"""

import orjson

from drumroll.apiserver import codec
from drumroll.domain.custom.defaults import set_custom_defaults
from drumroll.objects.custom import CustomKind, stored_kind
from drumroll.objects.custom_body import pruned
from drumroll.objects.meta import Obj


def custom_seen(kind: CustomKind, stored: Obj) -> Obj:
    """A stored object as `kind` shows it."""
    revision = int(stored["metadata"].get("resourceVersion") or 0)
    if stored["apiVersion"] == kind.api_version and revision > kind.definition.since:
        return stored
    shown, _ = pruned(stored, kind)
    set_custom_defaults(kind, shown)
    return shown


def custom_stored(kind: CustomKind, obj: Obj) -> Obj:
    """An object of `kind` as it is stored."""
    return {**obj, "apiVersion": stored_kind(kind).api_version}


def custom_value(kind: CustomKind, value: bytes) -> bytes:
    """A stored value as `kind` shows it."""
    start = codec.head(kind).revision
    if value.startswith(start):
        revision = int(value[len(start) : value.index(b'"', len(start))])
        if revision > kind.definition.since:
            return value
    shown = custom_seen(kind, orjson.loads(value))
    draft = codec.draft(kind, shown)
    if not shown["metadata"].get("resourceVersion"):  # of a dry run
        return codec.without_revision(kind, draft)
    return draft.at(int(shown["metadata"]["resourceVersion"]))
