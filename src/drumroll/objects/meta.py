"""Metadata that every object carries, and the names by which objects are known.

Objects travel as raw JSON mappings (`Obj`): a typed round trip would drop fields that we do not know.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NewType, TypeAlias

Obj: TypeAlias = dict[str, Any]
"""A Kubernetes object, or part of one, as decoded JSON."""

Revision = NewType("Revision", int)
"""A store revision; printed, it is a resourceVersion. Starts at 1, has no gaps, grows in commit order."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Namespace and name of an object; `namespace` is empty for cluster-wide kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: Mapping[str, Any]) -> Key:
    """The key of an object that has metadata."""
    meta = obj["metadata"]
    return Key(meta.get("namespace", ""), meta["name"])


def uid_of(obj: Mapping[str, Any]) -> str:
    """The uid of an object, empty when it has none yet."""
    uid: str = obj["metadata"].get("uid", "")
    return uid


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """The labels of an object; never None."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of an object; never None."""
    return obj["metadata"].get("annotations") or {}


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """True once deletion was asked for: the object has a deletionTimestamp."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def controller_of(obj: Mapping[str, Any]) -> Obj | None:
    """The owner reference with controller=true, of which there is at most one."""
    owners: Iterable[Obj] = obj["metadata"].get("ownerReferences") or ()
    for owner in owners:  # no generator: this is asked of every pod in every turn
        if owner.get("controller"):
            return owner
    return None


def owner_reference(owner: Mapping[str, Any]) -> Obj:
    """A controlling, deletion-blocking reference to `owner`, which must carry apiVersion and kind."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def timestamp(moment: datetime) -> str:
    """RFC 3339 in whole seconds, as metav1.Time prints: 2026-11-22T22:00:28Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(moment: datetime) -> str:
    """RFC 3339 in microseconds, as metav1.MicroTime prints: 2026-11-22T22:00:28.000000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> datetime:
    """The moment that a metav1.Time or MicroTime names. Raises ValueError when it is no RFC 3339 time."""
    return datetime.fromisoformat(text)
