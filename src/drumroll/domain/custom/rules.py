"""The validation rules of a schema: which hold, and what is said where one does not.

Source: apiextensions pkg/apiserver/schema/cel/{validation,values}.go.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from drumroll.domain.custom.cel import BadExpression, Failed, compile_message, compile_rule, moment, span
from drumroll.domain.custom.values import ABSENT, correlated
from drumroll.domain.validation.field import Errors, invalid
from drumroll.objects.custom import EMBEDDED, INT_OR_STRING, PRESERVE, RULES
from drumroll.objects.errors import FieldError
from drumroll.objects.meta import Obj

_RESERVED = frozenset(
    (
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    )
)  # fmt: skip
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SAME = "self == oldSelf"
_PARTS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}


def has_rules(schema: Obj, derived: dict[str, Any]) -> bool:
    """Whether the schema has any rule, at any depth. Remembered in `derived`."""
    if "rules" not in derived:
        derived["rules"] = _has_rules(schema)
    return bool(derived["rules"])


def _has_rules(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    if schema.get(RULES):
        return True
    inner = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return any(map(_has_rules, inner))


def check_rules(obj: Obj, schema: Obj, old: Obj | None) -> Errors:
    """The rules that an object breaks, or (`old` given) that a change of it breaks."""
    before = ABSENT if old is None else old
    yield from _check(obj, schema, before, "")


def _check(value: Any, schema: Obj, old: Any, path: str) -> Iterator[FieldError]:
    if value is None or (old is not ABSENT and value == old):
        return
    for rule in schema.get(RULES) or ():
        error = _broken(rule, value, schema, old, path)
        if error is not None:
            yield error
    if isinstance(value, dict):
        known, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        before = old if isinstance(old, dict) else {}
        for name, item in value.items():
            inner = known.get(name, extra)
            if isinstance(inner, dict):
                where = f"{path}.{name}" if path else name
                yield from _check(item, inner, before.get(name, ABSENT), where)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        former = correlated(schema, old)
        for index, item in enumerate(value):
            yield from _check(item, schema["items"], former(item), f"{path}[{index}]")


def _broken(rule: Obj, value: Any, schema: Obj, old: Any, path: str) -> FieldError | None:
    if rule["rule"].strip() == _SAME and not rule.get("optionalOldSelf"):  # the commonest by far, known without CEL
        return None if old is ABSENT or value == old else _said(rule, schema, path, _message(rule))
    if _holds_by_its_twin(rule["rule"], value):
        return None
    optional = bool(rule.get("optionalOldSelf"))
    try:
        program = compile_rule(rule["rule"], optional_old=optional)
    except BadExpression as error:
        return _said(rule, schema, path, f"rule compile error: {error}")
    if program.uses_old and old is ABSENT and not optional:
        return None
    itself = converted(value, schema, is_root=not path)
    former = None if old is ABSENT else converted(old, schema, is_root=not path)
    try:
        if program.evaluate(itself, former, has_old=old is not ABSENT) is True:
            return None
    except Failed as error:
        return _said(rule, schema, path, f"{error} evaluating rule: {_message(rule)}")
    return _said(rule, schema, path, _worded(rule, itself, former, optional=optional, has_old=old is not ABSENT))


def _holds_by_its_twin(expression: str, value: Any) -> bool:
    """Whether a rule of the installed definitions holds, known without CEL. False: ask CEL."""
    from drumroll.domain.custom.installed import twin
    from drumroll.domain.custom.installed.shapes import UNSURE

    holds = twin(expression)
    try:
        return holds is not None and holds(value)
    except UNSURE:
        return False


def _message(rule: Obj) -> str:
    return rule.get("message") or f"failed rule: {rule['rule'].strip()}"


def _worded(rule: Obj, value: Any, old: Any, *, optional: bool, has_old: bool) -> str:
    if rule.get("messageExpression"):
        try:
            program = compile_message(rule["messageExpression"], optional_old=optional)
            text = program.evaluate(value, old, has_old=has_old)
            if isinstance(text, str) and text.strip() and "\n" not in text:
                return text
        except (BadExpression, Failed):
            pass
    return _message(rule)


def _said(rule: Obj, schema: Obj, path: str, text: str) -> FieldError:
    where = f"{path}{rule['fieldPath']}" if rule.get("fieldPath") else path
    where = where.removeprefix(".") or "<nil>"
    match rule.get("reason"):
        case "FieldValueForbidden":
            return FieldError(where, "FieldValueForbidden", f"Forbidden: {text}")
        case "FieldValueRequired":
            return FieldError(where, "FieldValueRequired", f"Required value: {text}")
        case "FieldValueDuplicate":
            return FieldError(where, "FieldValueDuplicate", f'Duplicate value: "{schema.get("type", "")}"')
        case _:
            return invalid(where, schema.get("type", ""), text)


def converted(value: Any, schema: Obj, *, is_root: bool = False) -> Any:
    """A value as expressions see it: escaped names, numbers and times of their types, names only of the metadata."""
    if isinstance(value, dict):
        known, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        out = {}
        for name, item in value.items():
            if (is_root or schema.get(EMBEDDED)) and name == "metadata":
                shown = {key: item[key] for key in ("name", "generateName") if key in item}
                out[name] = {**shown, **_described(item, known.get(name) or {})}
            elif name in known:
                out[escaped(name)] = converted(item, known[name])
            elif isinstance(extra, dict):
                out[name] = converted(item, extra)
            elif schema.get(PRESERVE) or is_root:
                out[name] = _bounded(item)
        return out
    if isinstance(value, list):
        items = schema.get("items")
        return [converted(item, items) if isinstance(items, dict) else _bounded(item) for item in value]
    return _scalar(value, schema)


def _described(metadata: Obj, schema: Obj) -> Obj:
    known = schema.get("properties") or {}
    return {escaped(name): converted(metadata[name], known[name]) for name in known if name in metadata}


def _bounded(value: Any) -> Any:
    """Integers that expressions cannot hold become floating point."""
    if isinstance(value, dict):
        return {name: _bounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 63:
        return float(value)
    return value


def _scalar(value: Any, schema: Obj) -> Any:
    if isinstance(value, str):
        match schema.get("format"):
            case "date-time" | "datetime":
                return moment(datetime.fromisoformat(value))
            case "date":
                return moment(datetime.fromisoformat(f"{value}T00:00:00+00:00"))
            case "duration":
                return span(_duration(value))
            case "byte":
                return b64decode(value)
        return value
    if isinstance(value, bool) or value is None or schema.get(INT_OR_STRING):
        return value
    if schema.get("type") == "number":
        return float(value)
    return int(value) if schema.get("type") == "integer" else _bounded(value)


def _duration(text: str) -> timedelta:
    sign = -1 if text.startswith("-") else 1
    seconds = sum(float(number) * _PARTS[unit] for number, unit in re.findall(r"([\d.]+)(h|ms|us|µs|μs|ns|m|s)", text))
    return sign * timedelta(seconds=seconds)


def escaped(name: str) -> str:
    """A property's name as expressions write it. Source: apiserver pkg/cel/escaping.go."""
    if name in _RESERVED:
        return f"__{name}__"
    return re.sub(r"__|[.\-/]", lambda found: _ESCAPES[found[0]], name) if re.search(r"__|[.\-/]", name) else name
