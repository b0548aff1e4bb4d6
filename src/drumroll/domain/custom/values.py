"""Values checked against a schema, with the original's messages; what an update leaves as it was is not checked again.

Source: kube-openapi pkg/validation/{validate,errors}, apiextensions pkg/apiserver/validation/validation.go.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from drumroll.domain.custom.cel import BadPattern, is_found
from drumroll.domain.custom.formats import FORMATS
from drumroll.domain.validation.field import Errors, invalid, printed, required, too_long, too_many, unsupported
from drumroll.objects.custom import EMBEDDED, INT_OR_STRING, LIST_KEYS, LIST_TYPE
from drumroll.objects.errors import FieldError
from drumroll.objects.meta import Obj

ABSENT: Any = object()
"""Stands for the former value where there was none."""


def validate_value(value: Any, schema: Obj, path: str = "", old: Any = ABSENT) -> Errors:
    """Everything in a value that its schema does not allow. What is equal to `old`, the former value, passes."""
    if old is not ABSENT and _same(value, old):
        return
    if value is None:
        if not schema.get("nullable") and schema.get("type"):
            yield _wrong_type(path, schema["type"], "null")
        return
    wrong = _type_error(value, schema, path)
    if wrong is not None:
        yield wrong
        return
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        yield unsupported(path, value, [one if isinstance(one, str) else printed(one) for one in schema["enum"]])
    if isinstance(value, str):
        yield from _text(value, schema, path)
    elif isinstance(value, bool):
        pass
    elif isinstance(value, int | float):
        yield from _number(value, schema, path)
    elif isinstance(value, list):
        yield from _list(value, schema, path, old)
    elif isinstance(value, dict):
        yield from _object(value, schema, path, old)
    yield from _composed(value, schema, path)


def _same(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(left == right)


def _type_name(value: Any) -> str:
    for types, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, types):
            return name
    return "object"


def _type_error(value: Any, schema: Obj, path: str) -> FieldError | None:
    found = _type_name(value)
    if schema.get(INT_OR_STRING):
        return None if found in ("integer", "string") else _wrong_type(path, "integer,string", found)
    wanted = schema.get("type")
    if not wanted or found == wanted or (wanted == "number" and found == "integer"):
        return None
    if wanted == "integer" and found == "number" and value.is_integer():
        return None
    return _wrong_type(path, wanted, found)


def _wrong_type(path: str, wanted: str, shown: str) -> FieldError:
    text = f'Invalid value: "{shown}": {path} in body must be of type {wanted}: "{shown}"'
    return FieldError(path or "<nil>", "FieldValueTypeInvalid", text)


def _text(value: str, schema: Obj, path: str) -> Errors:
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield too_long(path, schema["maxLength"])
    if "minLength" in schema and len(value) < schema["minLength"]:
        yield invalid(path, value, f"{path} in body should be at least {schema['minLength']} chars long")
    if schema.get("pattern") and not _matches(schema["pattern"], value):
        yield invalid(path, value, f"{path} in body should match '{schema['pattern']}'")
    check = FORMATS.get(schema.get("format") or "")
    if check is not None and not check(value):
        shown = json.dumps(value, ensure_ascii=False)
        text = f"Invalid value: {shown}: {path} in body must be of type {schema['format']}: {shown}"
        yield FieldError(path, "FieldValueTypeInvalid", text)


@lru_cache(1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of Go's syntax. Raises ValueError when it cannot be used."""
    text = re.sub(r"\\z", r"\\Z", re.sub(r"\(\?P?<([A-Za-z_]\w*)>", r"(?P<\1>", pattern))
    for name, members in _CLASSES.items():
        text = text.replace(f"[:{name}:]", members)
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise ValueError(f"error parsing regexp: {error}") from error


_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "digit": "0-9", "lower": "a-z", "upper": "A-Z", "xdigit": "0-9A-Fa-f",
    "space": r"\t\n\v\f\r ", "word": "0-9A-Za-z_", "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip


SHORT = 256  # characters of a value that Python's engine is trusted with, and whose result is remembered


def _matches(pattern: str, value: str) -> bool:
    """Whether the value has a match, found in time linear in its length as in Go: RE2 looks wherever Python's engine,
    which is a hundred times faster to ask, might take for ever.
    """
    if len(value) <= SHORT and _is_tame(pattern):
        return _is_found_here(pattern, value)
    try:
        return _is_found_once(pattern, value) if len(value) <= SHORT else is_found(pattern, value)
    except BadPattern:  # of a definition from before RE2 was asked
        return _is_found_here(pattern, value)


_DNS_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


@lru_cache(1024)
def _is_tame(pattern: str) -> bool:
    """Whether no group is repeated, and little else: then there are few ways to try. DNS names are tame, too: they are
    in what every start checks, and RE2 takes 10 MB.
    """
    without_escapes = re.sub(r"\\.", "x", pattern.replace(_DNS_NAME, "x*"))
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "x", without_escapes)
    return re.search(r"\)[*+{]", plain) is None and len(re.findall(r"[*+]|,\}", plain)) <= 2


@lru_cache(8192)
def _is_found_once(pattern: str, value: str) -> bool:
    return is_found(pattern, value)


def _is_found_here(pattern: str, value: str) -> bool:
    """The same by Python's engine; `$` is the end itself, as in Go, not a newline before it."""
    found = compiled(pattern).search(value)
    if found and value.endswith("\n") and pattern.endswith("$") and found.end() == len(value) - 1:
        return False
    return found is not None


def _number(value: float, schema: Obj, path: str) -> Errors:
    most, least = schema.get("maximum"), schema.get("minimum")
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield invalid(path, value, f"{path} in body should be {word} {_shown(most)}")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield invalid(path, value, f"{path} in body should be {word} {_shown(least)}")
    factor = schema.get("multipleOf")
    if factor and abs(value / factor - round(value / factor)) > 1e-9:
        yield invalid(path, value, f"{path} in body should be a multiple of {_shown(factor)}")
    if isinstance(value, int) and schema.get("format") in ("int32", "int64"):
        bits = int(schema["format"][3:])
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            text = f"Checked value must be of type integer with format {schema['format']} in body"
            yield invalid(path, value, text)


def _shown(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _list(value: list[Any], schema: Obj, path: str, old: Any) -> Errors:
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield too_many(path, len(value), schema["maxItems"])
    if "minItems" in schema and len(value) < schema["minItems"]:
        yield invalid(path, value, f"{path} in body should have at least {schema['minItems']} items")
    items = schema.get("items")
    if isinstance(items, dict):
        former = correlated(schema, old)
        for index, item in enumerate(value):
            yield from validate_value(item, items, f"{path}[{index}]", former(item))
    yield from _repeated(value, schema, path)


def correlated(schema: Obj, old: Any) -> Callable[[Any], Any]:
    """From an element of a list to its former value; only lists with keys (or of unique values) can tell."""
    kind, keys = schema.get(LIST_TYPE), schema.get(LIST_KEYS) or ()
    if kind == "map" and isinstance(old, list):
        known = {_key(item, keys): item for item in old if isinstance(item, dict)}
        return lambda item: known.get(_key(item, keys), ABSENT) if isinstance(item, dict) else ABSENT
    if kind == "set" and isinstance(old, list):
        return lambda item: item if item in old else ABSENT
    return lambda _: ABSENT


def _key(item: Obj, keys: tuple[str, ...] | list[str]) -> str:
    return json.dumps([item.get(key) for key in keys], sort_keys=True)


def _repeated(value: list[Any], schema: Obj, path: str) -> Errors:
    kind, keys = schema.get(LIST_TYPE), schema.get(LIST_KEYS) or ()
    if kind not in ("map", "set"):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        shown: Any = item
        if kind == "map" and isinstance(item, dict):
            shown = {key: item[key] for key in keys if key in item}
        mark = json.dumps(shown, sort_keys=True)
        if mark in seen:
            yield FieldError(f"{path}[{index}]", "FieldValueDuplicate", f"Duplicate value: {printed(shown)}")
        seen.add(mark)


def _object(value: Obj, schema: Obj, path: str, old: Any) -> Errors:
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield too_many(path, len(value), schema["maxProperties"])
    if "minProperties" in schema and len(value) < schema["minProperties"]:
        yield invalid(path, value, f"{path} in body should have at least {schema['minProperties']} properties")
    before = old if isinstance(old, dict) else {}
    for name in schema.get("required") or ():
        if name not in value:
            yield required(_inner(path, name))
    if schema.get(EMBEDDED):
        for name in ("apiVersion", "kind"):
            if not value.get(name):
                yield required(_inner(path, name), "must not be empty")
    known, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, item in value.items():
        if name in known:
            yield from validate_value(item, known[name], _inner(path, name), before.get(name, ABSENT))
        elif isinstance(extra, dict):
            yield from validate_value(item, extra, _inner(path, name), before.get(name, ABSENT))


def _inner(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _composed(value: Any, schema: Obj, path: str) -> Iterator[FieldError]:
    for part in schema.get("allOf") or ():
        yield from validate_value(value, part, path)
    if "anyOf" in schema:
        tried = [list(validate_value(value, part, path)) for part in schema["anyOf"]]
        if all(tried):
            yield _composite(path, "must validate at least one schema (anyOf)")
            yield from min(tried, key=len)
    if "oneOf" in schema:
        tried = [list(validate_value(value, part, path)) for part in schema["oneOf"]]
        fitting = sum(not errors for errors in tried)
        if fitting != 1:
            text = "Found none valid" if not fitting else f"Found {fitting} valid alternatives"
            yield _composite(path, f"must validate one and only one schema (oneOf). {text}")
            if not fitting:
                yield from min(tried, key=len)
    if "not" in schema and not any(validate_value(value, schema["not"], path)):
        yield _composite(path, "must not validate the schema (not)")


def _composite(path: str, text: str) -> FieldError:
    return FieldError(path or "<nil>", "FieldValueInvalid", f'Invalid value: "": "{path}" {text}')
