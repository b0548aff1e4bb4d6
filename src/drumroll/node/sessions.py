"""A command that runs in a container for somebody who is connected to it, or that somebody's view of a container.

Both runtimes run a command as a child of this process (the OCI runtime's `exec`, or the command itself), and both
attach through a socket that conmon or the shim keeps beside the container.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import termios
import tty
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drumroll.node.descriptors import Descriptor
from drumroll.node.runtime import ContainerError
from drumroll.objects import stream
from drumroll.objects.meta import Obj
from drumroll.objects.stream import Send

_GRACE_SECONDS = 1.0
_BEGIN_SECONDS = 0.005
_TOLD_SECONDS = 5.0
_RESIZE_SECONDS = 0.03  # conmon takes only the first of two orders that it reads at once
_QUIET_SECONDS = 0.5  # children of a command that has ended may keep its output open for as long as they say something
_ATTACHED_STDOUT, _ATTACHED_STDERR = 2, 3  # the first byte of a message on conmon's attach socket


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to start. With `tty` it gets a terminal; `is_leader` makes that its controlling terminal.

    `session` finds the process id of the session to end with it; `problem` says, after a failing exit, that the
    command was not run at all.
    """

    argv: Sequence[str]
    stdin: bool
    tty: bool
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    is_leader: bool = False
    session: Callable[[], int | None] = lambda: None
    problem: Callable[[], str] = lambda: ""
    clean_up: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Ends:
    """Our ends of a process's descriptors, by channel; `theirs` are closed once it has been started."""

    outputs: dict[int, Descriptor] = field(default_factory=dict)
    stdin: Descriptor | None = None
    terminal: Descriptor | None = None
    theirs: list[int] = field(default_factory=list)


class CommandSession:
    """One running command. `run` it, then `close` it, whatever happens in between."""

    def __init__(self, launch: Launch, process: asyncio.subprocess.Process, ends: _Ends) -> None:
        self._launch = launch
        self._process = process
        self._ends = ends
        self._has_begun = False
        self._active = 0  # how many pieces of output are on their way to the client
        self._moved = 0

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    async def run(self, send: Send) -> Obj:
        """Send output until the command and its output have ended; the Status to end with."""
        pumps = {asyncio.create_task(self._pump(*output, send)) for output in self._ends.outputs.items()}
        try:
            code = await self._process.wait()
            left = pumps
            while left:
                before = self._moved
                _, left = await asyncio.wait(left, timeout=_QUIET_SECONDS)
                if self._active == 0 and self._moved == before:
                    break
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
        if code != 0 and (problem := self._launch.problem()):
            return stream.failure_status(
                f"error executing command in container: failed to exec in container: {problem}"
            )
        return stream.exit_status(code if code >= 0 else 128 - code)

    async def write(self, data: bytes) -> None:
        """Give the command input; returns when it has taken it. Without stdin it is dropped."""
        if self._ends.stdin is not None:
            await self._ends.stdin.write(data)

    def close_stdin(self) -> None:
        """Tell the command that its input has ended. A terminal's input does not end: the client's ^D does that."""
        if self._ends.stdin is not None and self._ends.stdin is not self._ends.terminal:
            self._ends.stdin.close()

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        if self._ends.terminal is not None:
            _set_size(self._ends.terminal.number, width, height)
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGWINCH)

    async def close(self) -> None:
        """End the command with all of its session, and release everything. The command gets a second after SIGHUP."""
        is_running = self._process.returncode is None
        for end in (*self._ends.outputs.values(), self._ends.stdin, self._ends.terminal):
            if end is not None:
                end.close()
        try:
            if is_running:
                await self._end()
            elif self._launch.is_leader:  # no container will end what it left behind
                _signal_session(self._process.pid, signal.SIGKILL)
        finally:
            self._launch.clean_up()

    async def _end(self) -> None:
        leader = await self._leader()
        _signal_session(leader, signal.SIGHUP)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS if leader else 0):
                await self._process.wait()
        _signal_session(self._launch.session(), signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _leader(self) -> int | None:
        """The session to end. The command may run already and the OCI runtime not yet have told its process id: ending
        only the runtime then would leave the command behind."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TOLD_SECONDS):
                while (leader := self._launch.session()) is None and self._process.returncode is None:  # noqa: ASYNC110
                    await asyncio.sleep(_BEGIN_SECONDS)
                return leader
        return None

    async def _pump(self, channel: int, output: Descriptor, send: Send) -> None:
        while data := await output.read():
            self._active += 1
            self._moved += 1
            try:
                if not await self._begun():
                    continue
                for start in range(0, len(data), stream.CHUNK):
                    await send(channel, data[start : start + stream.CHUNK])
            finally:
                self._active -= 1

    async def _begun(self) -> bool:
        """Whether output is the command's. Before that runs only the OCI runtime speaks; `run` tells what it says."""
        while not self._has_begun:
            self._has_begun = self._launch.session() is not None
            if not self._has_begun and self._process.returncode is not None:
                self._has_begun = not self._launch.problem()
                return self._has_begun
            if not self._has_begun:
                await asyncio.sleep(_BEGIN_SECONDS)
        return True


async def start_command(launch: Launch) -> CommandSession:
    """The command, running. Raises ContainerError; cleans up then."""
    ends = _Ends()
    try:
        given = _terminal(ends, is_relay=not launch.is_leader) if launch.tty else _pipes(ends, launch)
        argv = list(launch.argv)
        if launch.tty and launch.is_leader and (setsid := shutil.which("setsid")):
            argv = [setsid, "--ctty", *argv]
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=given[0],
            stdout=given[1],
            stderr=given[2],
            env=launch.env,
            cwd=launch.cwd,
            start_new_session=argv[0] == launch.argv[0],
        )
    except OSError as error:
        for end in (*ends.outputs.values(), ends.stdin):
            if end is not None:
                end.close()
        launch.clean_up()
        raise ContainerError("ExecError", f'exec: "{launch.argv[0]}": {error.strerror}') from error
    finally:
        for number in ends.theirs:
            os.close(number)
    return CommandSession(launch, process, ends)


def _terminal(ends: _Ends, *, is_relay: bool) -> tuple[int, int, int]:
    ours, theirs = os.openpty()
    ends.theirs.append(theirs)
    if is_relay:
        tty.setraw(theirs)  # it only passes on: another terminal behind it does the work
    ends.terminal = ends.stdin = Descriptor(ours)
    ends.outputs[stream.STDOUT] = ends.terminal
    return theirs, theirs, theirs


def _pipes(ends: _Ends, launch: Launch) -> tuple[int, int, int]:
    given = []
    if launch.stdin:
        theirs, ours = os.pipe()
        ends.stdin = Descriptor(ours)
    else:
        theirs = os.open(os.devnull, os.O_RDONLY)
    ends.theirs.append(theirs)
    given.append(theirs)
    for channel in (stream.STDOUT, stream.STDERR):
        ours, theirs = os.pipe()
        ends.outputs[channel] = Descriptor(ours)
        ends.theirs.append(theirs)
        given.append(theirs)
    return given[0], given[1], given[2]


def _set_size(number: int, width: int, height: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(number, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def _signal_session(leader: int | None, number: signal.Signals) -> None:
    """Signal every process of a session: shells give their jobs groups of their own."""
    if not leader:
        return
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == leader:
                os.kill(int(folder.name), number)


class AttachSession:
    """Somebody's view of a container's first process, through the attach socket beside it."""

    def __init__(self, sock: socket.socket, control: Path, *, tty: bool) -> None:
        self._sock = sock
        self._messages = Descriptor(os.dup(sock.fileno()))
        self._control = control
        self._tty = tty
        self._sizes: deque[tuple[int, int]] = deque()

    async def run(self, send: Send) -> Obj:
        """Send output until the container has ended; how it ended is in its pod's status."""
        while message := await self._messages.read():
            if message[0] in (_ATTACHED_STDOUT, _ATTACHED_STDERR):
                channel = stream.STDERR if message[0] == _ATTACHED_STDERR and not self._tty else stream.STDOUT
                await send(channel, message[1:])
        return stream.success()

    async def write(self, data: bytes) -> None:
        """Give the container input. It is dropped when the container has no stdin."""
        for start in range(0, len(data), 8192):
            await self._messages.write(data[start : start + 8192])

    def close_stdin(self) -> None:
        """Say that no more comes: it ends the container's input when that was asked to last only once."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def resize(self, width: int, height: int) -> None:
        """Give the container's terminal another size."""
        self._sizes.append((height, width))
        if len(self._sizes) == 1:
            self._send_size()

    def _send_size(self) -> None:
        height, width = self._sizes[0]
        write_control(self._control, f"1 {height} {width}\n")
        asyncio.get_running_loop().call_later(_RESIZE_SECONDS, self._sent_size)

    def _sent_size(self) -> None:
        self._sizes.popleft()
        if self._sizes:
            self._send_size()

    async def close(self) -> None:
        """Detach. The container runs on."""
        self._messages.close()
        self._sock.close()


async def attach(folder: Path, *, tty: bool) -> AttachSession:
    """A view through the socket `attach` in a container's folder. Raises ContainerError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)  # the socket's own path may be too long for an address
    try:
        sock.connect(f"/proc/self/fd/{handle}/attach")
    except OSError as error:
        sock.close()
        raise ContainerError("AttachError", f"cannot attach to the container: {error.strerror}") from error
    finally:
        os.close(handle)
    return AttachSession(sock, folder / "ctl", tty=tty)


def write_control(control: Path, line: str) -> bool:
    """One line to conmon or the shim; False when nobody is there to read it."""
    try:
        number = os.open(control, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        os.write(number, line.encode())
    except OSError:
        return False
    finally:
        os.close(number)
    return True
