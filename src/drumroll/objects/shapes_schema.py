"""The shapes of the API's messages, and of custom resources by their structural schemas."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from drumroll.objects.schema import Field, atomic_messages, is_message, message
from drumroll.objects.shapes import DEDUCED, LEAF, Listed, Mapped, Shape


@cache
def shape_of_message(name: str) -> Shape:
    """The shape of a message of the schema table, whatever its own type says of it."""
    fields = message(name).fields
    made: dict[str, Shape] = {}

    def child(key: str) -> Shape:
        shape = made.get(key)
        if shape is None:
            field = fields.get(key)
            shape = made[key] = DEDUCED if field is None else _shape_of_field(field)
        return shape

    lists = frozenset(
        n for n, f in fields.items() if f.required and ("." in f.type or f.type.startswith(("[]", "map[")))
    )
    return Mapped(child, frozenset(fields), lists)


def _shape_of_field(field: Field) -> Shape:
    if field.type.startswith("[]"):
        if field.list_type not in ("map", "set"):
            return LEAF
        element, defaults = field.element, KEY_DEFAULTS if "protocol" in field.list_keys else {}
        return Listed(lambda: _shape_of_type(element), field.list_keys, defaults)
    if field.map_type == "atomic":
        return LEAF
    if field.map_type == "granular" and is_message(field.type):
        return shape_of_message(field.type)
    return _shape_of_type(field.type)


KEY_DEFAULTS = {"protocol": "TCP"}
"""The one key of lists that may be left out: of container ports and Service ports. Source: core/v1 types.go."""


def _shape_of_type(type_: str) -> Shape:
    if type_.startswith("map[string]"):
        element = _shape_of_type(type_.removeprefix("map[string]"))
        return Mapped(lambda _: element, frozenset(), frozenset())
    if is_message(type_) and type_ not in atomic_messages():
        return shape_of_message(type_)
    return LEAF


def shape_of_schema(schema: Mapping[str, Any], known: Mapping[str, Shape] | None = None) -> Shape:
    """The shape of a structural schema of a custom resource, by its `x-kubernetes-*` facts.

    `known` are the shapes of fields that the schema need not describe: an object's metadata.
    Source: structured-merge-diff schema, kube-openapi pkg/schemaconv.
    """
    if schema.get("x-kubernetes-preserve-unknown-fields") and not schema.get("properties") and not known:
        return DEDUCED
    if schema.get("type") == "array":
        return _shape_of_array(schema)
    if schema.get("type") != "object" or schema.get("x-kubernetes-map-type") == "atomic":
        return LEAF
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    made: dict[str, Shape] = dict(known or {})

    def child(key: str) -> Shape:
        if key not in made:
            if key in properties:
                made[key] = shape_of_schema(properties[key])
            else:
                made[key] = shape_of_schema(extra) if isinstance(extra, dict) else DEDUCED
        return made[key]

    return Mapped(child, frozenset((*properties, *made)), frozenset())


def _shape_of_array(schema: Mapping[str, Any]) -> Shape:
    items, type_ = schema.get("items") or {}, schema.get("x-kubernetes-list-type")
    if type_ not in ("map", "set"):
        return LEAF
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ()) if type_ == "map" else ()
    defaults = {n: p["default"] for n, p in (items.get("properties") or {}).items() if n in keys and "default" in p}
    return Listed(lambda: shape_of_schema(items), keys, defaults)
