"""A process that outlives the control plane: started in a session of its own, found again by pid and start time."""

import asyncio
import logging
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("drumroll.proxy")

STOP_SECONDS = 5.0


def start_time(pid: int) -> str | None:
    """The start time of a living process in clock ticks since boot (which makes a pid unique), else None."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]


@dataclass
class Detached:
    """A process known by its pid file, which holds pid and start time; its output goes to `log_file`."""

    name: str
    pid_file: Path
    log_file: Path
    _child: subprocess.Popen[bytes] | None = None

    def pid(self) -> int | None:
        """The pid of the running process, or None; a stale pid file is not trusted."""
        if self._child is not None:
            self._child.poll()  # reaps it when it has ended
        try:
            text, _, started = self.pid_file.read_text().strip().partition(" ")
            pid = int(text)
        except (OSError, ValueError):
            return None
        return pid if started and start_time(pid) == started else None

    def start(self, argv: Sequence[str]) -> int:
        """Start it, detached from us; the pid. Raises OSError."""
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as output:
            self._child = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
            )
        pid = self._child.pid
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        fresh = self.pid_file.with_suffix(".new")
        fresh.write_text(f"{pid} {start_time(pid)}\n")
        fresh.replace(self.pid_file)
        log.info("process_started name=%s pid=%d", self.name, pid)
        return pid

    async def wait_ended(self) -> None:
        """Return as soon as the process has ended."""
        pid = self.pid()
        if pid is None:
            return
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL when it does not listen."""
        pid = self.pid()
        if pid is None:
            return
        try:
            os.kill(pid, signal.SIGTERM)
            async with asyncio.timeout(STOP_SECONDS):
                await self.wait_ended()
        except ProcessLookupError:
            pass  # it has ended by itself
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            await self.wait_ended()
        self.pid()
        self.pid_file.unlink(missing_ok=True)
