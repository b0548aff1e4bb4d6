"""Errors that the API reports, one class per Status reason, and their form on the wire.

ApiError
├── BadRequest 400              ├── Conflict 409            ├── TooManyRequests 429
├── Unauthorized 401            ├── AlreadyExists 409       ├── InternalError 500
├── Forbidden 403               ├── Expired 410             ├── ServiceUnavailable 503
├── NotFound 404                ├── RequestEntityTooLarge 413  └── Timeout 504
├── MethodNotAllowed 405        ├── UnsupportedMediaType 415
├── NotAcceptable 406           └── Invalid 422
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from drumroll.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class FieldError:
    """One cause of an Invalid error: `reason` is e.g. FieldValueInvalid, `message` the text after the field path."""

    field: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class ApiError(Exception):
    """Base of all errors that the API reports. `details` is Status.details, when there are any."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, details: Obj | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def to_status(self) -> Obj:
        """The v1 Status object that the original would send."""
        status: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }
        return {key: value for key, value in status.items() if value is not None and value != ""}


class BadRequest(ApiError):
    """The request cannot be understood."""

    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    """Credentials were sent and are wrong."""

    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    """Understood, and refused."""

    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    """No such object, or no such path."""

    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    """The path exists, the verb does not."""

    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    """No representation that the client accepts."""

    code, reason = 406, "NotAcceptable"


class AlreadyExists(ApiError):
    """The name is taken."""

    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    """The object changed since it was read, or a precondition failed: read again and retry."""

    code, reason = 409, "Conflict"


class Expired(ApiError):
    """The revision asked for is compacted: list again."""

    code, reason = 410, "Expired"


class RequestEntityTooLarge(ApiError):
    """The body is larger than the server takes."""

    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    """The body's content type is not understood."""

    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    """The object breaks rules; `details.causes` names each."""

    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    """Come back later."""

    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    """Our fault."""

    code, reason = 500, "InternalError"


class ServiceUnavailable(ApiError):
    """Not now: e.g. the disk is full. Reads may still work."""

    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    """The server did not finish in time."""

    code, reason = 504, "Timeout"


def invalid(group: str, kind: str, name: str, causes: Sequence[FieldError]) -> Invalid:
    """All `causes` in one error, worded as the original words one cause or several: equal ones are said once."""
    texts = list(dict.fromkeys(map(str, causes)))
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified = f"{kind}.{group}" if group else kind
    details: Obj = {"name": name, "group": group, "kind": kind}
    details = {key: value for key, value in details.items() if value}
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    return Invalid(f'{qualified} "{name}" is invalid: {text}', details)


def not_found(group: str, plural: str, name: str) -> NotFound:
    """The original's words for a missing object."""
    qualified = f"{plural}.{group}" if group else plural
    details = {"name": name, "group": group, "kind": plural}
    return NotFound(f'{qualified} "{name}" not found', {key: value for key, value in details.items() if value})


def from_status(code: int, status: Mapping[str, Any]) -> ApiError:
    """The error that a Status object reports; falls back on the HTTP code when the reason is unknown."""
    reason, message = status.get("reason", ""), status.get("message", f"the server answered {code}")
    kinds = ApiError.__subclasses__()
    found = next((kind for kind in kinds if kind.reason == reason), None)
    found = found or next((kind for kind in kinds if kind.code == code), ApiError)
    return found(message, status.get("details"))
