"""Reads the log files of containers: lines as `<RFC 3339 time> stdout F text`, the CRI format.

A log that grows is continued in a new file (`log_rotation.py`); readers see one log.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from drumroll.objects.meta import parse_timestamp

FOLLOW_SECONDS = 0.1
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which lines: the last `tail_lines`, those at or after `since`, at most `limit_bytes` of output."""

    follow: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class LogSource:
    """One run's log; `is_live` says whether more may come."""

    path: Path
    is_live: Callable[[], bool]


async def read_log(source: LogSource, options: LogOptions) -> AsyncIterator[bytes]:
    """The log's text in pieces, and with `follow` what is added until the container is gone."""
    left = options.limit_bytes
    async for piece in _pieces(source, options):
        if left is None:
            yield piece
            continue
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


async def _pieces(source: LogSource, options: LogOptions) -> AsyncIterator[bytes]:
    while not (files := log_files(source.path)):
        if not (options.follow and source.is_live()):
            return
        await asyncio.sleep(FOLLOW_SECONDS)
    index, offset = await asyncio.to_thread(_start, files, options)
    renderer = _Renderer(options)
    file: BinaryIO = files[index].open("rb")
    try:
        file.seek(offset)
        while True:
            live = source.is_live()  # asked before reading: what was written before the end is not missed
            for text in renderer.rendered(file):
                yield text
            if (following := _following(file, source.path)) is not None:
                for text in renderer.rendered(file):  # the writer has moved on: nothing comes after this
                    yield text
                file.close()
                file = following
            elif not options.follow or not live:
                return
            else:
                await asyncio.sleep(FOLLOW_SECONDS)
    finally:
        file.close()


def log_files(path: Path) -> list[Path]:
    """All files of one run's log, oldest first: those that were rotated away, then the one that is written."""
    rotated = sorted(path.parent.glob(f"{path.name}.*")) if path.parent.is_dir() else []
    return [*rotated, path] if path.exists() else rotated


def _start(files: list[Path], options: LogOptions) -> tuple[int, int]:
    """Where to begin: index of the file, and offset in it."""
    index = 0
    if options.since is not None:
        since = options.since.timestamp()
        while index < len(files) - 1 and files[index].stat().st_mtime < since:
            index += 1
    if options.tail_lines is None:
        return index, 0
    lines = options.tail_lines
    for number in range(len(files) - 1, index - 1, -1):
        if (offset := tail_offset(files[number], lines)) > 0 or number == index:
            return number, offset
        lines -= _count_lines(files[number])
        if lines <= 0:
            return number, 0
    return index, 0


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(map(_is_full, file))


def _following(file: BinaryIO, path: Path) -> BinaryIO | None:
    """The file that continues the one being read; None while that is the newest with anything in it."""
    here = os.fstat(file.fileno())
    try:
        if path.stat().st_ino == here.st_ino:
            return None
    except FileNotFoundError:
        return None  # renamed, and still written
    files = log_files(path)
    known = [index for index, found in enumerate(files) if found.stat().st_ino == here.st_ino]
    return files[known[0] + 1 if known else 0].open("rb")


class _Renderer:
    """Turns lines of the file into the text that was asked for. Of a long line, all parts but the last are tagged P."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._rest = b""
        self._is_new_line = True

    def rendered(self, file: BinaryIO) -> Iterator[bytes]:
        """The text of what the file has more."""
        while chunk := file.read(CHUNK):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if text := b"".join(map(self._render, lines)):
                yield text

    def _render(self, line: bytes) -> bytes:
        moment, _, tail = line.partition(b" ")
        _, _, tail = tail.partition(b" ")
        tag, _, text = tail.partition(b" ")
        if self._options.since is not None and _is_before(moment, self._options.since):
            return b""
        if moment.endswith(b"+00:00"):  # conmon's way to write UTC
            moment = moment[:-6] + b"Z"
        head = moment + b" " if self._options.timestamps and self._is_new_line else b""
        self._is_new_line = tag != b"P"
        return head + text + (b"\n" if self._is_new_line else b"")


def _is_before(moment: bytes, since: datetime) -> bool:
    try:
        return parse_timestamp(moment.decode()) < since
    except ValueError:
        return False


def tail_offset(path: Path, lines: int) -> int:
    """Where the last `lines` lines of a file begin. The parts of a long line count once."""
    size = position = path.stat().st_size
    if lines <= 0:
        return size
    found, rest = 0, b""
    with path.open("rb") as file:
        while position > 0:
            start = max(0, position - CHUNK)
            file.seek(start)
            data = file.read(position - start) + rest
            rest, *whole = data.split(b"\n") if start > 0 else (b"", *data.split(b"\n"))
            end = start + len(data)
            for line in reversed(whole):
                if line and _is_full(line):
                    found += 1
                    if found > lines:
                        return end + 1
                end -= len(line) + 1
            position = start
    return 0


def _is_full(line: bytes) -> bool:
    """Whether a line of the file ends a line of the log."""
    return line.split(b" ", 3)[2:3] != [b"P"]


def last_output(path: Path, limit: int, lines: int) -> str:
    """The last words of a run: at most `lines` lines and `limit` bytes, without times."""
    try:
        path = log_files(path)[-1]
        start = max(tail_offset(path, lines), path.stat().st_size - 4 * limit)
        with path.open("rb") as file:
            file.seek(start)
            text = b"".join(_Renderer(LogOptions()).rendered(file))
    except (OSError, IndexError):
        return ""
    return text[-limit:].decode(errors="replace")
