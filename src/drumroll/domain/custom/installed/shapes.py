"""The words in which the schemas of this package are written."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from drumroll.objects.custom import INT_OR_STRING, LIST_KEYS, LIST_TYPE, MAP_TYPE, PRESERVE, RULES
from drumroll.objects.meta import Obj

Field: TypeAlias = "Obj | tuple[Obj, str]"
"""A schema, or a schema and what to say of the field."""
Holds: TypeAlias = Callable[[Any], bool]

TWINS: dict[str, Holds] = {}
"""Rules by their text, said in Python."""
UNSURE = (KeyError, TypeError, ValueError, IndexError, AttributeError)

STRING: Obj = {"type": "string"}
BOOLEAN: Obj = {"type": "boolean"}
NUMBER: Obj = {"type": "number"}
INT32: Obj = {"type": "integer", "format": "int32"}
INT64: Obj = {"type": "integer", "format": "int64"}
TIME: Obj = {"type": "string", "format": "date-time"}
COUNT_OR_SHARE: Obj = {"anyOf": [{"type": "integer"}, {"type": "string"}], INT_OR_STRING: True}
STRINGS: Obj = {"type": "array", "items": STRING}
STRING_MAP: Obj = {"type": "object", "additionalProperties": STRING}
ANYTHING: Obj = {"type": "object", PRESERVE: True}
POD_TEMPLATE: Obj = {
    "type": "object",
    "properties": {"metadata": ANYTHING, "spec": ANYTHING},
    PRESERVE: True,
}


def shape(fields: Mapping[str, Field], *rules: Obj, **more: Any) -> Obj:
    """An object of these fields; a name that ends in `!` is required."""
    out: Obj = {"type": "object"}
    needed = [name[:-1] for name in fields if name.endswith("!")]
    if needed:
        out["required"] = needed
    if fields:
        out["properties"] = {name.removesuffix("!"): _said(field) for name, field in fields.items()}
    if rules:
        out[RULES] = list(rules)
    return out | more


def _said(field: Field) -> Obj:
    if isinstance(field, tuple):
        schema, text = field
        return {"description": text, **schema}
    return field


def each(schema: Obj, names: str) -> dict[str, Obj]:
    """The same schema for several names."""
    return dict.fromkeys(names.split(), schema)


def many(items: Obj, *rules: Obj, **limits: Any) -> Obj:
    """A list that is replaced as a whole."""
    out: Obj = {"type": "array", "items": items}
    if rules:
        out[RULES] = list(rules)
    return out | limits


def keyed(items: Obj, keys: str, *rules: Obj, **limits: Any) -> Obj:
    """A list whose items are told apart by these fields."""
    return many(items, *rules, **limits) | {LIST_TYPE: "map", LIST_KEYS: keys.split()}


def atomic(schema: Obj) -> Obj:
    """An object or list that has one owner."""
    return schema | {MAP_TYPE if schema["type"] == "object" else LIST_TYPE: "atomic"}


def text(low: int = 0, high: int = 0, pattern: str = "", **more: Any) -> Obj:
    """A string within limits."""
    limits = {"minLength": low, "maxLength": high, "pattern": pattern}
    return {"type": "string"} | {name: value for name, value in limits.items() if value} | more


def chosen(*values: str, **more: Any) -> Obj:
    """One of these strings."""
    return {"type": "string", "enum": list(values)} | more


def whole(low: int | None = None, high: int | None = None, **more: Any) -> Obj:
    """A 32-bit integer within limits."""
    limits = {"minimum": low, "maximum": high}
    return dict(INT32) | {name: value for name, value in limits.items() if value is not None} | more


def rule(expression: str, message: str, holds: Holds | None = None) -> Obj:
    """A rule in the Common Expression Language, and what is said of a value that breaks it.

    `holds` says the same in Python, so that 20 megabytes of CEL are not needed for it: true and false where CEL has
    them, any of `UNSURE` where CEL has an error. A test compares the two.
    """
    if holds is not None:
        TWINS[expression] = holds
    return {"rule": expression, "message": message}


IMMUTABLE = "self == oldSelf"

SELECTOR = atomic(
    shape(
        {
            "matchExpressions": many(shape({"key!": STRING, "operator!": STRING, "values": STRINGS})),
            "matchLabels": STRING_MAP,
        }
    )
)


CONDITION = shape(
    {
        "lastTransitionTime!": TIME,
        "message!": text(high=32768),
        "observedGeneration": dict(INT64, minimum=0),
        "reason!": text(1, 1024, "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
        "status!": chosen("True", "False", "Unknown"),
        "type!": text(
            high=316,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        ),
    }
)
"""A condition as Kubernetes' own API has them."""
CONDITIONS = keyed(CONDITION, "type", maxItems=8)


def column(name: str, kind: str, path: str, said: str = "", priority: int = 0) -> Obj:
    """A column of `kubectl get`."""
    out: Obj = {"name": name, "type": kind, "jsonPath": path}
    if said:
        out["description"] = said
    if priority:
        out["priority"] = priority
    return out


AGE = column("Age", "date", ".metadata.creationTimestamp")


def resource(spec: Obj, status: Obj | None = None, said: str = "", *, needs: str = "spec") -> Obj:
    """The schema of a kind."""
    out: Obj = {"type": "object"}
    if said:
        out["description"] = said
    if needs:
        out["required"] = needs.split()
    out["properties"] = {"apiVersion": STRING, "kind": STRING, "metadata": {"type": "object"}, "spec": spec}
    if status is not None:
        out["properties"]["status"] = status
    return out
