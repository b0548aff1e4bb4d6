"""Bodies of requests as objects: JSON, YAML or protobuf, checked against the kind's schema, in the original's words.

The usual case is one pass of orjson and one of the compiled checker; paths and duplicates are only looked for when
counts say that there is something to find.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from drumroll.objects.conform import Mismatch, conform, unknown_paths
from drumroll.objects.custom import CustomKind
from drumroll.objects.errors import BadRequest, UnsupportedMediaType
from drumroll.objects.gotext import syntax_error, type_name
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj
from drumroll.objects.schema import is_known, message_of

YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = ("application/json", YAML, PROTOBUF)
SCALE = Kind("autoscaling", "v1", "Scale", "scales", "scale")
DELETE_OPTIONS = Kind("", "v1", "DeleteOptions", "deleteoptions", "deleteoptions")
EVICTION = Kind("policy", "v1", "Eviction", "evictions", "eviction")
BINDING = Kind("", "v1", "Binding", "bindings", "binding")
TOKEN_REQUEST = Kind("authentication.k8s.io", "v1", "TokenRequest", "tokenrequests", "tokenrequest")

_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_SCHEME = 'in scheme "pkg/api/legacyscheme/scheme.go:30"'
_INTERNAL_GROUPS = {"": "core", "events.k8s.io": "core"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """An object that fits its schema, and the texts of warnings for the client."""

    obj: Obj
    warnings: tuple[str, ...] = ()


def media_type(content_type: str) -> str:
    """The type without its parameters, in lower case; JSON when there is none."""
    return content_type.partition(";")[0].strip().lower() or "application/json"


def decode(body: bytes, content_type: str, kind: Kind, field_validation: str = "") -> Decoded:
    """The object of `kind` in a body, with apiVersion and kind set.

    `field_validation` is Strict, Warn (also when empty) or Ignore. Raises BadRequest, UnsupportedMediaType.
    """
    if isinstance(kind, CustomKind):
        from drumroll.objects.custom_body import decode_custom

        return decode_custom(body, content_type, kind, field_validation)
    media = media_type(content_type)
    if media not in ACCEPTED:
        raise unsupported(ACCEPTED)
    try:
        if media == PROTOBUF:
            return _decode_protobuf(body, kind)
        value = parse_body(body, kind, is_yaml=media == YAML)
        check_type(value, kind, body)
        cleaned, unknown = _conform(value, kind)
        if field_validation == "Ignore":
            return Decoded(cleaned)
        problems = _problems(body, value, unknown, is_yaml=media == YAML)
    except RecursionError as error:
        raise _unrecognized(kind, "json: exceeded max depth", body) from error
    if problems and field_validation == "Strict":
        raise _refused(kind, f"strict decoding error: {', '.join(problems)}")
    return Decoded(cleaned, tuple(problems))


def unsupported(accepted: tuple[str, ...]) -> UnsupportedMediaType:
    """The error for a content type that is not among those accepted."""
    return UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    )


def typed(value: Obj, kind: Kind) -> tuple[Obj, list[str]]:
    """An object in its stored form, and the paths of the unknown fields dropped. Raises Mismatch, ValueError."""
    cleaned, unknown = conform(value, message_of(kind).name)
    head: Obj = {"kind": kind.name, "apiVersion": kind.api_version}
    return {**head, **cleaned, **head}, unknown_paths(value, unknown) if unknown else []


def duplicate_paths(body: bytes, value: Any) -> list[str]:
    """The paths of keys that a JSON body gives twice in one object. `value` is the body, parsed."""
    if _has_no_duplicates(body, value):
        return []
    return [path for path, again in _walk(_as_pairs(body), "") if again]


def _decode_protobuf(body: bytes, kind: Kind) -> Decoded:
    from drumroll.objects.protobuf import decode_message, open_envelope

    envelope = open_envelope(body)
    check_type({"apiVersion": envelope.api_version, "kind": envelope.kind}, kind, body)
    try:
        value = decode_message(envelope.raw, message_of(kind).name)
    except (ValueError, TypeError) as error:
        raise _refused(kind, f"proto: {error}") from error
    return Decoded(_conform(value, kind)[0])


def parse_body(body: bytes, kind: Kind, *, is_yaml: bool) -> Any:
    """The JSON value of a body. Raises BadRequest."""
    if is_yaml and body.lstrip()[:1] != b"{":
        from drumroll.objects.yaml_body import parse_yaml

        try:
            return parse_yaml(body)
        except ValueError as error:
            raise _unrecognized(kind, f"json parse error: {error}", body) from error
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        reason = syntax_error(body) or str(error)
        raise _unrecognized(kind, f"json parse error: {reason}", body) from error


def _unrecognized(kind: Kind, reason: str, body: bytes) -> BadRequest:
    if not body:
        shown = "<empty>"
    else:
        head = body[:30]
        shown = head.decode("utf-8", "replace") if body.startswith(b"{") else head.hex()
        shown += " ..." if len(body) > len(head) else ""
    return BadRequest(
        f"the object provided is unrecognized (must be of type {kind.name}): "
        f"couldn't get version/kind; {reason} ({shown})"
    )


def check_type(value: Any, kind: Kind, body: bytes) -> None:
    """Nothing, when a body says that it is the kind that the URL names, or names none. Raises BadRequest."""
    if value is None:
        raise _refused(kind, "json: cannot unmarshal null")
    if type(value) is not dict:
        reason = f"json parse error: json: cannot unmarshal {type_name(value)} into Go value of type {_TYPE_META}"
        raise _unrecognized(kind, reason, body)
    name, version = value.get("kind") or kind.name, value.get("apiVersion") or kind.api_version
    if name == kind.name and version == kind.api_version:
        return
    for field, found in (("apiVersion", version), ("kind", name)):
        if type(found) is not str:
            got = type_name(found)
            reason = f"json parse error: json: cannot unmarshal {got} into Go struct field .{field} of type string"
            raise _unrecognized(kind, reason, body)
    if name == kind.name == "DeleteOptions":
        return
    short = version.rpartition("/")[2]
    if not is_known(version, name):
        reason = f'no kind "{name}" is registered for version "{version}" {_SCHEME}'
    else:
        group = _INTERNAL_GROUPS.get(kind.group, kind.group.partition(".")[0])
        reason = f"converting ({short}.{name}) to ({group}.{kind.name}): unknown conversion"
    raise BadRequest(f'{name} in version "{short}" cannot be handled as a {kind.name}: {reason}')


def _conform(value: Any, kind: Kind) -> tuple[Obj, Any]:
    try:
        cleaned, unknown = conform(value, message_of(kind).name)
    except (Mismatch, ValueError) as error:
        raise _refused(kind, str(error)) from error
    head: Obj = {"kind": kind.name, "apiVersion": kind.api_version}
    return {**head, **cleaned, **head}, unknown


def _refused(kind: Kind, reason: str) -> BadRequest:
    return BadRequest(f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {reason}')


_MOST_PROBLEMS = 100  # source: sigs.k8s.io/json saveStrictError


def _problems(body: bytes, value: Any, unknown: list[tuple[Obj, str]], *, is_yaml: bool) -> list[str]:
    """What strict decoding objects to, in the order of the document; no more than the original would say."""
    return _all_problems(body, value, unknown, is_yaml=is_yaml)[:_MOST_PROBLEMS]


def _all_problems(body: bytes, value: Any, unknown: list[tuple[Obj, str]], *, is_yaml: bool) -> list[str]:
    unknown_at = unknown_paths(value, unknown) if unknown else []
    if is_yaml and body.lstrip()[:1] != b"{":
        from drumroll.objects.yaml_body import duplicate_keys

        return duplicate_keys(body) + [f'unknown field "{path}"' for path in unknown_at]
    if _has_no_duplicates(body, value):
        return [f'unknown field "{path}"' for path in unknown_at]
    wanted = set(unknown_at)
    found = (
        f'unknown field "{path}"' if path in wanted else f'duplicate field "{path}"'
        for path, again in _walk(_as_pairs(body), "")
        if again or path in wanted
    )
    return list(dict.fromkeys(found))


def _has_no_duplicates(body: bytes, value: Any) -> bool:
    """Whether the body has as many keys as the value; False also when counting could err.

    A key ends in `":`, and nothing else does: inside strings a quote is escaped.
    """
    if b'\\\\"' in body or b" :" in body or b"\n:" in body or b"\t:" in body or b"\r:" in body:
        return False
    return body.count(b'":') - body.count(b'\\":') == _count_keys(value)


def _count_keys(value: Any) -> int:
    """How many keys the objects in a JSON value have. Runs at every strict write: no generators."""
    total = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            total += len(item)
            item = item.values()
        for inner in item:
            if type(inner) is dict or type(inner) is list:
                stack.append(inner)
    return total


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, repeated keys included."""


def _as_pairs(body: bytes) -> Any:
    """A JSON body with its objects as pairs, so that repeated keys show."""
    import json

    return json.loads(body, object_pairs_hook=_Pairs)


def _walk(value: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Every key's path, and whether its object had it before."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            inner = f"{path}.{key}" if path else key
            yield inner, key in seen
            seen.add(key)
            yield from _walk(item, inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]")
