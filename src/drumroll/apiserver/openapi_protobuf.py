"""An OpenAPI version 2 document in protobuf. Source: field numbers of gnostic openapiv2/OpenAPIv2.proto."""

from collections.abc import Iterable
from typing import Any

from drumroll.objects.meta import Obj

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def document(swagger: Obj) -> bytes:
    """The message `Document`. Keywords that none of our schemas uses are left out."""
    info = _text(1, swagger["info"]["title"]) + _text(2, swagger["info"]["version"])
    paths = b"".join(_message(2, _named(path, _path_item(item))) for path, item in swagger["paths"].items())
    schemas = b"".join(_message(1, _named(name, _schema(item))) for name, item in swagger["definitions"].items())
    return _text(1, swagger["swagger"]) + _message(2, info) + _message(8, paths) + _message(9, schemas)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode()) if value else b""


def _texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(_text(number, value) for value in values)


def _true(number: int, value: bool) -> bytes:
    return _varint(number << 3) + b"\x01" if value else b""


def _named(name: str, data: bytes) -> bytes:
    return _text(1, name) + _message(2, data)


def _extensions(number: int, item: Obj) -> bytes:
    """`x-` keywords, whose values are YAML texts."""
    return b"".join(
        _message(number, _named(name, _text(2, _yaml(value)))) for name, value in item.items() if name.startswith("x-")
    )


def _yaml(value: Any) -> str:
    """Block style, as clients of old expect it: they know no JSON flow style in extensions."""
    if isinstance(value, dict):
        return "".join(f"{key}: {_scalar(item)}\n" for key, item in value.items())
    if isinstance(value, list):
        return "".join(f"- {_yaml(item).rstrip().replace(chr(10), chr(10) + '  ')}\n" for item in value)
    return f"{_scalar(value)}\n" if not isinstance(value, str) else f"{value}\n"


def _scalar(value: Any) -> str:
    return '""' if value == "" else str(value)


def _path_item(item: Obj) -> bytes:
    operations = b"".join(_message(_METHODS[name], _operation(item[name])) for name in _METHODS if name in item)
    return operations + _parameters(9, item["parameters"])


def _operation(item: Obj) -> bytes:
    responses = b"".join(
        _message(1, _named(code, _message(1, _text(1, answer["description"]))))
        for code, answer in item["responses"].items()
    )
    return _parameters(8, item["parameters"]) + _message(9, responses) + _extensions(13, item)


def _parameters(number: int, items: list[Obj]) -> bytes:
    """ParametersItem.parameter, Parameter.non_body_parameter, then the query or path form."""
    out = b""
    for item in items:
        is_path = item["in"] == "path"
        body = _true(1, item.get("required", False)) + _text(2, item["in"]) + _text(4, item["name"])
        body += _text(5 if is_path else 6, item["type"])
        out += _message(number, _message(1, _message(2, _message(4 if is_path else 3, body))))
    return out


def _schema(item: Obj) -> bytes:
    out = _text(1, item.get("$ref", "")) + _text(2, item.get("format", "")) + _texts(19, item.get("required", ()))
    if "additionalProperties" in item:
        out += _message(21, _message(1, _schema(item["additionalProperties"])))
    if "type" in item:
        out += _message(22, _text(1, item["type"]))
    if "items" in item:
        out += _message(23, _message(1, _schema(item["items"])))
    if "properties" in item:
        members = (_message(1, _named(name, _schema(inner))) for name, inner in item["properties"].items())
        out += _message(25, b"".join(members))
    return out + _extensions(31, item)
