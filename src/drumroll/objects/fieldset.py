"""Sets of fields in the form in which managedFields keep them (FieldsV1): nested objects whose keys tell what they are.

`f:name` is a field, `k:{"name":"web"}` an item of a list by its keys, `v:"x"` an item of a set by its value, `i:0` an
item by its place. A node is itself in the set when it is empty or has the key `.`. The root is never in the set: an
empty root is the empty set. Functions change no argument, and give back an argument itself when nothing changes.

Source: structured-merge-diff fieldpath/serialize.go, set.go.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import orjson

FieldSet: TypeAlias = dict[str, Any]

_SELF: FieldSet = {".": {}}
_ORDER = {".": 0, "f": 1, "k": 2, "v": 3, "i": 4}


def is_member(node: FieldSet) -> bool:
    """Whether the path that ends in this node (not the root) is in the set."""
    return not node or "." in node


def union(one: FieldSet, other: FieldSet) -> FieldSet:
    """What is in either set."""
    if not one:
        return other
    return _union(one, other) if other else one


def _union(one: FieldSet, other: FieldSet) -> FieldSet:
    if one is other:
        return one
    if not one:
        return other if is_member(other) else {".": {}, **other}
    if not other:
        return one if "." in one else {".": {}, **one}
    out = dict(one)
    for key, below in other.items():
        out[key] = _union(out[key], below) if key in out else below
    return out


def difference(one: FieldSet, other: FieldSet) -> FieldSet:
    """What is in the first set and not in the second."""
    if not one or not other:
        return one
    return _difference(one, other) or {}


def _difference(one: FieldSet, other: FieldSet) -> FieldSet | None:
    if not one:
        return None if is_member(other) else one
    out: FieldSet | None = None
    for key, below in (other or _SELF).items():
        before = one.get(key)
        if before is None:
            continue
        rest = _difference(before, below)
        if rest is before:
            continue
        if out is None:
            out = dict(one)
        if rest is None:
            del out[key]
        else:
            out[key] = rest
    if out is None:
        return one
    return _tidy(out)


def intersection(one: FieldSet, other: FieldSet) -> FieldSet:
    """What is in both sets."""
    if not one or not other:
        return {}
    return _intersection(one, other) or {}


def _intersection(one: FieldSet, other: FieldSet) -> FieldSet | None:
    if not one:
        return {} if is_member(other) else None
    if not other:
        return {} if "." in one else None
    out: FieldSet = {}
    for key, below in one.items():
        if key in other:
            found = _intersection(below, other[key])
            if found is not None:
                out[key] = found
    return _tidy(out)


def _tidy(node: FieldSet) -> FieldSet | None:
    """A node in its one form: None when nothing of it is in the set, {} when only it is."""
    if len(node) == 1 and "." in node:
        return {}
    return node or None


def without(fields: FieldSet, *paths: tuple[str, ...]) -> FieldSet:
    """The set less everything at and below the paths, whose elements are keys such as `f:status`."""
    for path in paths:
        fields = _cut(fields, path) or {}
    return fields


def _cut(node: FieldSet, path: tuple[str, ...]) -> FieldSet | None:
    key = path[0]
    if key not in node:
        return node
    out = dict(node)
    rest = _cut(out[key], path[1:]) if len(path) > 1 else None
    if rest is None:
        del out[key]
    else:
        out[key] = rest
    return _tidy(out)


def paths(fields: FieldSet, before: str = "") -> Iterator[str]:
    """The paths of all members as messages print them, in order: `.spec.template.spec.containers[name="web"].image`."""
    keys = sorted((key for key in fields if key != "."), key=lambda key: (_ORDER.get(key[0], 5), key))
    for key in keys:
        if is_member(fields[key]):
            yield before + printed(key)
    for key in keys:
        if fields[key]:
            yield from paths(fields[key], before + printed(key))


def is_field_set(value: Any) -> bool:
    """Whether a JSON value is a set of fields: maps all the way down, whose keys are elements of paths."""
    if type(value) is not dict:
        return False
    return all((key == "." or _is_element(key)) and is_field_set(below) for key, below in value.items())


def _is_element(key: str) -> bool:
    form, _, rest = key.partition(":")
    if form == "f":
        return ":" in key
    try:
        item = orjson.loads(rest)
    except orjson.JSONDecodeError:
        return False
    return form == "v" or (form == "k" and type(item) is dict) or (form == "i" and type(item) is int)


def printed(key: str) -> str:
    """One element of a path: `.image`, `[name="web"]`, `[="x"]`, `[0]`."""
    form, _, rest = key.partition(":")
    if form == "f":
        return f".{rest}"
    if form == "k":
        facts = orjson.loads(rest)
        return f"[{','.join(f'{name}={_value(facts[name])}' for name in sorted(facts))}]"
    return f"[={_value(orjson.loads(rest))}]" if form == "v" else f"[{rest}]"


def _value(value: Any) -> str:
    return orjson.dumps(value).decode()
