"""Gets out of a damaged database what can still be read: `python -m drumroll.store.recovery state.db`.

The damaged file is never written to; its readable part becomes a new one. History does not survive, objects do.
"""

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from drumroll.store.journal import Journal

_ROWS = "SELECT revision, collection, key, deleted, value FROM log WHERE revision BETWEEN ? AND ? ORDER BY revision"
_LAST = 2**62
_LEAST_ROW = 64  # bytes; bounds how many rows a file can hold

Row = tuple[int, str, str, int, bytes]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came of it: the rows that could be read, and how many stretches of the file could not."""

    rows: int
    holes: int


def recover(damaged: Path, to: Path) -> Recovery:
    """Write what can be read of the database `damaged` (and its -wal file) into the new database `to`.

    Raises sqlite3.DatabaseError when nothing can be read at all, FileExistsError when `to` is there already.
    """
    if to.exists():
        raise FileExistsError(f"{to} is there already")
    with tempfile.TemporaryDirectory(prefix="drumroll-recovery-") as folder:
        copy = Path(folder) / "state.db"
        for suffix in ("", "-wal"):
            source = damaged.with_name(damaged.name + suffix)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + suffix))
        with closing(sqlite3.connect(copy, isolation_level=None)) as db:
            reader = _Reader(db)
            rows = {row[0]: row for row in reader.read(copy.stat().st_size)}
    _write(to, [rows[revision] for revision in sorted(rows)])
    return Recovery(len(rows), reader.holes)


class _Reader:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.holes = 0

    def read(self, size: int) -> Iterator[Row]:
        """Rows from the front until the first unreadable page, from the back until the last one, then between them."""
        self._db.execute("SELECT name FROM sqlite_schema").fetchall()  # without the schema there is no way in
        first, last = 0, _LAST
        for row in self._run(f"{_ROWS} ASC", 0, _LAST):
            first = row[0]
            yield row
        if not self.holes:
            return
        for row in self._run(f"{_ROWS} DESC", first + 1, _LAST):
            last = row[0]
            yield row
        self.holes = 0
        yield from self._between(first + 1, min(last - 1, first + size // _LEAST_ROW))

    def _between(self, low: int, high: int) -> Iterator[Row]:
        """Halve what cannot be read until single rows are left out."""
        if low > high:
            return
        before, found = self.holes, list(self._run(_ROWS, low, high))
        if self.holes == before:
            yield from found
        elif low < high:
            self.holes = before
            middle = (low + high) // 2
            yield from self._between(low, middle)
            yield from self._between(middle + 1, high)

    def _run(self, query: str, low: int, high: int) -> Iterator[Row]:
        try:
            for row in self._db.execute(query, (low, high)):
                if isinstance(row[4], bytes):
                    yield row
        except sqlite3.DatabaseError:
            self.holes += 1


def _write(to: Path, rows: list[Row]) -> None:
    journal = Journal(to)
    journal.open()
    journal.close()
    with closing(sqlite3.connect(to)) as db, db:
        db.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("UPDATE compacted SET revision = ?", (rows[-1][0] if rows else 0,))


def main(arguments: list[str]) -> int:
    """Recover the file that is named into one beside it; the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m drumroll.store.recovery PATH/state.db\n")
        return 2
    damaged = Path(arguments[0])
    to = damaged.with_name("recovered.db")
    try:
        done = recover(damaged, to)
    except (sqlite3.Error, OSError) as error:
        sys.stderr.write(f"nothing could be recovered: {error}\n")
        return 1
    sys.stdout.write(f"{done.rows} writes are in {to}; {done.holes} could not be read.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
