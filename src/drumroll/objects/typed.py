"""Whether the values of an applied configuration have the types of their schema, in the original's words.

Source: structured-merge-diff typed/validate.go and typed/helpers.go, kube-openapi pkg/schemaconv.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from drumroll.objects.fieldset import printed
from drumroll.objects.gotext import go_syntax, go_type, go_value
from drumroll.objects.schema import Field, is_message, message
from drumroll.objects.shapes import LEAF, Listed
from drumroll.objects.shapes_schema import KEY_DEFAULTS


@dataclass(frozen=True, slots=True)
class Typed:
    """A type. `child` gives the type of a map's value by its key, None for a field that is not declared."""

    atom: str
    child: Callable[[str], "Typed | None"] = lambda _: None
    listed: Listed | None = None


ANY = Typed("any")
_SCALARS = {
    "string": "string", "bytes": "string", "time": "string", "microtime": "string", "bool": "boolean",
    "int32": "numeric", "int64": "numeric", "double": "numeric", "intstr": "scalar", "quantity": "scalar",
}  # fmt: skip
_OF_SCHEMA = {"string": "string", "integer": "numeric", "number": "numeric", "boolean": "boolean"}


def mismatches(type_: Typed, value: Any) -> list[str]:
    """What does not fit, each with its path, in the order of the document."""
    return [f"{path}: {why}" if path else why for path, why in _found(type_, value, "")]


def _found(type_: Typed, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if value is None or type_.atom == "any":
        return
    if type_.atom == "list":
        if type(value) is not list:
            yield path, f"expected list, got &{{{go_value(value)}}}"
        else:
            yield from _items(type_, value, path)
    elif type_.atom == "map":
        if type(value) is not dict:
            yield path, f"expected map, got &{{{go_value(value)}}}"
            return
        for key, item in value.items():
            child = type_.child(key)
            if child is None:
                yield f"{path}.{key}", "field not declared in schema"
            else:
                yield from _found(child, item, f"{path}.{key}")
    elif why := _scalar(type_.atom, value):
        yield path, why


def _scalar(atom: str, value: Any) -> str:
    is_number = type(value) in (int, float)
    if atom == "numeric" and not is_number:
        return f"expected numeric (int or float), got {go_type(value)}"
    if atom == "string" and type(value) is not str:
        return f"expected string, got &value.valueUnstructured{{Value:{go_syntax(value)}}}"
    if atom == "boolean" and type(value) is not bool:
        return f"expected boolean, got &{{{go_value(value)}}}"
    if atom == "scalar" and type(value) in (dict, list):
        return f"expected any scalar, got &{{{go_value(value)}}}"
    return ""


def _items(type_: Typed, items: list[Any], path: str) -> Iterator[tuple[str, str]]:
    child, seen = type_.child("") or ANY, set()
    for index, item in enumerate(items):
        key = f"i:{index}"
        if type_.listed is not None:
            if why := type_.listed.misfit(item):
                yield path, f"element {index}: {why}"
                return
            key = type_.listed.key_of(item)
            if key in seen:
                yield path, f"duplicate entries for key {printed(key)}"
            seen.add(key)
        yield from _found(child, item, f"{path}{printed(key)}")


@cache
def typed_message(name: str) -> Typed:
    """The type of a message of the schema table."""
    fields = message(name).fields
    made: dict[str, Typed] = {}

    def child(key: str) -> Typed | None:
        if key in fields and key not in made:
            made[key] = _of_field(fields[key])
        return made.get(key)

    return Typed("map", child)


def _of_field(facts: Field) -> Typed:
    listed = None
    if facts.list_type in ("map", "set"):
        listed = Listed(lambda: LEAF, facts.list_keys, KEY_DEFAULTS if "protocol" in facts.list_keys else {})
    return _of_type(facts.type, listed)


def _of_type(type_: str, listed: Listed | None = None) -> Typed:
    if type_.startswith("[]"):
        return Typed("list", _always(_of_type(type_[2:])), listed)
    if type_.startswith("map[string]"):
        return Typed("map", _always(_of_type(type_.removeprefix("map[string]"))))
    return typed_message(type_) if is_message(type_) else Typed(_SCALARS.get(type_, "any"))


def _always(type_: Typed) -> Callable[[str], Typed]:
    return lambda _: type_


def typed_schema(schema: Mapping[str, Any], known: Mapping[str, Typed] | None = None) -> Typed:
    """The type by a structural schema of a custom resource; `known` are fields that it need not describe."""
    type_ = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        return Typed("scalar")
    if type_ == "array":
        return Typed("list", _always(typed_schema(schema.get("items") or {})), _listed(schema))
    if type_ != "object":
        return Typed(_OF_SCHEMA.get(str(type_), "any"))
    properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    if not properties and not known and not isinstance(extra, dict):
        return ANY
    made: dict[str, Typed] = dict(known or {})
    others = typed_schema(extra) if isinstance(extra, dict) else None
    if extra is True or schema.get("x-kubernetes-preserve-unknown-fields"):
        others = ANY

    def child(key: str) -> Typed | None:
        if key in properties and key not in made:
            made[key] = typed_schema(properties[key])
        return made.get(key, others)

    return Typed("map", child)


def _listed(schema: Mapping[str, Any]) -> Listed | None:
    items, type_ = schema.get("items") or {}, schema.get("x-kubernetes-list-type")
    if type_ not in ("map", "set"):
        return None
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ()) if type_ == "map" else ()
    facts = items.get("properties") or {}
    return Listed(
        lambda: LEAF, keys, {name: facts[name]["default"] for name in keys if "default" in facts.get(name, {})}
    )
