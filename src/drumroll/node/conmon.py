"""runc under conmon: conmon stays beside the container, writes its log and its exit code, and outlives us."""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drumroll.node.descriptors import settle
from drumroll.node.rootfs_mounts import libc
from drumroll.node.runtime import ContainerError, ContainerSpec

_CHOICE = Path("/run/drumroll/oci-runtime")
_CREATE_TIMEOUT = 30.0  # seconds
_IN_CLOSE_WRITE = 0x8
_IN_MOVED_TO = 0x80
_EVENT_HEADER = 16  # bytes of struct inotify_event before the name


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs that run containers."""

    runtime: str
    conmon: str


def runtime_candidates() -> list[str]:
    """The OCI runtimes that are installed, the preferred one first."""
    return [path for name in ("runc", "crun") if (path := shutil.which(name))]


def remember_runtime(runtime: str) -> None:
    """Let `find_programs` choose this one until the next boot."""
    _CHOICE.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _CHOICE.write_text(runtime)


def find_programs() -> Programs | str:
    """The pair to use, or the sentence that says what is missing."""
    candidates = runtime_candidates()
    if not candidates:
        return "`runc` is not installed (Debian: runc)."
    conmon = shutil.which("conmon")
    if conmon is None:
        return "`conmon` is not installed (Debian: conmon)."
    try:
        chosen = _CHOICE.read_text()
    except OSError:
        chosen = ""
    return Programs(chosen if chosen in candidates else candidates[0], conmon)


@dataclass(frozen=True, slots=True)
class OciRuntime:
    """The OCI runtime with its state below `run_folder`, which is short because sockets live there."""

    programs: Programs
    run_folder: Path

    @property
    def exits(self) -> Path:
        """conmon writes a container's exit code into a file of its id here."""
        return self.run_folder / "exits"

    @property
    def state(self) -> Path:
        """The OCI runtime's own files."""
        return self.run_folder / "oci"

    @property
    def sockets(self) -> Path:
        """conmon's attach sockets."""
        return self.run_folder / "attach"

    def make_folders(self) -> None:
        """Make the folders above."""
        for folder in (self.exits, self.state, self.sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def create(self, container_id: str, bundle: Path, log_path: Path, options: Sequence[str] = ()) -> int:
        """Create the container described in `bundle` under a conmon of its own; the process id of its program.

        `options` are more options for conmon. The program waits for `start`. Raises ContainerError with the
        runtime's message.
        """
        log_path.parent.mkdir(parents=True, exist_ok=True)
        sync_reader, sync_writer = os.pipe()
        start_reader, start_writer = os.pipe()
        ours, theirs = [sync_reader, start_writer], [sync_writer, start_reader]
        try:
            with (bundle / "conmon.log").open("ab") as errors:
                process = await asyncio.create_subprocess_exec(
                    *self._conmon(container_id, bundle, log_path),
                    *options,
                    env={**os.environ, "_OCI_SYNCPIPE": str(sync_writer), "_OCI_STARTPIPE": str(start_reader)},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=errors,
                    pass_fds=theirs,
                    cwd=bundle,
                    start_new_session=True,
                )
            while theirs:
                os.close(theirs.pop())
            with contextlib.suppress(BrokenPipeError):  # conmon has given up already: its log says why
                os.write(start_writer, b"\0")
            async with asyncio.timeout(_CREATE_TIMEOUT):
                answer = await _read_line(sync_reader)
            await process.wait()
        except TimeoutError:
            raise ContainerError("CreateContainerError", "the container runtime did not answer in 30s") from None
        finally:
            for descriptor in (*ours, *theirs):
                os.close(descriptor)
        return _created_pid(answer, bundle)

    async def start(self, container_id: str) -> None:
        """Let the created container's program run. Raises ContainerError."""
        await self.run("start", container_id)

    async def delete(self, container_id: str) -> None:
        """Kill what still runs in it and let the OCI runtime forget it. Unknown ones are fine."""
        if (self.state / container_id).exists():
            with contextlib.suppress(ContainerError):
                await self.run("delete", "--force", container_id)

    def forget(self, container_id: str) -> None:
        """Delete what conmon left of the container."""
        (self.exits / container_id).unlink(missing_ok=True)
        for socket in self.sockets.glob(f"{container_id[:60]}*"):  # conmon shortens long names
            socket.unlink(missing_ok=True)

    async def run(self, *arguments: str) -> None:
        """Run one command of the OCI runtime. Raises ContainerError with its message."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        if process.returncode != 0:
            raise ContainerError("RunContainerError", runtime_message(errors.decode(errors="replace")))

    def command(self, *arguments: str) -> tuple[str, ...]:
        """The command line of the OCI runtime with its state folder."""
        return (self.programs.runtime, "--root", str(self.state), *arguments)

    def _conmon(self, container_id: str, bundle: Path, log_path: Path) -> list[str]:
        return [
            self.programs.conmon,
            *("--cid", container_id, "--cuuid", container_id, "--name", container_id[:12]),
            *("--runtime", self.programs.runtime, "--runtime-arg", f"--root={self.state}"),
            *("--bundle", str(bundle), "--persist-dir", str(bundle)),
            *("--container-pidfile", str(bundle / "pid"), "--conmon-pidfile", str(bundle / "conmon.pid")),
            *("--exit-dir", str(self.exits), "--socket-dir-path", str(self.sockets)),
            *("--log-path", f"k8s-file:{log_path}", "--no-sync-log", "--log-level", "warning"),
        ]


def conmon_options(spec: ContainerSpec) -> tuple[str, ...]:
    """What conmon has to know of a container's input and terminal."""
    options = ["--terminal"] if spec.tty else []
    if spec.stdin:
        options += ["--stdin"] if spec.stdin_once else ["--stdin", "--leave-stdin-open"]
    return tuple(options)


def runtime_message(errors: str) -> str:
    """The last error in an OCI runtime's output, without its own log format."""
    lines = [line for line in errors.splitlines() if line.strip()]
    if not lines:
        return "the container runtime failed without a message"
    last = lines[-1]
    try:
        parsed = json.loads(last)
        last = str(parsed.get("msg", last))
    except (ValueError, AttributeError):
        marker = 'msg="'
        if marker in last:
            last = last.split(marker, 1)[1].rsplit('"', 1)[0].replace('\\"', '"')
    return last.strip()


def _created_pid(answer: bytes, bundle: Path) -> int:
    try:
        report = json.loads(answer)
    except ValueError:
        words = (bundle / "conmon.log").read_text(encoding="utf-8", errors="replace").strip()
        raise ContainerError("CreateContainerError", f"conmon failed: {words or 'no message'}") from None
    pid = int(report.get("pid", report.get("data", -1)))
    if pid <= 0:
        raise ContainerError("RunContainerError", runtime_message(str(report.get("message", ""))))
    return pid


async def _read_line(descriptor: int) -> bytes:
    """One line (or all until the end) from a pipe."""
    loop = asyncio.get_running_loop()
    os.set_blocking(descriptor, False)
    collected = b""
    while not collected.endswith(b"\n"):
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(descriptor, settle, ready)
        try:
            await ready
        finally:
            loop.remove_reader(descriptor)
        chunk = os.read(descriptor, 65536)
        if not chunk:
            break
        collected += chunk
    return collected


class FolderWatch:
    """Calls `changed(name)` in the event loop for every file that is written or moved into a folder."""

    def __init__(self, folder: Path, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        watched = libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _IN_CLOSE_WRITE | _IN_MOVED_TO)
        if self._descriptor < 0 or watched < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(folder))
        self._loop.add_reader(self._descriptor, self._read)

    @property
    def is_open(self) -> bool:
        """Whether the event loop that it reports to still runs."""
        return not self._loop.is_closed()

    def close(self) -> None:
        """Stop watching."""
        if self.is_open:
            self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            events = os.read(self._descriptor, 65536)
            while events:
                length = int.from_bytes(events[12:_EVENT_HEADER], "little")
                name = events[_EVENT_HEADER : _EVENT_HEADER + length].rstrip(b"\0").decode()
                events = events[_EVENT_HEADER + length :]
                self._changed(name)
