"""Patches of three types applied to an object, and the result checked like a whole body.

Source: apiserver pkg/endpoints/handlers/patch.go, whose errors these are.
"""

import json
from dataclasses import dataclass
from typing import Any

import orjson

from drumroll.objects.conform import Mismatch
from drumroll.objects.custom import CustomKind
from drumroll.objects.decode import Decoded, check_type, duplicate_paths, media_type, typed, unsupported
from drumroll.objects.errors import ApiError, BadRequest, FieldError, Invalid, RequestEntityTooLarge, invalid
from drumroll.objects.gotext import go_value, syntax_error, type_name
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj
from drumroll.objects.schema import message_of
from drumroll.objects.strategic import merge_map
from drumroll.objects.wire import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH

PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH)
_MAX_OPERATIONS = 10_000
_MAX_COPIED = 3 * 1024 * 1024  # bytes that one patch may copy; Source: the same, AccumulatedCopySizeLimit


@dataclass(frozen=True, slots=True)
class _Result:
    """A patched object before it is checked. `shown` is the value that an error quotes."""

    value: Any
    shown: str
    is_strategic: bool = False


def apply_patch(kind: Kind, current: Obj, body: bytes, content_type: str, field_validation: str = "") -> Decoded:
    """`current` (which is not changed) with the patch applied, in its stored form.

    Raises BadRequest (the patch is malformed), Invalid (its result is), UnsupportedMediaType, and InternalError where
    the original answers 500.
    """
    media = media_type(content_type)
    if media not in (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH):
        raise unsupported(PATCH_TYPES)
    try:
        patch = _parse(body, media)
        result = _apply(kind, current, patch, media)
        again = (
            []
            if field_validation == "Ignore"
            else [f'duplicate field "{path}"' for path in duplicate_paths(body, patch)]
        )
        return _checked(kind, result, again, field_validation)
    except RecursionError as error:
        raise BadRequest("error decoding patch: json: exceeded max depth") from error


def _parse(body: bytes, media: str) -> Any:
    prefix = "" if media == STRATEGIC_MERGE_PATCH else "error decoding patch: "
    try:
        patch = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(prefix + (syntax_error(body) or str(error))) from error
    wanted, name = (list, "[]interface {}") if media == JSON_PATCH else (dict, "map[string]interface {}")
    if patch is None and wanted is dict:
        return {}
    if not isinstance(patch, wanted):
        raise BadRequest(f"{prefix}json: cannot unmarshal {type_name(patch)} into Go value of type {name}")
    return patch


def _apply(kind: Kind, current: Obj, patch: Any, media: str) -> _Result:
    if media == STRATEGIC_MERGE_PATCH:
        if isinstance(kind, CustomKind):
            from drumroll.objects.custom_body import no_strategic_merge

            raise no_strategic_merge()
        return _Result(merge_map(current, patch, message_of(kind)), go_value(patch), is_strategic=True)
    value = merge(current, patch) if media == MERGE_PATCH else _json_patch(current, patch)
    return _Result(value, "")


def merge(target: Any, patch: Any) -> Any:
    """A JSON merge patch applied. Source: RFC 7386, section 2. Neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


def _json_patch(current: Obj, operations: list[Any]) -> Any:
    if len(operations) > _MAX_OPERATIONS:
        raise RequestEntityTooLarge(
            f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(operations)}"
        )
    import jsonpatch
    import jsonpointer

    for operation in operations:
        if not isinstance(operation, dict):
            raise BadRequest(f"json: cannot unmarshal {type_name(operation)} into Go value of type jsonpatch.Operation")
    try:
        patch = jsonpatch.JsonPatch(operations)
        if all(operation.get("op") != "copy" for operation in operations):
            return patch.apply(current)
        return _with_copies(operations, current)
    except (
        jsonpatch.JsonPatchException,
        jsonpointer.JsonPointerException,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise _rejected() from error


def _with_copies(operations: list[Any], current: Obj) -> Any:
    """The same, one operation at a time: copies of copies would double the object with each."""
    import jsonpatch
    import jsonpointer

    value, copied = json.loads(json.dumps(current)), 0
    for operation in operations:
        if operation.get("op") == "copy" and isinstance(operation.get("from"), str):
            copied += len(orjson.dumps(jsonpointer.resolve_pointer(value, operation["from"])))
            if copied > _MAX_COPIED:
                raise _rejected()
        value = jsonpatch.JsonPatch([operation]).apply(value, in_place=True)
    return value


def _rejected() -> ApiError:
    """The original keeps to itself what is wrong with an operation."""
    return Invalid("the server rejected our request due to an error in our request", {})


def _checked(kind: Kind, result: _Result, problems: list[str], field_validation: str) -> Decoded:
    if isinstance(kind, CustomKind):
        from drumroll.objects.custom_body import patched_custom

        return patched_custom(kind, result.value, problems, field_validation)
    try:
        check_type(result.value, kind, b"")
        cleaned, unknown = typed(result.value, kind)
    except Mismatch as error:
        raise _invalid(result, _restored(error) if result.is_strategic else str(error)) from error
    except ValueError as error:
        raise _invalid(result, str(error)) from error
    if field_validation == "Ignore":
        return Decoded(cleaned)
    problems = problems + [f'unknown field "{path}"' for path in unknown]
    if problems and field_validation == "Strict":
        raise _invalid(result, f"strict decoding error: {', '.join(problems)}")
    return Decoded(cleaned, tuple(problems))


def _invalid(result: _Result, reason: str) -> ApiError:
    try:
        shown = result.shown or orjson.dumps(result.value).decode()
    except TypeError:  # nested deeper than the encoder goes
        shown = "..."
    text = f"Invalid value: {json.dumps(shown, ensure_ascii=False)}: {reason}"
    return invalid("", "", "", [FieldError("patch", "FieldValueInvalid", text)])


def _restored(mismatch: Mismatch) -> str:
    """A mismatch in the words of the converter that strategic merge uses."""
    got = mismatch.got.partition(" ")[0]
    got = {"number": "int64", "array": "slice", "object": "map"}.get(got, got)
    want = mismatch.want
    if want.startswith("[]"):
        return f"cannot restore slice from {got}"
    if want.startswith("map["):
        return f"cannot restore map from {got}"
    if mismatch.is_struct:
        return f"cannot restore struct from: {got}"
    return f"unrecognized type: {'string' if '.' in want else want}"
