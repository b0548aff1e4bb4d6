"""Query parameters and DeleteOptions bodies, checked as the original checks them."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from drumroll.apiserver.failures import Unclassified, bad_option
from drumroll.objects.decode import DELETE_OPTIONS, decode
from drumroll.objects.errors import BadRequest, FieldError, invalid
from drumroll.objects.meta import Obj
from drumroll.objects.wire import Request

_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_POLICIES = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a create, update or patch asks for beside the object."""

    dry_run: bool
    field_validation: str
    field_manager: str
    force: bool
    manager: str = "unknown"
    """Who writes: the field manager asked for, or what the client calls itself."""


def write_options(request: Request, kind: str) -> WriteOptions:
    """The options of a write; `kind` is CreateOptions, UpdateOptions or PatchOptions. Raises Invalid."""
    if not request.query:
        return WriteOptions(False, "Warn", "", False, _user_agent(request))
    dry_run = _dry_run(tuple(value for name, value in request.query if name == "dryRun"), kind)
    validation = request.parameter("fieldValidation")
    if validation not in _VALIDATIONS:
        supported = ", ".join(f'"{name}"' for name in _VALIDATIONS)
        message = f'Unsupported value: "{validation}": supported values: {supported}'
        raise bad_option(kind, "fieldValidation", "FieldValueNotSupported", message)
    manager = request.parameter("fieldManager")
    if len(manager) > 128:
        message = "Too long: may not be more than 128 bytes"
        raise bad_option(kind, "fieldManager", "FieldValueTooLong", message)
    force = request.flag("force")
    return WriteOptions(dry_run, validation or "Warn", manager, force, manager or _user_agent(request))


def _user_agent(request: Request) -> str:
    """`kubectl` of `kubectl/v1.32.0 (linux/amd64)`. Source: apiserver endpoints/handlers/create.go."""
    name = request.headers.get("user-agent", "").partition("/")[0]
    if not name.isprintable():
        name = "".join(char for char in name if char.isprintable())
    return name.encode()[:128].decode(errors="ignore") or "unknown"


def _dry_run(values: tuple[str, ...], kind: str) -> bool:
    if any(value != "All" for value in values):
        shown = orjson.dumps(values).decode()
        message = f'Unsupported value: {shown}: supported values: "All"'
        raise bad_option(kind, "dryRun", "FieldValueNotSupported", message)
    return bool(values)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete. `policy` is empty when the kind's default holds; `grace` is in seconds, None: the object's own."""

    grace: int | None = None
    uid: str = ""
    resource_version: str = ""
    policy: str = ""
    dry_run: bool = False


def delete_options(request: Request) -> DeleteOptions:
    """From the body, or where there is none from the query. Raises BadRequest, Invalid."""
    body = _delete_body(request)
    dry_run = _dry_run(tuple(body.get("dryRun") or ()), "DeleteOptions")
    preconditions = body.get("preconditions") or {}
    policy = body.get("propagationPolicy") or ""
    if policy and policy not in _POLICIES:
        supported = '"Background", "Foreground", "Orphan", "nil"'
        raise bad_option(
            "DeleteOptions",
            "propagationPolicy",
            "FieldValueNotSupported",
            f'Unsupported value: "{policy}": supported values: {supported}',
        )
    if body.get("orphanDependents") is not None:
        policy = policy or ("Orphan" if body["orphanDependents"] else "Background")
    grace = body.get("gracePeriodSeconds")
    return DeleteOptions(
        grace, preconditions.get("uid") or "", preconditions.get("resourceVersion") or "", policy, dry_run
    )


def _delete_body(request: Request) -> Mapping[str, Any]:
    if not request.body:
        return _delete_query(request)
    if "protobuf" in request.headers.get("content-type", ""):
        return decode(request.body, request.headers["content-type"], DELETE_OPTIONS, "Ignore").obj
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(body, dict) or body.get("kind", "DeleteOptions") != "DeleteOptions":
        raise BadRequest("the object provided is unrecognized (must be of type DeleteOptions)")
    grace, preconditions = body.get("gracePeriodSeconds"), body.get("preconditions")
    if not isinstance(grace, int | None) or not isinstance(preconditions, dict | None):
        raise BadRequest("DeleteOptions cannot be handled: a field has the wrong type")
    return body


def _delete_query(request: Request) -> Mapping[str, Any]:
    found: Obj = {}
    if grace := request.parameter("gracePeriodSeconds"):
        found["gracePeriodSeconds"] = _integer(grace)
    if policy := request.parameter("propagationPolicy"):
        found["propagationPolicy"] = policy
    if request.parameter("orphanDependents"):
        found["orphanDependents"] = request.flag("orphanDependents")
    found["dryRun"] = [value for name, value in request.query if name == "dryRun"]
    return found


@dataclass(frozen=True, slots=True)
class Continue:
    """Where a listing goes on: after the key `start`, as of `revision`."""

    revision: int
    start: str

    def encode(self) -> str:
        """The token for the client."""
        token = orjson.dumps({"v": "meta.k8s.io/v1", "rv": self.revision, "start": self.start + "\0"})
        return base64.urlsafe_b64encode(token).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a list or watch asks for. `resource_version` is "" or a number in digits."""

    watch: bool
    resource_version: str
    match: str
    limit: int
    continued: Continue | None
    bookmarks: bool
    initial_events: bool | None
    timeout: float | None


def list_options(request: Request) -> ListOptions:
    """The options of a list, watch or deletecollection. Raises BadRequest, Invalid."""
    found = dict(reversed(request.query))
    watch = request.flag("watch")
    initial = found.get("sendInitialEvents")
    match, version = found.get("resourceVersionMatch", ""), found.get("resourceVersion", "")
    timeout = _integer(found["timeoutSeconds"]) if found.get("timeoutSeconds") else None
    limit = _integer(found["limit"]) if found.get("limit") else 0
    token = found.get("continue", "")
    _check_match(watch, initial, match, version)
    _check_version(version, watch)
    if token and version not in ("", "0"):
        raise BadRequest("specifying resource version is not allowed when using continue")
    return ListOptions(
        watch,
        version,
        match,
        max(limit, 0),
        _continue(token) if token else None,
        request.flag("allowWatchBookmarks"),
        None if initial is None else request.flag("sendInitialEvents"),
        float(timeout) if timeout is not None else None,
    )


def _check_match(watch: bool, initial: str | None, match: str, version: str) -> None:
    causes = []
    field = "resourceVersionMatch"
    if watch and initial is not None:
        if match != "NotOlderThan":
            message = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            causes.append(FieldError(field, "FieldValueForbidden", f"Forbidden: {message}"))
    elif initial is not None:
        message = "sendInitialEvents is forbidden for list"
        causes.append(FieldError("sendInitialEvents", "FieldValueForbidden", f"Forbidden: {message}"))
    elif match and watch:
        message = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(FieldError(field, "FieldValueForbidden", f"Forbidden: {message}"))
    elif match:
        causes.extend(_list_match(match, version))
    if causes:
        raise invalid("meta.k8s.io", "ListOptions", "", causes)


def _list_match(match: str, version: str) -> list[FieldError]:
    field, forbidden = "resourceVersionMatch", "FieldValueForbidden"
    if not version:
        message = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        return [FieldError(field, forbidden, f"Forbidden: {message}")]
    if match not in ("Exact", "NotOlderThan"):
        message = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
        return [FieldError(field, "FieldValueNotSupported", message)]
    if match == "Exact" and version == "0":
        message = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        return [FieldError(field, forbidden, f"Forbidden: {message}")]
    return []


def _check_version(version: str, watch: bool) -> None:
    if not version or (version.isascii() and version.isdigit()):
        return
    shown = orjson.dumps(version).decode()
    message = f"resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: invalid syntax"
    if watch:
        raise Unclassified(message)
    raise BadRequest(f"invalid resource version: {message}")


def _continue(token: str) -> Continue:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"continue key is not valid: {error}") from error
    try:
        decoded = orjson.loads(raw)
        return Continue(int(decoded["rv"]), str(decoded["start"]).removeprefix("/").removesuffix("\0"))
    except (orjson.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        found = f"\\x{raw[0]:02x}" if raw and raw[0] > 126 else chr(raw[0]) if raw else ""
        message = f"invalid character '{found}' looking for beginning of value"
        raise BadRequest(f"invalid continue token: continue key is not valid: {message}") from error


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        shown = orjson.dumps(text).decode()
        raise BadRequest(f"strconv.ParseInt: parsing {shown}: invalid syntax") from error
