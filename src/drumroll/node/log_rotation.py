"""Keeps containers' logs from filling the disk: a file that has grown is renamed, and its writer begins a new one.

Nothing is copied and no line is lost: the writer (conmon, or the shim) goes on in the renamed file until it has opened
the new one. Source of the limits: kubernetes pkg/kubelet/apis/config, containerLogMaxSize and containerLogMaxFiles.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from drumroll.node.logs import log_files

log = logging.getLogger("drumroll.node")

LIMIT = 10 * 1024 * 1024
FILES = 5
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class OpenLog:
    """The log of a running container; `reopen` asks its writer to begin a new file, and says whether there is one."""

    path: Path
    reopen: Callable[[], bool]


async def rotate_logs(running: Callable[[], Iterable[OpenLog]], now: Callable[[], datetime]) -> None:
    """Look at the logs of running containers every few seconds, until cancelled."""
    while True:
        for opened in list(running()):
            with contextlib.suppress(FileNotFoundError):  # its pod has gone meanwhile
                if opened.path.stat().st_size > LIMIT:
                    rotate(opened, now())
        await asyncio.sleep(LOOK_SECONDS)


def rotate(opened: OpenLog, now: datetime) -> bool:
    """Begin a new file and delete what is too old; False when nobody writes the log any more."""
    path = opened.path
    renamed = path.with_name(f"{path.name}.{now:%Y%m%d-%H%M%S.%f}")
    path.rename(renamed)
    if not opened.reopen():
        renamed.rename(path)
        return False
    rotated = [file for file in log_files(path) if file != path]
    for file in rotated[: max(0, len(rotated) - (FILES - 1))]:
        file.unlink(missing_ok=True)
    log.info("log_rotated path=%s", path)
    return True
