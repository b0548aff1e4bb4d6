"""A store without a disk, for tests: the same behaviour, nothing outlives the process."""

from drumroll.objects.meta import Revision
from drumroll.store.interface import Change, Record, Stale, Unavailable, Write
from drumroll.store.state import State, StateReader, Window


class MemoryStore(StateReader):
    """See `Store`. Every write commits at once."""

    def __init__(self, window: Window | None = None) -> None:
        super().__init__(State(window or Window()))
        self._open = True

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

    def size(self) -> int:
        """See Store."""
        return 0

    async def close(self) -> None:
        """See Store."""
        self._open = False
