"""A pod template as Go writes it as JSON, byte for byte: the original's hash of it depends on every one of them.

Struct fields in the order of the struct, maps sorted; what is empty and marked omitempty is left out; structs that are
no pointers are always there; quantities in their canonical form; `<`, `>` and `&` escaped. Source: encoding/json.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import orjson

from drumroll.domain.rollout.go_order import ORDERS
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import canonical
from drumroll.objects.schema import Field, Message, is_message, message

TEMPLATE = "api.core.v1.PodTemplateSpec"
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_ESCAPES = str.maketrans(_ESCAPED)
_ALWAYS: Mapping[tuple[str, str], str] = {  # written although nobody has set them
    ("ResourceFieldSelector", "divisor"): '"0"',
    ("GRPCAction", "service"): "null",
    ("TypedLocalObjectReference", "apiGroup"): "null",
    ("TypedObjectReference", "apiGroup"): "null",
}


def template_json(template: Obj) -> bytes:
    """The bytes that Go's encoding/json makes of a v1.PodTemplateSpec."""
    return _struct(template, message(TEMPLATE)).encode()


def _struct(value: Obj, kind: Message) -> str:
    fields = _ordered(kind.name)
    return f"{{{','.join(f'{json_text(field.name)}:{one}' for field in fields for one in _field(value, field, kind))}}}"


@cache
def _ordered(name: str) -> tuple[Field, ...]:
    """A struct's fields, as it has them."""
    kind = message(name)
    order = ORDERS.get(kind.short, {})
    return tuple(sorted(kind.fields.values(), key=lambda field: (order.get(field.name, len(order)), field.name)))


def _field(value: Obj, field: Field, kind: Message) -> Iterator[str]:
    """What is written for a field: one text, or none."""
    found = value.get(field.name)
    if is_message(field.type):
        if found is not None or field.always:
            yield _struct(found or {}, message(field.type))
    elif found is None or (not found and not field.pointer and not field.required):
        always = _ALWAYS.get((kind.short, field.name))
        if always is not None:
            yield always
    else:
        yield _value(found, field.type)


def _value(value: Any, type_: str) -> str:
    if type_.startswith("[]"):
        return f"[{','.join(_value(one, type_[2:]) for one in value)}]"
    if type_.startswith("map[string]"):
        inner = type_.removeprefix("map[string]")
        return f"{{{','.join(f'{json_text(name)}:{_value(value[name], inner)}' for name in sorted(value))}}}"
    if is_message(type_):
        return _struct(value, message(type_))
    return json_text(_quantity(value)) if type_ == "quantity" else json_text(value)


def _quantity(value: Any) -> str:
    try:
        return canonical(value)
    except ValueError:
        return str(value)


def json_text(value: Any) -> str:
    """A value as encoding/json writes it: maps sorted, and what HTML would take for markup escaped."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode().translate(_ESCAPES)
