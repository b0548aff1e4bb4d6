"""Bodies and patches of custom resources: checked against the schema of their definition instead of a message."""

from typing import Any

import orjson

from drumroll.objects import decode as plain
from drumroll.objects.conform import Mismatch, conform, unknown_paths
from drumroll.objects.custom import EMBEDDED, PRESERVE, CustomKind
from drumroll.objects.errors import BadRequest, FieldError, UnsupportedMediaType, invalid
from drumroll.objects.meta import Obj

OBJECT_META = "apimachinery.pkg.apis.meta.v1.ObjectMeta"
POD_TEMPLATE = "api.core.v1.PodTemplateSpec"
TYPES = ("application/json", plain.YAML)
_OF_EVERY_OBJECT = ("apiVersion", "kind", "metadata")


def decode_custom(body: bytes, content_type: str, kind: CustomKind, field_validation: str) -> plain.Decoded:
    """The object in a body, pruned, with apiVersion and kind set. Raises BadRequest, UnsupportedMediaType."""
    media = plain.media_type(content_type)
    if media not in TYPES:
        raise plain.unsupported(TYPES)
    is_yaml = media == plain.YAML
    value = plain.parse_body(body, kind, is_yaml=is_yaml)
    _check_type(value, kind, body)
    try:
        cleaned, unknown = pruned(value, kind)
    except (Mismatch, ValueError) as error:
        raise BadRequest(_refused(kind, str(error))) from error
    if field_validation == "Ignore":
        return plain.Decoded(cleaned, _deprecated(kind))
    repeated = _repeated(body, value, is_yaml=is_yaml)
    problems = [*repeated, *(f'unknown field "{path}"' for path in unknown)]
    if problems and field_validation == "Strict":
        raise BadRequest(_refused(kind, f"strict decoding error: {', '.join(problems)}"))
    return plain.Decoded(cleaned, (*problems, *_deprecated(kind)))


def _deprecated(kind: CustomKind) -> tuple[str, ...]:
    return (kind.definition.warning,) if kind.definition.warning else ()


def _repeated(body: bytes, value: Any, *, is_yaml: bool) -> list[str]:
    if is_yaml and body.lstrip()[:1] != b"{":
        from drumroll.objects.yaml_body import duplicate_keys

        return duplicate_keys(body)
    return [f'duplicate field "{path}"' for path in plain.duplicate_paths(body, value)]


def _refused(kind: CustomKind, reason: str) -> str:
    return f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {reason}'


def _check_type(value: Any, kind: CustomKind, body: bytes) -> None:
    if not isinstance(value, dict):
        plain.check_type(value, kind, body)
        return
    name, version = value.get("kind"), value.get("apiVersion")
    if not name:
        raise BadRequest(
            f"the object provided is unrecognized (must be of type {kind.name}): couldn't get version/kind; "
            f"Object 'Kind' is missing in '{orjson.dumps(value).decode()}'"
        )
    if not version:
        raise BadRequest(
            f"the object provided is unrecognized (must be of type {kind.name}): couldn't get version/kind; "
            f"Object 'apiVersion' is missing in '{orjson.dumps(value).decode()}'"
        )
    if (name, version) != (kind.name, kind.api_version):
        raise BadRequest(
            f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
            if version != kind.api_version
            else f"{name} in version {kind.version!r} cannot be handled as a {kind.name}: unknown kind".replace(
                "'", '"'
            )
        )


def pruned(value: Obj, kind: CustomKind) -> tuple[Obj, list[str]]:
    """A new object without the fields that the schema does not know, and the paths of these.

    Raises Mismatch or ValueError for malformed metadata.
    """
    unknown: list[str] = []
    out = _prune(value, kind.definition.schema, "", unknown, is_resource=True)
    for path in kind.definition.templates:
        _prune_template(out, path.split("."), "", unknown)
    metadata = value.get("metadata")
    cleaned, strange = conform({} if metadata is None else metadata, OBJECT_META)
    if strange:
        unknown.extend(f"metadata.{path}" for path in unknown_paths(value["metadata"], strange))
    head: Obj = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": cleaned}
    return {**head, **{name: item for name, item in out.items() if name not in head}}, unknown


def _prune(value: Any, schema: Obj, path: str, unknown: list[str], *, is_resource: bool = False) -> Any:
    if isinstance(value, dict):
        return _prune_object(value, schema, path, unknown, is_resource=is_resource or bool(schema.get(EMBEDDED)))
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            return [_prune(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    return value


def _prune_object(value: Obj, schema: Obj, path: str, unknown: list[str], *, is_resource: bool) -> Obj:
    known, extra, keep = schema.get("properties") or {}, schema.get("additionalProperties"), schema.get(PRESERVE)
    out: Obj = {}
    for name, item in value.items():
        inner = f"{path}.{name}" if path else name
        if is_resource and name in _OF_EVERY_OBJECT:
            out[name] = item
        elif name in known:
            out[name] = _prune(item, known[name], inner, unknown)
        elif isinstance(extra, dict):
            out[name] = _prune(item, extra, inner, unknown)
        elif extra is True or keep:
            out[name] = item
        else:
            unknown.append(inner)
    return out


def _prune_template(holder: Any, path: list[str], where: str, unknown: list[str]) -> None:
    """Drop, in place, what no pod's template has, below the path; `name[]` is every item of a list."""
    name, several, _ = path[0].partition("[]")
    found = holder.get(name) if isinstance(holder, dict) else None
    where = f"{where}.{name}" if where else name
    if several and isinstance(found, list):
        for index, item in enumerate(found):
            _prune_template(item, path[1:], f"{where}[{index}]", unknown)
    elif len(path) > 1:
        _prune_template(found, path[1:], where, unknown)
    elif isinstance(found, dict):
        try:
            _, strange = conform(found, POD_TEMPLATE)
        except (Mismatch, ValueError) as error:
            raise ValueError(f"{where}: {error}") from error
        if strange:
            unknown.extend(f"{where}.{inner}" for inner in unknown_paths(found, strange))
            holder[name] = _without(found, {(id(one), field) for one, field in strange})


def _without(value: Any, strange: set[tuple[int, str]]) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, strange) for key, item in value.items() if (id(value), key) not in strange}
    return [_without(item, strange) for item in value] if isinstance(value, list) else value


def patched_custom(kind: CustomKind, value: Any, problems: list[str], field_validation: str) -> plain.Decoded:
    """The result of a patch, pruned. Raises BadRequest, Invalid."""
    if not isinstance(value, dict):
        raise BadRequest("cannot unmarshal a patched object that is no object")
    _check_type(value, kind, b"")
    try:
        cleaned, unknown = pruned(value, kind)
    except (Mismatch, ValueError) as error:
        raise BadRequest(_refused(kind, str(error))) from error
    if field_validation == "Ignore":
        return plain.Decoded(cleaned)
    problems = problems + [f'unknown field "{path}"' for path in unknown]
    if problems and field_validation == "Strict":
        shown = orjson.dumps(orjson.dumps(value).decode()).decode()
        text = f"Invalid value: {shown}: strict decoding error: {', '.join(problems)}"
        raise invalid("", "", "", [FieldError("patch", "FieldValueInvalid", text)])
    return plain.Decoded(cleaned, tuple(problems))


def no_strategic_merge() -> UnsupportedMediaType:
    """Strategic merge patches need a message; a schema is not enough."""
    from drumroll.objects.wire import APPLY_PATCH, JSON_PATCH, MERGE_PATCH

    return plain.unsupported((JSON_PATCH, MERGE_PATCH, APPLY_PATCH))
