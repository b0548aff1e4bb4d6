"""Who owns which fields of an object: metadata.managedFields, kept up to date at every write.

Source: apimachinery pkg/util/managedfields/internal (fieldmanager.go, managedfieldsupdater.go, capmanagers.go,
stripmeta.go, skipnonapplied.go) and structured-merge-diff merge/update.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from drumroll.objects.conform import conform
from drumroll.objects.custom import CustomKind
from drumroll.objects.fieldset import FieldSet, difference, is_field_set, union, without
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj
from drumroll.objects.schema import message_of
from drumroll.objects.shapes import Shape
from drumroll.objects.shapes_schema import shape_of_message, shape_of_schema
from drumroll.objects.typed import Typed, typed_message, typed_schema

MAX_UPDATERS = 10
ANCIENT = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"
OBJECT_META = "apimachinery.pkg.apis.meta.v1.ObjectMeta"
NOT_OWNED = frozenset(
    ("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
     "resourceVersion")
)  # fmt: skip
_OPERATIONS = ("Apply", "Update")
_REMEMBERED, _REMEMBERED_SIZE = 64, 8192


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, through what: `manager` is a field manager's name, `time` RFC 3339 in seconds."""

    manager: str
    subresource: str
    time: str


@dataclass(frozen=True, slots=True)
class Schema:
    """What a kind's fields are owned by: the shape of its objects, and one of them with nothing set."""

    api_version: str
    shape: Shape
    empty: Obj
    has_status: bool
    types: Typed
    made: dict[bytes, FieldSet] = field(default_factory=dict, compare=False, repr=False)
    """The fields of new objects by their content: a thousand pods of one template are looked at once."""


def schema_of(kind: Kind) -> Schema:
    """The schema of a kind of the table, or of one that a CustomResourceDefinition defines."""
    known = _SCHEMAS.get(id(kind))
    if known is not None and known[0] is kind:
        return known[1]
    if not isinstance(kind, CustomKind):
        return _SCHEMAS.setdefault(id(kind), (kind, _schema_of_message(kind)))[1]
    derived = kind.definition.derived
    if "fields" not in derived:
        metadata = shape_of_message(OBJECT_META)
        shape = shape_of_schema({**kind.definition.schema, "type": "object"}, {"metadata": metadata})
        types = typed_schema({**kind.definition.schema, "type": "object"}, _known_types())
        derived["fields"] = Schema(kind.api_version, shape, {"metadata": {}}, kind.definition.has_status, types)
    schema: Schema = derived["fields"]
    return schema


_SCHEMAS: dict[int, tuple[Kind, Schema]] = {}
"""By identity: to hash a kind takes as long as a small comparison. Kinds of the table live as long as the process."""


def _schema_of_message(kind: Kind) -> Schema:
    name = message_of(kind).name
    empty, types = conform({}, name)[0], typed_message(name)
    return Schema(kind.api_version, shape_of_message(name), empty, "status" in kind.subresources, types)


def _known_types() -> dict[str, Typed]:
    """The types of what the schema of a custom resource need not describe."""
    return {"metadata": typed_message(OBJECT_META), "apiVersion": Typed("string"), "kind": Typed("string")}


def identity(entry: Obj) -> tuple[str, str, str, str]:
    """What two entries of the same manager have in common; appliers are one in all versions."""
    version = "" if entry["operation"] == "Apply" else entry["apiVersion"]
    return entry.get("manager", ""), entry["operation"], version, entry.get("subresource", "")


def track(schema: Schema, writer: Writer, new: Obj, old: Obj | None) -> None:
    """Set, in place, the managedFields of `new`, which `writer` makes of `old` (None: creates it).

    Not for applies. What the client sent as managedFields counts when it can be read; `[{}]` forgets all owners.
    """
    metadata = new["metadata"]
    before = old["metadata"].get("managedFields") if old is not None else None
    sent = metadata.get("managedFields")
    entries = before if writer.subresource else _sent_or_live(sent, before)
    if old is not None and not entries:
        metadata.pop("managedFields", None)
        return
    if old is None:
        claimed: FieldSet = fields_of_new(schema, new)
        removed: FieldSet = {}
    else:
        claimed, removed = object_changes(schema, old, new)
    claimed = ignored_out(schema, writer.subresource, claimed)
    if claimed or removed:
        entries = _with_update(entries or [], schema, writer, claimed, union(claimed, removed))
    put_entries(metadata, entries or [])


def _sent_or_live(sent: Any, live: list[Obj] | None) -> list[Obj] | None:
    if sent is live or sent == live:
        return live
    if sent == [{}]:
        return None
    if not sent or not is_readable(sent) or not all(is_field_set(entry.get("fieldsV1") or {}) for entry in sent):
        return live
    found: list[Obj] = sent
    return found


def is_readable(entries: Sequence[Obj]) -> bool:
    """Whether all entries say what managedFields must say."""
    return all(
        entry.get("operation") in _OPERATIONS
        and entry.get("apiVersion")
        and entry.get("fieldsType") == "FieldsV1"
        and isinstance(entry.get("fieldsV1") or {}, dict)
        for entry in entries
    )


def put_entries(metadata: Obj, entries: list[Obj]) -> None:
    """Set or, when nobody owns anything, take away an object's managedFields."""
    if entries:
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)


def object_changes(schema: Schema, old: Obj, new: Obj) -> tuple[FieldSet, FieldSet]:
    """What the new object has that the old one has not, or otherwise; and what it has no more."""
    before, after = _owned_part(old, new)
    if not before and not after:
        return {}, {}
    claimed, removed = schema.shape.changes(before, after)
    return claimed or {}, removed or {}


def fields_of_new(schema: Schema, obj: Obj) -> FieldSet:
    """All fields that an object has set."""
    before, after = _owned_part(schema.empty, obj)
    content = orjson.dumps(after)
    known = schema.made.get(content)
    if known is None:
        known = schema.shape.changes(before, after)[0] or {} if after else {}
        if len(content) <= _REMEMBERED_SIZE:
            if len(schema.made) >= _REMEMBERED:
                schema.made.clear()
            schema.made[content] = known
    return known


def _owned_part(old: Obj, new: Obj) -> tuple[Obj, Obj]:
    """Those parts of both objects that differ, without what nobody owns."""
    before: Obj = {}
    after: Obj = {}
    for name in {**old, **new}:
        if name in ("apiVersion", "kind"):
            continue
        one, other = old.get(name), new.get(name)
        if one == other and (name in old) == (name in new):
            continue
        if name == "metadata":
            one = {key: value for key, value in (one or {}).items() if key not in NOT_OWNED}
            other = {key: value for key, value in (other or {}).items() if key not in NOT_OWNED}
            if one == other:
                continue
        if name in old or name == "metadata":
            before[name] = one
        if name in new or name == "metadata":
            after[name] = other
    return before, after


def ignored_out(schema: Schema, subresource: str, fields: FieldSet) -> FieldSet:
    """The set without what a write to the object or to this subresource of it resets."""
    if subresource == "status":
        return without(fields, ("f:spec",))
    if not subresource and schema.has_status and "f:status" in fields:
        return without(fields, ("f:status",))
    return fields


def _with_update(entries: list[Obj], schema: Schema, writer: Writer, claimed: FieldSet, touched: FieldSet) -> list[Obj]:
    """The entries after an update: the writer has what it set, and nobody what it touched else."""
    mine = (writer.manager or "unknown", "Update", schema.api_version, writer.subresource)
    kept: list[Obj] = []
    own: Obj | None = None
    for entry in entries:
        if identity(entry) == mine:
            own = entry
            continue
        left = entry
        if entry["apiVersion"] == schema.api_version:
            left = with_fields(entry, difference(entry.get("fieldsV1") or {}, touched))
        if left.get("fieldsV1"):
            kept.append(left)
    before: FieldSet = (own or {}).get("fieldsV1") or {}
    after = union(difference(before, touched), claimed)
    if claimed:
        own = new_entry(mine, schema.api_version, writer.time, after)
    elif own is not None:
        own = with_fields(own, after)
    if own is not None and own.get("fieldsV1"):
        kept.append(own)
    return capped(sort_entries(kept))


def with_fields(entry: Obj, fields: FieldSet) -> Obj:
    """The entry with other fields; the entry itself when they are the same."""
    return entry if fields is entry.get("fieldsV1") else {**entry, "fieldsV1": fields}


def new_entry(who: tuple[str, str, str, str], api_version: str, time: str, fields: FieldSet) -> Obj:
    """An entry; an empty `time` is left out."""
    manager, operation, _, subresource = who
    entry: Obj = {"manager": manager, "operation": operation, "apiVersion": api_version}
    if time:
        entry["time"] = time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = fields
    if subresource:
        entry["subresource"] = subresource
    return entry


def sort_entries(entries: list[Obj]) -> list[Obj]:
    """Entries by operation, time and name."""
    return sorted(entries, key=_place)


def _place(entry: Obj) -> tuple[str, str, str, str, str]:
    """Entries come by operation, time and name."""
    return (
        entry["operation"],
        entry.get("time") or "",
        entry.get("manager", ""),
        entry["apiVersion"],
        entry.get("subresource", ""),
    )


def capped(entries: list[Obj]) -> list[Obj]:
    """The sorted entries, of which at most ten are updates: the oldest of one version become one."""
    if len(entries) <= MAX_UPDATERS:
        return entries
    updates = [entry for entry in entries if entry["operation"] == "Update"]
    spare = len(updates) - MAX_UPDATERS
    if spare <= 0:
        return entries
    kept = {id(entry): entry for entry in entries}
    first: dict[str, Obj] = {}
    buckets = {e["apiVersion"]: e for e in updates if e.get("manager") == ANCIENT and not e.get("subresource")}
    for entry in updates:
        if spare <= 0:
            break
        version = entry["apiVersion"]
        if version not in first:
            first[version] = entry
            continue
        bucket = buckets.get(version, first[version])
        who = (ANCIENT, "Update", version, "")
        merged = new_entry(who, version, entry.get("time") or "", union(bucket["fieldsV1"], entry["fieldsV1"]))
        for gone in (bucket, first[version], entry) if bucket is first[version] else (bucket, entry):
            kept.pop(id(gone), None)
        buckets[version] = kept[id(merged)] = merged
        spare -= 1
    return sorted(kept.values(), key=_place)


def same_but_for_times(one: Sequence[Obj] | None, other: Sequence[Obj] | None) -> bool:
    """Whether two lists of entries say the same of fields; when is no matter."""

    def timeless(entries: Sequence[Obj] | None) -> list[Any]:
        return sorted(
            ({key: value for key, value in entry.items() if key != "time"} for entry in entries or ()),
            key=identity,
        )

    return timeless(one) == timeless(other)
