"""Objects that kubectl's typed commands send in protobuf, as JSON objects; field numbers come from the schema table.

Source: apimachinery pkg/runtime/serializer/protobuf (the four bytes `k8s\\0`, then runtime.Unknown), generated.proto.
"""

import base64
import struct
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from drumroll.objects.errors import BadRequest
from drumroll.objects.meta import Obj
from drumroll.objects.scalars import format_micro_time, format_time
from drumroll.objects.schema import Field, is_message, message

MAGIC = b"k8s\x00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Envelope(NamedTuple):
    """What a protobuf body says it is, and the message in it."""

    api_version: str
    kind: str
    raw: bytes


def open_envelope(body: bytes) -> Envelope:
    """The outer message of a body. Raises BadRequest when it is none."""
    if not body.startswith(MAGIC):
        raise BadRequest("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        unknown = dict(_fields(memoryview(body)[4:]))
        type_meta = dict(_fields(_view(unknown.get(1, b""))))
        return Envelope(_text(type_meta.get(1, b"")), _text(type_meta.get(2, b"")), bytes(_view(unknown.get(2, b""))))
    except ValueError as error:
        raise BadRequest(f"couldn't get version/kind; proto: {error}") from error


def decode_message(raw: bytes, name: str) -> Obj:
    """The JSON form of a message, zeros included. Raises ValueError when the bytes are malformed."""
    return _message(memoryview(raw), name)


def _message(data: memoryview, name: str) -> Obj:
    shape = message(name)
    out: Obj = {}
    for number, value in _fields(data):
        field = shape.by_number.get(number)
        if field is None:
            continue
        if field.inline:
            out.update(_message(_view(value), field.type))
        elif field.type.startswith("[]"):
            _append(out.setdefault(field.name, []), field, value)
        elif field.type.startswith("map[string]"):
            entry = dict(_fields(_view(value)))
            held = out.setdefault(field.name, {})
            held[_text(entry.get(1, b""))] = _value(entry.get(2, _empty(field.element)), field.element)
        else:
            out[field.name] = _value(value, field.type)
    return out


def _append(items: list[Any], field: Field, value: "int | memoryview") -> None:
    if field.element in ("int32", "int64", "bool") and isinstance(value, memoryview):  # packed
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            items.append(_value(number, field.element))
    else:
        items.append(_value(value, field.element))


def _empty(type_: str) -> "int | memoryview":
    return 0 if type_ in ("int32", "int64", "bool") else memoryview(b"")


def _value(value: "int | memoryview | bytes", type_: str) -> Any:
    if is_message(type_):
        return _message(_view(value), type_)
    match type_:
        case "string":
            return _text(value)
        case "bool":
            return bool(_number(value))
        case "int32" | "int64":
            return _signed(_number(value), 32 if type_ == "int32" else 64)
        case "double":
            found: float = struct.unpack("<d", _number(value).to_bytes(8, "little"))[0]
            return found
        case "bytes":
            return base64.b64encode(_view(value)).decode()
        case "quantity":
            return _text(dict(_fields(_view(value))).get(1, b"")) or "0"
        case "time" | "microtime":
            return _time(_view(value), micro=type_ == "microtime")
        case "intstr":
            return _int_or_string(_view(value))
        case "raw" | "fieldsv1":
            raw = bytes(_view(dict(_fields(_view(value))).get(1, b"")))
            return orjson.loads(raw) if raw else None
    raise ValueError(f"unexpected type {type_}")


def _time(data: memoryview, *, micro: bool) -> str | None:
    """None for the zero time: the original sends it as an empty message."""
    found = dict(_fields(data))
    if not found:
        return None
    seconds, nanos = _signed(_number(found.get(1, 0)), 64), _signed(_number(found.get(2, 0)), 32)
    try:
        moment = _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError as error:
        raise ValueError("time out of range") from error
    return format_micro_time(moment) if micro else format_time(moment)


def _int_or_string(data: memoryview) -> int | str:
    found = dict(_fields(data))
    if _number(found.get(1, 0)) == 1:
        return _text(found.get(3, b""))
    return _signed(_number(found.get(2, 0)), 32)


def _view(value: "int | memoryview | bytes") -> memoryview:
    if isinstance(value, int):
        raise ValueError("wrong wireType = 0")  # noqa: TRY004 - the bytes are wrong, not the caller
    return memoryview(value)


def _text(value: "int | memoryview | bytes") -> str:
    return str(_view(value), "utf-8")


def _number(value: "int | memoryview | bytes") -> int:
    if not isinstance(value, int):
        raise ValueError("wrong wireType = 2")  # noqa: TRY004 - the bytes are wrong, not the caller
    return value


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("unexpected EOF" if at >= len(data) else "integer overflow")


def _fields(data: memoryview) -> "list[tuple[int, int | memoryview]]":
    """The fields of a message in order: number, and the value as a number or as bytes. Raises ValueError."""
    found: list[tuple[int, int | memoryview]] = []
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise ValueError(f"illegal tag {tag}")
        if wire == _VARINT:
            value, at = _varint(data, at)
            found.append((number, value))
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"illegal wireType {wire}")
        if at + size > len(data):
            raise ValueError("unexpected EOF")
        chunk = data[at : at + size]
        at += size
        found.append((number, chunk if wire == _BYTES else int.from_bytes(chunk, "little")))
    return found
