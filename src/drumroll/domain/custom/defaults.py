"""Defaults of custom resources, from their schema. Source: apiextensions pkg/apiserver/schema/defaulting."""

import copy
from typing import Any

from drumroll.objects.custom import CustomKind
from drumroll.objects.meta import Obj


def fill_defaults(value: Any, schema: Obj) -> None:
    """Fill in, in place, what a value leaves out; it keeps its nulls."""
    _default(value, schema)


def set_custom_defaults(kind: CustomKind, obj: Obj) -> None:
    """Fill in, in place, what the schema has defaults for, and drop nulls that it does not allow."""
    schema = kind.definition.schema
    _default(obj, schema)
    _drop_nulls(obj, schema)


def _default(value: Any, schema: Obj) -> None:
    if isinstance(value, dict):
        known = schema.get("properties") or {}
        for name, inner in known.items():
            if "default" in inner and (name not in value or _is_stray_null(value[name], inner)):
                value[name] = copy.deepcopy(inner["default"])
        extra = schema.get("additionalProperties")
        for name, item in value.items():
            if name in known:
                _default(item, known[name])
            elif isinstance(extra, dict):
                if _is_stray_null(item, extra) and "default" in extra:
                    value[name] = copy.deepcopy(extra["default"])
                _default(value[name], extra)
    elif isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for index, item in enumerate(value):
                if _is_stray_null(item, items) and "default" in items:
                    value[index] = copy.deepcopy(items["default"])
                _default(value[index], items)


def _is_stray_null(value: Any, schema: Obj) -> bool:
    return value is None and not schema.get("nullable")


def _drop_nulls(value: Any, schema: Obj) -> None:
    if isinstance(value, dict):
        known, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        for name in list(value):
            inner = known.get(name, extra)
            if not isinstance(inner, dict):
                continue
            if name in known and _is_stray_null(value[name], inner):
                del value[name]
            else:
                _drop_nulls(value[name], inner)
    elif isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for item in value:
                _drop_nulls(item, items)
