"""What the API server asks of a store: ordered, durable, compare-and-set, with a watchable history.

A collection holds the objects of one kind; a key is `namespace/name` or `name`. Every write gets the next revision:
they start at 1, have no gaps and grow in commit order, over all collections. Values are opaque bytes, except that a
value may carry its own revision: a `Draft` is what stands before and after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from drumroll.objects.meta import Revision


class StoreError(Exception):
    """Base of what a store refuses or cannot do."""


class Stale(StoreError):
    """Compare-and-set failed: `current` is what is stored now (None: nothing). Read again and retry."""

    def __init__(self, key: str, current: "Record | None") -> None:
        super().__init__(f"{key}: is at revision {current.revision if current else 0}")
        self.current = current


class Compacted(StoreError):
    """The history asked for is no longer kept: list again. `oldest` is the first revision that can be asked for."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {asked} ({oldest})")
        self.oldest = oldest


class Unavailable(StoreError):
    """Nothing can be written now (disk full, read-only, I/O error). Reads go on; a later write may succeed."""


class Damaged(StoreError):
    """What is on disk cannot be understood. Nothing was changed; docs/recovery.md tells the ways back."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A value to be; it becomes `head + str(revision) + tail`."""

    head: bytes
    tail: bytes

    def at(self, revision: int) -> bytes:
        """The value as written at `revision`."""
        return b"%b%d%b" % (self.head, revision, self.tail)


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored under a key, and the revision that wrote it."""

    key: str
    revision: Revision
    value: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """One compare-and-set: written only when the key is at `expect` (0: absent). `deleted` writes a last value."""

    collection: str
    key: str
    draft: Draft
    expect: Revision
    deleted: bool = False


@dataclass(slots=True)
class Change:
    """One committed write. `derived` is room for what readers make of it once for all of them (never persisted)."""

    collection: str
    record: Record
    previous: Record | None
    deleted: bool
    derived: dict[str, Any] = field(default_factory=dict)


class Subscription(Protocol):
    """The changes of one collection after a revision, in order; it keeps no copy, so a slow reader costs nothing."""

    def take(self) -> Sequence[Change]:
        """The changes since the last call, maybe none. Raises Compacted when the reader fell too far behind."""
        ...

    async def wait(self) -> None:
        """Return once `take` has something to give."""
        ...

    def close(self) -> None:
        """Stop. Idempotent."""
        ...


class Store(Protocol):
    """All methods belong to the event loop's thread."""

    @property
    def revision(self) -> Revision:
        """The newest committed revision; 0 in an empty store."""
        ...

    def get(self, collection: str, key: str) -> Record | None:
        """The record, or None."""
        ...

    def select(self, collection: str, prefix: str = "") -> list[Record]:
        """All records whose key starts with `prefix`, in key order, as of `revision`."""
        ...

    def select_at(self, collection: str, prefix: str, revision: Revision) -> list[Record]:
        """The same as of an earlier revision. Raises Compacted."""
        ...

    async def write(self, write: Write) -> Record:
        """The record, once it is on disk and watchers were told. Raises Stale, Unavailable; then nothing changed."""
        ...

    def subscribe(self, collection: str, after: Revision) -> Subscription:
        """Follow changes newer than `after`. Raises Compacted. Close it."""
        ...

    def counts(self) -> Mapping[str, int]:
        """How many records each collection holds."""
        ...

    def size(self) -> int:
        """Bytes on disk, 0 without one."""
        ...

    async def close(self) -> None:
        """Finish what was begun and release files. Later writes raise Unavailable."""
        ...
