"""Which process runs which part of a cluster: a lock that dies with its process, and a file that describes it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from drumroll.assembly.home import Home, Refusal
from drumroll.assembly.settings import write_atomically


@dataclass(frozen=True, slots=True)
class RunningPart:
    """A part and the process that holds its lock; `facts` are addresses and the like."""

    name: str
    pid: int
    facts: dict[str, Any] = field(default_factory=dict)


@contextmanager
def claim(home: Home, parts: tuple[str, ...]) -> Iterator[None]:
    """Hold the locks of `parts` for this process. Raises Refusal when another process runs one of them.

    The kernel drops the locks with the process, so a killed control plane never leaves a stale one.
    """
    held: list[int] = []
    try:
        for part in parts:
            descriptor = os.open(home.parts / f"{part}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            held.append(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(descriptor, 20, 0).decode() or "unknown"
                raise Refusal(
                    f"the cluster in {home.folder} is already up ({part} runs as process {owner}). "
                    "See it with `drumroll status`, stop it with `drumroll down`, or use another --home."
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)


def describe(home: Home, part: str, facts: dict[str, Any]) -> None:
    """Publish the addresses of a part that this process runs."""
    write_atomically(home.parts / f"{part}.json", orjson.dumps({"pid": os.getpid(), **facts}))


def running_parts(home: Home) -> list[RunningPart]:
    """Every part whose lock is held, with what its process published."""
    found = []
    for lock in sorted(home.parts.glob("*.lock")):
        pid = _holder(lock)
        if pid is None:
            continue
        try:
            facts = orjson.loads(lock.with_suffix(".json").read_bytes())
        except (OSError, ValueError):
            facts = {}
        facts = facts if facts.pop("pid", None) == pid else {}
        found.append(RunningPart(lock.stem, pid, facts))
    return found


def _holder(lock: Path) -> int | None:
    """The process that holds a lock, None when nobody does."""
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 20, 0).decode()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None
