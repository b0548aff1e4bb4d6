"""One request to the API and its answer, whatever carries them (TLS socket or a call in the same process)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from drumroll.objects.meta import Obj

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `system:masters` in `groups` may do everything. `extra` holds what else is known, by key."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is decoded and without query; `query` keeps repeated parameters in order; header names are lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: User = ANONYMOUS
    source: str = ""  # the client's address, when it has one

    def parameter(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)

    def flag(self, name: str) -> bool:
        """Whether a query parameter says yes: any value but 0 and false does, even none at all, as in `?watch`.

        Source: apimachinery pkg/runtime/conversion.go Convert_Slice_string_To_bool.
        """
        return self.parameter(name, "false").lower() not in ("false", "0")


@dataclass(frozen=True, slots=True)
class Response:
    """`stream` is set instead of `body` for watches and followed logs; its consumer must close it (aclose)."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One change seen by a watch."""

    type: EventType
    object: Obj
