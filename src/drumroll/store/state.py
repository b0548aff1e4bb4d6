"""The state of all collections in memory, with a window of their history: what both stores share.

It only learns of writes that are durable. Nothing here waits or does I/O.
"""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakSet

from drumroll.objects.meta import Revision
from drumroll.store.interface import Change, Compacted, Record

_TRIM = 1024
_FRESH = 512


@dataclass(frozen=True, slots=True)
class Window:
    """How much history is kept for readers that come back: whichever bound is reached first."""

    changes: int = 20_000
    bytes: int = 24_000_000


class Collection:
    """Records by key, keys in order, and the kept changes: `log[i]` has the absolute index `base + i`."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.keys: list[str] = []
        self.log: list[Change] = []
        self.base = 0
        self.dropped = 0
        self.forgotten = 0  # revision of the newest change that is no longer kept
        self.readers: WeakSet[Reader] = WeakSet()  # an abandoned watch must not be kept

    def apply(self, change: Change) -> None:
        """Make a change the current state, and remember it."""
        key = change.record.key
        if change.deleted:
            if self.records.pop(key, None) is not None:
                del self.keys[bisect_left(self.keys, key)]
        else:
            if key not in self.records:
                insort(self.keys, key)
            self.records[key] = change.record
        self.log.append(change)

    def forget_oldest(self) -> None:
        """Drop the oldest kept change; memory is given back in strides."""
        self.forgotten = self.log[self.dropped].record.revision
        self.dropped += 1
        if self.dropped >= _TRIM or self.dropped == len(self.log):
            del self.log[: self.dropped]
            self.base += self.dropped
            self.dropped = 0

    @property
    def oldest(self) -> int:
        """Absolute index of the oldest kept change."""
        return self.base + self.dropped

    def select(self, prefix: str) -> list[Record]:
        """Records whose key starts with `prefix`, in key order."""
        if not prefix:
            return [self.records[key] for key in self.keys]
        found = []
        for index in range(bisect_left(self.keys, prefix), len(self.keys)):
            key = self.keys[index]
            if not key.startswith(prefix):
                break
            found.append(self.records[key])
        return found

    def index_after(self, revision: int) -> int:
        """Absolute index of the first change newer than `revision`."""
        return self.base + bisect_right(self.log, revision, key=lambda change: change.record.revision)


class Reader:
    """A subscription: a position in a collection's log, and a bell."""

    def __init__(self, collection: Collection, position: int, after: int) -> None:
        self._collection = collection
        self._after = after
        self._position = position
        self.bell = asyncio.Event()
        collection.readers.add(self)

    def take(self) -> Sequence[Change]:
        """See Subscription."""
        collection = self._collection
        if self._position < collection.oldest:
            raise Compacted(self._after, collection.forgotten)
        changes = collection.log[self._position - collection.base :]
        if changes:
            self._position = collection.base + len(collection.log)
            self._after = changes[-1].record.revision
        return changes

    async def wait(self) -> None:
        """See Subscription."""
        while self._position >= self._collection.base + len(self._collection.log):
            self.bell.clear()
            await self.bell.wait()

    def close(self) -> None:
        """See Subscription."""
        self._collection.readers.discard(self)


class State:
    """All collections as of `revision`, and the changes since `compacted`."""

    def __init__(self, window: Window) -> None:
        self.revision = 0
        self.compacted = 0
        self._window = window
        self._collections: dict[str, Collection] = {}
        self._history: deque[Change] = deque()
        self._bytes = 0
        self._fresh: deque[Change] = deque()  # the newest changes, whose derived forms are worth their memory

    def collection(self, name: str) -> Collection:
        """The collection, made when it is first asked for."""
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = Collection()
        return found

    def counts(self) -> dict[str, int]:
        """How many records each collection holds."""
        return {name: len(collection.records) for name, collection in self._collections.items()}

    def apply(self, changes: Iterable[Change]) -> None:
        """Make committed changes visible, in revision order, and ring for their readers."""
        touched = set()
        for change in changes:
            collection = self.collection(change.collection)
            collection.apply(change)
            self._history.append(change)
            self._bytes += len(change.record.value)
            self.revision = change.record.revision
            touched.add(collection)
            self._keep_fresh(change)
        for collection in touched:
            for reader in collection.readers:
                reader.bell.set()

    def _keep_fresh(self, change: Change) -> None:
        self._fresh.append(change)
        if len(self._fresh) > _FRESH:
            self._fresh.popleft().derived.clear()

    def restore(self, change: Change) -> None:
        """Take a record from before the kept history into the current state."""
        collection = self.collection(change.collection)
        collection.apply(change)
        collection.forget_oldest()
        self.revision = change.record.revision

    def compact(self) -> list[int]:
        """Shrink the history to the window. Returns the revisions that no kept revision needs any more."""
        useless: list[int] = []
        while len(self._history) > 1 and (
            len(self._history) > self._window.changes or self._bytes > self._window.bytes
        ):
            change = self._history.popleft()
            self._bytes -= len(change.record.value)
            self.collection(change.collection).forget_oldest()
            self.compacted = change.record.revision
            if change.previous is not None:
                useless.append(change.previous.revision)
            if change.deleted:
                useless.append(change.record.revision)
        return useless

    def select_at(self, collection: str, prefix: str, revision: Revision) -> list[Record]:
        """Records as of `revision`: the current ones with every later change undone."""
        if revision < self.compacted:
            raise Compacted(revision, self.compacted)
        source = self.collection(collection)
        found = {record.key: record for record in source.select(prefix)}
        first = source.index_after(revision) - source.base
        for change in reversed(source.log[first:]):
            if not change.record.key.startswith(prefix):
                continue
            if change.previous is None:
                found.pop(change.record.key, None)
            else:
                found[change.record.key] = change.previous
        return [found[key] for key in sorted(found)]

    def subscribe(self, collection: str, after: Revision) -> Reader:
        """A reader of what comes after `after`."""
        if after < self.compacted:
            raise Compacted(after, self.compacted)
        source = self.collection(collection)
        return Reader(source, source.index_after(after), after)


class StateReader:
    """The half of `Store` that only reads, answered from a state; a store adds `write`, `size` and `close`."""

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def revision(self) -> Revision:
        """See Store."""
        return Revision(self._state.revision)

    def get(self, collection: str, key: str) -> Record | None:
        """See Store."""
        return self._state.collection(collection).records.get(key)

    def select(self, collection: str, prefix: str = "") -> list[Record]:
        """See Store."""
        return self._state.collection(collection).select(prefix)

    def select_at(self, collection: str, prefix: str, revision: Revision) -> list[Record]:
        """See Store."""
        return self._state.select_at(collection, prefix, revision)

    def subscribe(self, collection: str, after: Revision) -> Reader:
        """See Store."""
        return self._state.subscribe(collection, after)

    def counts(self) -> Mapping[str, int]:
        """See Store."""
        return self._state.counts()
