"""What a decision may ask for: a closed set of actions, performed in one place (`reconcile/perform.py`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from drumroll.domain.events import EventType
from drumroll.objects import wire
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Key, Obj, key_of, uid_of


@dataclass(frozen=True, slots=True)
class Notice:
    """Events for the outcome of a write: `{name}` stands for the object's name, `{error}` for what went wrong."""

    about: Obj
    done: tuple[str, str]  # reason, message
    failed: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Create:
    """Create `obj`; the server completes its generateName."""

    obj: Obj
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Replace `obj`; its resourceVersion makes the write fail when it has changed since it was read."""

    obj: Obj
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Patch:
    """Patch the object of `kind` with that key. A uid in the patch makes it fail for another object of that name."""

    kind: Kind
    key: Key
    patch: Any
    subresource: str = ""
    content_type: str = wire.MERGE_PATCH


@dataclass(frozen=True, slots=True)
class Adopt:
    """Make `owner` the controller of an orphan, after a live look that the owner is still there and not deleting."""

    owner: Obj
    kind: Kind
    key: Key
    uid: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object with that uid; one that is gone already is fine."""

    kind: Kind
    key: Key
    uid: str
    propagation_policy: str = ""
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Evict:
    """Delete a pod if its disruption budget allows that now; a refusal is no failure."""

    key: Key
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteAll:
    """Delete every object of a kind in a namespace."""

    kind: Kind
    namespace: str


@dataclass(frozen=True, slots=True)
class Record:
    """Report an event about `about`."""

    about: Obj
    type: EventType
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Together:
    """Writes that do not depend on each other: performed at the same time; all are tried."""

    actions: tuple[Create | Delete | Patch, ...]


Action: TypeAlias = Create | Update | Patch | Adopt | Delete | Evict | DeleteAll | Record | Together

Settle: TypeAlias = Callable[[Sequence[ApiError]], tuple[Action, ...]]
"""Decides, from what failed, what to do at the end of a plan (usually: which status to write)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in their order; the first that fails is the last that is tried, and `settle` follows in any case.

    `wake_at` asks for another look at that moment even if nothing changes until then.
    """

    actions: tuple[Action, ...] = ()
    wake_at: datetime | None = None
    settle: Settle | None = None


NOTHING = Plan()


def patch_of(kind: Kind, obj: Obj, patch: Obj, subresource: str = "") -> Patch:
    """A merge patch of exactly this object: another one of the same name is left alone."""
    meta = {**patch.get("metadata", {}), "uid": uid_of(obj)}
    return Patch(kind, key_of(obj), {**patch, "metadata": meta}, subresource)


def is_namespace_terminating(error: ApiError) -> bool:
    """Whether a create was refused because the namespace is going away: nothing to retry, nothing to report."""
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
