"""The production store: state in memory, SQLite as its log, group commit by one writer thread.

While a batch is on its way to disk, further writes gather; the next batch takes them all. Compare-and-set is decided
on the loop, when no batch is in flight, so the revisions of a batch that fails are simply used again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drumroll.objects.meta import Revision
from drumroll.store.interface import Change, Record, Stale, StoreError, Unavailable, Write
from drumroll.store.journal import Batch, Journal, replay
from drumroll.store.leftovers import Leftovers
from drumroll.store.state import State, StateReader, Window

log = logging.getLogger("drumroll.store")

_LARGEST_BATCH = 512
_SWEEP = 512
"""Rows deleted in one transaction."""
_MOST_LEFTOVERS = 20_000
"""Rows kept on disk for nothing, at most; beyond, every write deletes some."""
_CALM_SECONDS, _PAUSE_SECONDS = 1.0, 0.02


class SqliteStore(StateReader):
    """See `Store`. Make one with `SqliteStore.open(path)`."""

    def __init__(self, journal: Journal, state: State) -> None:
        super().__init__(state)
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._waiting: list[tuple[Write, asyncio.Future[Record]]] = []
        self._leftovers = Leftovers()
        self._flushing: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._written = 0.0  # when the last batch was
        self._open = True

    @classmethod
    def open(cls, path: Path, window: Window | None = None) -> "SqliteStore":
        """The store in the file `path`, which is made when absent. Blocks. Raises Unavailable, Damaged."""
        journal = Journal(path)
        store = cls(journal, _load(journal, window or Window()))
        store._compact()
        return store

    async def write(self, write: Write) -> Record:
        """See Store."""
        if not self._open:
            raise Unavailable("the store is closed")
        done: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return await done

    def size(self) -> int:
        """See Store."""
        return self._journal.size()

    async def close(self) -> None:
        """See Store."""
        if not self._open:
            return
        self._open = False
        if self._flushing is not None:
            await self._flushing
        self._closing.set()
        if self._sweeping is not None:
            await self._sweeping
        await self._sweep(len(self._leftovers))
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.close)
        self._thread.shutdown()

    async def _flush(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
                changes, futures = self._decide(taken)
                if not changes:
                    continue
                overdue = self._leftovers.take(_SWEEP if len(self._leftovers) > _MOST_LEFTOVERS else 0)
                try:
                    await self._append(Batch(changes, overdue))
                except Unavailable as error:
                    log.error("store_write_failed writes=%d error=%s", len(changes), error)  # noqa: TRY400
                    _fail(futures, error)
                    continue
                self._commit(changes, futures)
        finally:
            self._flushing = None
            if self._leftovers and self._sweeping is None and self._open:
                self._sweeping = asyncio.create_task(self._sweep_when_calm())

    async def _append(self, batch: Batch) -> None:
        """Raises Unavailable; then nothing of it was written."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._journal.append, batch)
        except Unavailable:
            self._leftovers.put_back(batch.sweep)
            raise
        self._leftovers.done(batch.sweep)
        if batch.changes:
            self._written = loop.time()

    async def _sweep_when_calm(self) -> None:
        """Delete in pieces, so that a write that comes meanwhile waits for some milliseconds at most."""
        try:
            while self._leftovers and self._open:
                is_calm = asyncio.get_running_loop().time() - self._written > _CALM_SECONDS
                swept = is_calm and await self._sweep(_SWEEP)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PAUSE_SECONDS if swept else _CALM_SECONDS):
                        await self._closing.wait()
        finally:
            self._sweeping = None

    async def _sweep(self, least: int) -> bool:
        try:
            await self._append(Batch((), self._leftovers.take(least)))
        except Unavailable as error:
            log.warning("store_not_swept rows=%d error=%s", len(self._leftovers), error)
            return False
        return True

    def _decide(
        self, taken: Sequence[tuple[Write, asyncio.Future[Record]]]
    ) -> tuple[list[Change], list[asyncio.Future[Record]]]:
        """Compare-and-set against the state and the writes before it in the same batch; the losers are told at once."""
        ahead: dict[tuple[str, str], Record | None] = {}
        changes: list[Change] = []
        futures: list[asyncio.Future[Record]] = []
        for write, done in taken:
            if done.cancelled():
                continue
            name = (write.collection, write.key)
            current = ahead[name] if name in ahead else self.get(*name)
            if (current.revision if current else 0) != write.expect:
                done.set_exception(Stale(write.key, current))
                continue
            revision = Revision(self._state.revision + len(changes) + 1)
            record = Record(write.key, revision, write.draft.at(revision))
            changes.append(Change(write.collection, record, current, write.deleted))
            ahead[name] = None if write.deleted else record
            futures.append(done)
        return changes, futures

    def _commit(self, changes: Sequence[Change], futures: "Sequence[asyncio.Future[Record]]") -> None:
        self._state.apply(changes)
        self._compact()
        for change, done in zip(changes, futures, strict=True):
            if not done.done():
                done.set_result(change.record)

    def _compact(self) -> None:
        useless = self._state.compact()
        self._leftovers.add(useless, self._state.compacted)


def _fail(futures: Sequence[asyncio.Future[Record]], error: Unavailable) -> None:
    for done in futures:
        if not done.done():
            done.set_exception(Unavailable(str(error)))


def _load(journal: Journal, window: Window) -> State:
    journal.open()
    state = State(window)
    try:
        state.compacted = journal.compacted()
        for change, is_history in replay(journal.load(), state.compacted):
            if is_history:
                state.apply([change])
            else:
                state.restore(change)
    except StoreError:
        journal.close()  # else its lock outlives the failure
        raise
    return state
