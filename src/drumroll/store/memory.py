"""A store without a disk, for tests: the same behaviour, nothing outlives the process."""

from collections.abc import Mapping

from drumroll.objects.meta import Revision
from drumroll.store.interface import Change, Record, Stale, Subscription, Unavailable, Write
from drumroll.store.state import State, Window


class MemoryStore:
    """See `Store`. Every write commits at once."""

    def __init__(self, window: Window | None = None) -> None:
        self._state = State(window or Window())
        self._open = True

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

    async def write(self, write: Write) -> Record:
        """See Store."""
        if not self._open:
            raise Unavailable("the store is closed")
        current = self.get(write.collection, write.key)
        if (current.revision if current else 0) != write.expect:
            raise Stale(write.key, current)
        revision = Revision(self._state.revision + 1)
        record = Record(write.key, revision, write.draft.at(revision))
        self._state.apply([Change(write.collection, record, current, write.deleted)])
        self._state.compact()
        return record

    def subscribe(self, collection: str, after: Revision) -> Subscription:
        """See Store."""
        return self._state.subscribe(collection, after)

    def counts(self) -> Mapping[str, int]:
        """See Store."""
        return self._state.counts()

    def size(self) -> int:
        """See Store."""
        return 0

    async def close(self) -> None:
        """See Store."""
        self._open = False
