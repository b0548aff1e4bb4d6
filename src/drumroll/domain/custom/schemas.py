"""What makes a schema structural: every value has one known type, so it can be pruned and defaulted.

Source: apiextensions pkg/apiserver/schema/validation.go, pkg/apis/apiextensions/validation/validation.go.
"""

import copy
from collections.abc import Iterator
from typing import Any

from drumroll.domain.custom.cel import BadExpression, compile_message, compile_rule
from drumroll.domain.custom.defaults import fill_defaults
from drumroll.domain.custom.values import compiled, validate_value
from drumroll.domain.validation.field import Errors, forbidden, invalid, required, unsupported
from drumroll.objects.custom import EMBEDDED, INT_OR_STRING, LIST_KEYS, LIST_TYPE, MAP_TYPE, PRESERVE, RULES
from drumroll.objects.errors import FieldError
from drumroll.objects.meta import Obj

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_ONLY_STRUCTURAL = (
    "type", "additionalProperties", "nullable", "title", "description", "default", PRESERVE, EMBEDDED, LIST_TYPE,
    LIST_KEYS, MAP_TYPE,
)  # fmt: skip
_UNSUPPORTED = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id", "$schema")


def validate_schema(schema: Obj, path: str) -> Errors:
    """Everything in a version's schema that keeps it from being structural."""
    kind = schema.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must not be empty at the root")
    elif kind != "object":
        yield invalid(f"{path}.type", kind, "must be object at the root")
    if schema.get("nullable"):
        yield forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    if schema.get("additionalProperties"):
        yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
    yield from _validate_metadata(schema, path)
    broken = False
    for error in _node(schema, path, "root"):
        broken = True
        yield error
    if not broken:
        yield from _validate_defaults(schema, path)


def _validate_metadata(schema: Obj, path: str) -> Errors:
    known = ((schema.get("properties") or {}).get("metadata") or {}).get("properties") or {}
    for name in known:
        if name not in ("name", "generateName"):
            where = f"{path}.properties[metadata]"
            text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            yield forbidden(where, text)
            return


_EMPTY_TYPE = {
    "properties": "must not be empty for specified object fields",
    "items": "must not be empty for specified array items",
    "additionalProperties": "must not be empty for specified object fields",
}


def _node(schema: Obj, path: str, role: str) -> Iterator[FieldError]:
    """The rules for one node and all below it; `role` says where it hangs."""
    kind = schema.get("type") or ""
    free = schema.get(INT_OR_STRING) or schema.get(PRESERVE)
    if kind and kind not in _TYPES:
        yield unsupported(f"{path}.type", kind, _TYPES)
    elif not kind and role in _EMPTY_TYPE and not free:
        yield required(f"{path}.type", _EMPTY_TYPE[role])
    if schema.get(INT_OR_STRING) and kind:
        yield invalid(f"{path}.type", kind, f"must be empty if {INT_OR_STRING} is true")
    if schema.get(PRESERVE) is False:
        yield invalid(f"{path}.{PRESERVE}", False, "must be true or undefined")
    for name in _UNSUPPORTED:
        if schema.get(name):
            yield forbidden(f"{path}.{name}", f"{name} is not supported")
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", text)
    yield from _members(schema, path, kind)
    yield from _lists(schema, path, kind)
    yield from _pattern(schema, path)
    yield from _rules(schema, path)
    for name in _JUNCTORS:
        for index, part in enumerate(schema.get(name) or ()):
            yield from _part(part, f"{path}.{name}[{index}]", schema)
    if schema.get("not"):
        yield from _part(schema["not"], f"{path}.not", schema)


def _members(schema: Obj, path: str, kind: str) -> Errors:
    known, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    if known and extra:
        text = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{path}.additionalProperties", text)
    if schema.get(EMBEDDED):
        if kind != "object":
            yield invalid(f"{path}.type", kind, f"must be object if {EMBEDDED} is true")
        if not known and not schema.get(PRESERVE):
            yield required(f"{path}.properties", f"must not be empty if {EMBEDDED} is true without {PRESERVE}")
    for name, inner in known.items():
        yield from _node(inner, f"{path}.properties[{name}]", "properties")
    if isinstance(extra, dict):
        yield from _node(extra, f"{path}.additionalProperties", "additionalProperties")


def _lists(schema: Obj, path: str, kind: str) -> Errors:
    items, list_type, keys = schema.get("items"), schema.get(LIST_TYPE), schema.get(LIST_KEYS) or ()
    if kind == "array" and not isinstance(items, dict):
        yield required(f"{path}.items", "must be specified")
    if isinstance(items, dict):
        yield from _node(items, f"{path}.items", "items")
    if list_type is not None and kind != "array":
        yield invalid(f"{path}.type", kind, f"must be array if {LIST_TYPE} is specified")
    if list_type not in (None, "atomic", "set", "map"):
        yield unsupported(f"{path}.{LIST_TYPE}", list_type, ("atomic", "map", "set"))
    if schema.get(MAP_TYPE) not in (None, "atomic", "granular"):
        yield unsupported(f"{path}.{MAP_TYPE}", schema[MAP_TYPE], ("atomic", "granular"))
    if keys and list_type != "map":
        yield invalid(f"{path}.{LIST_TYPE}", list_type, f"must be map if {LIST_KEYS} is non-empty")
    if list_type == "map" and not keys:
        yield required(f"{path}.{LIST_KEYS}", f"must not be empty if {LIST_TYPE} is map")
    if list_type == "map" and isinstance(items, dict):
        yield from _keys(items, keys, path)


def _keys(items: Obj, keys: list[str] | tuple[str, ...], path: str) -> Errors:
    known = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in known:
            yield invalid(f"{path}.{LIST_KEYS}[{index}]", key, "must refer to an existing property in items")
        elif key not in (items.get("required") or ()) and "default" not in known[key]:
            where = f"{path}.items.properties[{key}].default"
            text = f"this property is in {LIST_KEYS}, so it must have a default or be a required property"
            yield required(where, text)


def _pattern(schema: Obj, path: str) -> Errors:
    if schema.get("pattern"):
        try:
            compiled(schema["pattern"])
        except ValueError as error:
            yield invalid(
                f"{path}.pattern", schema["pattern"], f"must be a valid regular expression, but isn't: {error}"
            )


def _rules(schema: Obj, path: str) -> Errors:
    for index, rule in enumerate(schema.get(RULES) or ()):
        where, text = f"{path}.{RULES}[{index}]", (rule.get("rule") or "").strip()
        optional = bool(rule.get("optionalOldSelf"))
        if not text:
            yield required(f"{where}.rule", "rule is not specified")
            continue
        if "message" in rule and not (rule["message"] or "").strip():
            yield invalid(f"{where}.message", rule["message"], "message must be non-empty if specified")
        try:
            compile_rule(text, optional_old=optional)
        except BadExpression as error:
            yield invalid(f"{where}.rule", rule["rule"], str(error))
        if rule.get("messageExpression"):
            try:
                compile_message(rule["messageExpression"], optional_old=optional)
            except BadExpression as error:
                where = f"{where}.messageExpression"
                yield invalid(where, rule["messageExpression"], f"messageExpression compilation failed: {error}")


def _part(schema: Obj, path: str, whole: Obj) -> Errors:
    """The rules for a part of allOf, anyOf, oneOf or not: it may narrow what is specified outside, not add to it."""
    for name in _ONLY_STRUCTURAL:
        if schema.get(name) not in (None, "", False) and not _is_int_or_string(schema, whole):
            yield forbidden(f"{path}.{name}", "must be empty to be structural")
    known = whole.get("properties") or {}
    for name, inner in (schema.get("properties") or {}).items():
        yield from _part(inner, f"{path}.properties[{name}]", _schema(known.get(name)))
        if name not in known and not whole.get(PRESERVE) and whole.get("type") == "object" and known:
            yield required(f"{_outer(path)}.properties[{name}]", f"because it is defined in {path.rpartition('.')[2]}")
    for name in _JUNCTORS:
        for index, part in enumerate(schema.get(name) or ()):
            yield from _part(part, f"{path}.{name}[{index}]", whole)
    if isinstance(schema.get("items"), dict):
        yield from _part(schema["items"], f"{path}.items", _schema(whole.get("items")))
    if schema.get("not"):
        yield from _part(schema["not"], f"{path}.not", whole)


def _schema(value: Any) -> Obj:
    return value if isinstance(value, dict) else {}


def _outer(path: str) -> str:
    return path.rpartition(".")[0]


def _is_int_or_string(part: Obj, whole: Obj) -> bool:
    """`anyOf: [{type: integer}, {type: string}]` is how int-or-string is also spelled."""
    return bool(whole.get(INT_OR_STRING)) and set(part) <= {"type", "anyOf"}


def _validate_defaults(schema: Any, path: str) -> Errors:
    """Defaults must be valid by the schema that they stand in."""
    for name, inner in (schema.get("properties") or {}).items():
        where = f"{path}.properties[{name}]"
        yield from _default(inner, where)
        yield from _validate_defaults(inner, where)
    for name in ("items", "additionalProperties"):
        inner = schema.get(name)
        if isinstance(inner, dict):
            yield from _default(inner, f"{path}.{name}")
            yield from _validate_defaults(inner, f"{path}.{name}")


def _default(schema: Obj, path: str) -> Errors:
    if "default" not in schema:
        return
    if schema["default"] is None and not schema.get("nullable"):
        return
    value = copy.deepcopy(schema["default"])
    fill_defaults(value, schema)
    for error in validate_value(value, schema, f"{path}.default"):
        yield FieldError(error.field, error.reason, error.message)
