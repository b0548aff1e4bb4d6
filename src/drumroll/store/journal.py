"""The SQLite file behind a store: the log of writes. Used by one thread at a time; knows nothing of watchers."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from drumroll.store.interface import Change, Damaged, Record, StoreError, Unavailable
from drumroll.store.leftovers import Sweep

_SCHEMA = Path(__file__).with_name("schema.sql")
_LOCK_SECONDS = 2.0
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes: new changes, and rows that nothing needs any more."""

    changes: Sequence[Change]
    sweep: Sweep


class Journal:
    """An open database. Errors of SQLite come out as Unavailable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or create the file. Raises Unavailable, Damaged."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = _connect(self._path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorname in _DAMAGE:
                raise self._damaged(str(error)) from error
            raise Unavailable(f"{self._path}: {error}") from error
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"{self._path}: {error}") from error

    def close(self) -> None:
        """Release the file. Idempotent."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def load(self) -> Iterator[tuple[int, str, str, int, bytes]]:
        """All rows in revision order: revision, collection, key, deleted, value. Raises Damaged."""
        compacted = expected = self.compacted()
        try:
            rows = self._connection().execute(
                "SELECT revision, collection, key, deleted, value FROM log ORDER BY revision"
            )
            for row in rows:
                if row[0] > compacted:
                    expected += 1
                    if row[0] != expected:
                        raise self._damaged(f"the writes {expected} to {row[0] - 1} are missing")
                yield row
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> Damaged:
        return Damaged(f"{self._path} is damaged ({why}). It was not changed; docs/recovery.md tells the ways back")

    def compacted(self) -> int:
        """The revision up to which history is gone. Raises Damaged."""
        try:
            (revision,) = self._connection().execute("SELECT revision FROM compacted").fetchone()
        except (sqlite3.DatabaseError, TypeError) as error:
            raise self._damaged(str(error)) from error
        return int(revision)

    def size(self) -> int:
        """Bytes of the database and its log."""
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def append(self, batch: Batch) -> None:
        """Commit a batch to disk, whole or not at all. Raises Unavailable, then nothing of it was written."""
        try:
            self._commit(batch)
        except (sqlite3.Error, Damaged) as error:
            self.close()
            if not self._was_written(batch):
                raise Unavailable(str(error)) from error

    def _commit(self, batch: Batch) -> None:
        db = self._connection()
        try:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?)", [_row(change) for change in batch.changes])
            if batch.sweep.revisions:
                useless = [(revision,) for revision in batch.sweep.revisions]
                db.executemany("DELETE FROM log WHERE revision = ?", useless)
                db.execute("UPDATE compacted SET revision = ?", (batch.sweep.compacted,))
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _was_written(self, batch: Batch) -> bool:
        """After a failed commit the file decides: its sync may have failed after the frames were complete."""
        try:
            found = self._connection().execute("SELECT max(revision) FROM log").fetchone()[0]
        except (sqlite3.Error, StoreError):
            return False
        return bool(batch.changes) and found == batch.changes[-1].record.revision

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self.open()
        assert self._db is not None
        return self._db


def _row(change: Change) -> tuple[int, str, str, int, bytes]:
    record = change.record
    return (record.revision, change.collection, record.key, int(change.deleted), record.value)


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives its side files the same mode
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_LOCK_SECONDS)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_SCHEMA.read_text())
    except sqlite3.Error:
        db.close()  # else its lock outlives the failure
        raise
    return db


def replay(rows: Iterator[tuple[int, str, str, int, bytes]], compacted: int) -> Iterator[tuple[Change, bool]]:
    """Every row as a change with its predecessor; the flag says whether it is history that watches may resume."""
    newest: dict[tuple[str, str], Record] = {}
    for revision, collection, key, deleted, value in rows:
        record = Record(key, revision, value)  # type: ignore[arg-type]
        change = Change(collection, record, newest.get((collection, key)), bool(deleted))
        if deleted:
            newest.pop((collection, key), None)
        else:
            newest[collection, key] = record
        yield change, revision > compacted
