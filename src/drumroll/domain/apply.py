"""Server-side apply: an applied configuration merged into a live object, with what its manager no longer applies gone.

Source: structured-merge-diff merge/update.go (Apply, prune); apimachinery pkg/util/managedfields/internal
(lastapplied.go, lastappliedupdater.go, conflict.go, skipnonapplied.go).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from drumroll.domain.managed_fields import (
    BEFORE_FIRST_APPLY,
    NOT_OWNED,
    Schema,
    Writer,
    capped,
    fields_of_new,
    identity,
    ignored_out,
    is_readable,
    new_entry,
    object_changes,
    sort_entries,
    with_fields,
)
from drumroll.objects.errors import Conflict, InternalError
from drumroll.objects.fieldset import FieldSet, difference, intersection, paths, union, without
from drumroll.objects.meta import Obj, annotations_of
from drumroll.objects.shapes import BadItem, Shape
from drumroll.objects.typed import mismatches

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MAX_ANNOTATIONS = 256 * 1024
_NOT_OWNED = (("f:apiVersion",), ("f:kind",), *(("f:metadata", f"f:{name}") for name in sorted(NOT_OWNED)))


class NotTyped(InternalError):
    """The configuration does not fit the schema. The original answers 500 and gives no reason."""

    reason = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """The merged object (not yet checked against its schema), and who owns what now."""

    obj: Obj
    entries: list[Obj]


def apply(schema: Schema, writer: Writer, live: Obj, config: Obj, *, force: bool = False) -> Applied:
    """`config` applied to `live` (an object with nothing set when there is none) by `writer`.

    Raises Conflict when fields that others own would change and `force` is not set; NotTyped.
    """
    entries = _entries_of(schema, writer, live)
    try:
        applied = _apply(schema, writer, live, config, entries, force)
    except _Conflicts as conflicts:
        allowed = _client_side_applied(schema, live) if writer.manager == "kubectl" else {}
        left = [(entry, rest) for entry, fields in conflicts.found if (rest := difference(fields, allowed))]
        if left:
            raise _conflict(left) from conflicts
        applied = _apply(schema, writer, live, config, entries, force=True)
    if writer.manager == "kubectl" and LAST_APPLIED in annotations_of(applied.obj):
        return replace(applied, obj=_with_last_applied(applied.obj, config))
    return applied


class _Conflicts(Exception):
    def __init__(self, found: list[tuple[Obj, FieldSet]]) -> None:
        super().__init__("conflicts")
        self.found = found


def _entries_of(schema: Schema, writer: Writer, live: Obj) -> list[Obj]:
    """The live object's entries; when it has none, all that it has belongs to whoever was before the first apply."""
    entries: list[Obj] = live["metadata"].get("managedFields") or []
    if entries and is_readable(entries):
        return entries
    claimed = ignored_out(schema, writer.subresource, fields_of_new(schema, live))
    who = (BEFORE_FIRST_APPLY, "Update", schema.api_version, writer.subresource)
    return [new_entry(who, schema.api_version, writer.time, claimed)] if claimed else []


def applied_fields(schema: Schema, writer: Writer, config: Obj) -> FieldSet:
    """The fields that a configuration speaks of. Raises NotTyped."""
    try:
        fields = schema.shape.applied(config) or {}
    except BadItem as error:
        check_types(schema, config)
        raise NotTyped(_typed_failure(config, str(error))) from error
    return ignored_out(schema, writer.subresource, fields)


def check_types(schema: Schema, config: Obj) -> None:
    """Nothing, when all values of a configuration have the types of its schema. Raises NotTyped."""
    found = mismatches(schema.types, config)
    if found:
        raise NotTyped(_typed_failure(config, found[0] if len(found) == 1 else "\n  ".join(("errors:", *found))))


def _typed_failure(config: Obj, why: str) -> str:
    """The original's words for a configuration that does not fit its schema."""
    found = config.get("metadata")
    metadata = found if isinstance(found, dict) else {}
    name = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"
    version = config.get("apiVersion") or ""
    version = version if "/" in version else f"/{version}"
    return f"failed to create typed patch object ({name}; {version}, Kind={config.get('kind')}): {why}"


def _apply(schema: Schema, writer: Writer, live: Obj, config: Obj, entries: list[Obj], force: bool) -> Applied:
    shape = schema.shape
    mine = (writer.manager or "unknown", "Apply", "", writer.subresource)
    spoken_of = applied_fields(schema, writer, config)
    others = [entry for entry in entries if identity(entry) != mine]
    last = next((entry for entry in entries if identity(entry) == mine), None)
    merged = shape.merge(live, config)
    if last is not None and last.get("fieldsV1"):
        owned = [spoken_of, *(entry.get("fieldsV1") or {} for entry in others)]
        merged = _pruned(shape, merged, last["fieldsV1"], owned)
    claimed, removed = object_changes(schema, live, merged)
    claimed = ignored_out(schema, writer.subresource, claimed)
    is_same = not claimed and not removed
    kept = _taken_from(schema, others, claimed, removed, force)
    fields = without(spoken_of, *_NOT_OWNED)
    if fields:  # an apply that changes nothing sets no time, not even its first one
        time = (last or {}).get("time") or "" if is_same else writer.time
        kept.append(new_entry(mine, schema.api_version, time, fields))
    return Applied(merged, capped(sort_entries(kept)))


def _taken_from(schema: Schema, others: list[Obj], claimed: FieldSet, removed: FieldSet, force: bool) -> list[Obj]:
    """The entries of others without what changed. Raises _Conflicts when they own what was set."""
    conflicts = []
    for entry in others:
        found = intersection(entry.get("fieldsV1") or {}, claimed)
        if found and entry["apiVersion"] == schema.api_version:
            conflicts.append((entry, found))
    if conflicts and not force:
        raise _Conflicts(conflicts)
    touched = union(claimed, removed)
    left = [
        with_fields(entry, difference(entry.get("fieldsV1") or {}, touched))
        if entry["apiVersion"] == schema.api_version
        else entry
        for entry in others
    ]
    return [entry for entry in left if entry.get("fieldsV1")]


def _pruned(shape: Shape, merged: Obj, last: FieldSet, owned: list[FieldSet]) -> Obj:
    """The merged object without what the manager applied last time, and neither it nor anybody else owns now.

    A field of a struct counts as owned when anything below it is; an item of a list only when it is itself.
    """
    doomed = shape.named(last)
    for fields in owned:
        doomed = difference(doomed, shape.named(fields))
    rest: Obj = shape.remove(merged, doomed) if doomed else merged
    return rest


def _client_side_applied(schema: Schema, live: Obj) -> FieldSet:
    """What `kubectl apply` without --server-side set and nobody changed since: kubectl may take it over."""
    text = annotations_of(live).get(LAST_APPLIED)
    try:
        last = orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(last, dict) or last.get("apiVersion") != schema.api_version:
        return {}
    try:
        fields = schema.shape.applied(last) or {}
    except BadItem:
        return {}
    for changed in schema.shape.changes(last, live):
        fields = difference(fields, changed or {})
    return fields


def _with_last_applied(obj: Obj, config: Obj) -> Obj:
    """The object with the annotation that keeps client-side apply informed; emptied when it would be too long."""
    clean = {**config, "metadata": dict(config.get("metadata") or {})}
    clean["metadata"].pop("managedFields", None)
    annotations = {k: v for k, v in (clean["metadata"].get("annotations") or {}).items() if k != LAST_APPLIED}
    clean["metadata"].pop("annotations", None)
    if annotations:
        clean["metadata"]["annotations"] = annotations
    text = orjson.dumps(clean, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    kept = {**annotations_of(obj), LAST_APPLIED: text}
    if sum(len(name) + len(str(value)) for name, value in kept.items()) > _MAX_ANNOTATIONS:
        kept[LAST_APPLIED] = ""
    return {**obj, "metadata": {**obj["metadata"], "annotations": kept}}


def _conflict(found: list[tuple[Obj, FieldSet]]) -> Conflict:
    """All conflicts in one error."""
    named = sorted(
        ((_printed_manager(entry), list(paths(fields))) for entry, fields in found), key=lambda pair: pair[0]
    )
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": path}
        for manager, fields in named
        for path in fields
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = [
            line
            for manager, fields in named
            for line in (f"conflicts with {manager}:", *(f"- {path}" for path in fields))
        ]
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return Conflict(message, {"causes": causes})


def _printed_manager(entry: Mapping[str, Any]) -> str:
    text = orjson.dumps(entry.get("manager", "")).decode()
    if entry.get("subresource"):
        text += f" with subresource {orjson.dumps(entry['subresource']).decode()}"
    return text if entry["operation"] == "Apply" else f"{text} using {entry['apiVersion']}"
