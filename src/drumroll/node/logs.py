"""Reads the log files of containers: lines as `<RFC 3339 time> stdout F text`, the CRI format."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

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
    while not source.path.exists():
        if not (options.follow and source.is_live()):
            return
        await asyncio.sleep(FOLLOW_SECONDS)
    with source.path.open("rb") as file:
        if options.tail_lines is not None:
            file.seek(tail_offset(source.path, options.tail_lines))
        rest = b""
        while True:
            live = source.is_live()  # asked before reading: what was written before the end is not missed
            while chunk := file.read(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                if text := b"".join(_render(line, options) for line in lines):
                    yield text
            if not options.follow or not live:
                return
            await asyncio.sleep(FOLLOW_SECONDS)


def _render(line: bytes, options: LogOptions) -> bytes:
    moment, _, tail = line.partition(b" ")
    _, _, tail = tail.partition(b" ")
    tag, _, text = tail.partition(b" ")
    if options.since is not None and _is_before(moment, options.since):
        return b""
    end = b"" if tag == b"P" else b"\n"
    return (moment + b" " if options.timestamps else b"") + text + end


def _is_before(moment: bytes, since: datetime) -> bool:
    try:
        return parse_timestamp(moment.decode()) < since
    except ValueError:
        return False


def tail_offset(path: Path, lines: int) -> int:
    """Where the last `lines` lines of a file begin."""
    size = position = path.stat().st_size
    if lines <= 0:
        return size
    found = 0
    with path.open("rb") as file:
        while position > 0:
            start = max(0, position - CHUNK)
            file.seek(start)
            block = file.read(position - start)
            end = len(block) - 1 if position == size and block.endswith(b"\n") else len(block)
            while (newline := block.rfind(b"\n", 0, end)) != -1:
                found += 1
                if found == lines:
                    return start + newline + 1
                end = newline
            position = start
    return 0


def last_output(path: Path, limit: int, lines: int) -> str:
    """The last words of a run: at most `lines` lines and `limit` bytes, without times."""
    try:
        start = max(tail_offset(path, lines), path.stat().st_size - 4 * limit)
        with path.open("rb") as file:
            file.seek(start)
            text = b"".join(_render(line, LogOptions()) for line in file.read().split(b"\n") if line)
    except OSError:
        return ""
    return text[-limit:].decode(errors="replace")
