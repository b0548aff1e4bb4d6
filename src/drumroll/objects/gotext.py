"""The words in which the original reports JSON that it cannot read: texts of Go's encoding/json and of its %v verb."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_AFTER = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Extra data": "after top-level value",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
    "Invalid \\uXXXX escape": "in \\u hexadecimal character escape",
}


def syntax_error(body: bytes) -> str:
    """What Go says about a JSON text that does not parse; empty when it does parse."""
    text = body.decode("utf-8", "replace")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Unterminated string") or not text[error.pos :].strip():
            return "unexpected end of JSON input"
        place = _AFTER.get(error.msg) or _AFTER.get(error.msg.split(":")[0])
        if error.msg.startswith("Expecting ',' delimiter"):
            place = "after array element" if _innermost(text[: error.pos]) == "[" else "after object key:value pair"
        return f"invalid character {_quote(text[error.pos :].lstrip()[:1])} {place or 'looking for beginning of value'}"
    except RecursionError:
        return "exceeded max depth"
    return ""


def _innermost(text: str) -> str:
    """The bracket that is open at the end of a JSON prefix."""
    open_brackets: list[str] = []
    inside = escaped = False
    for char in text:
        if inside:
            inside, escaped = char != '"' or escaped, char == "\\" and not escaped
        elif char == '"':
            inside = True
        elif char in "[{":
            open_brackets.append(char)
        elif char in "]}" and open_brackets:
            open_brackets.pop()
    return open_brackets[-1] if open_brackets else "{"


def _quote(char: str) -> str:
    if char == "'":
        return "'\\''"
    return f"'{char}'" if char.isprintable() else repr(char)


def type_name(value: Any) -> str:
    """What Go calls a JSON value: string, number, bool, array, object or null."""
    for types, name in ((str, "string"), (bool, "bool"), ((int, float), "number"), (list, "array"), (dict, "object")):
        if isinstance(value, types):
            return name
    return "null"


_TYPES = {str: "string", bool: "bool", int: "float64", float: "float64"}


def go_type(value: Any) -> str:
    """What Go's %T says of a JSON value."""
    if isinstance(value, Mapping):
        return "map[string]interface {}"
    return _TYPES.get(type(value), "[]interface {}")


def go_syntax(value: Any) -> str:
    """A JSON value as Go's %#v prints it: map[string]interface {}{"kind":"Workflow"}, 8080, interface {}(nil)."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(key, ensure_ascii=False)}:{go_syntax(value[key])}" for key in sorted(value))
        return f"map[string]interface {{}}{{{inner}}}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Sequence):
        return f"[]interface {{}}{{{', '.join(go_syntax(item) for item in value)}}}"
    return "interface {}(nil)" if value is None else go_value(value)


def go_value(value: Any) -> str:
    """A JSON value as Go's %v prints it: map[image:noname], [a b], <nil>."""
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{go_value(value[key])}' for key in sorted(value))}]"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{' '.join(go_value(item) for item in value)}]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
