"""The parent of one container's program in loopback isolation; it outlives the control plane.

Run as `python -I -S shim.py FOLDER`, where FOLDER holds `run.json` (argv, env, working_dir, log_path,
stdin, stdin_once, tty).
It writes `started.json`, says so on its standard output, then writes log lines in the CRI format, and last
`exited.json`. It holds FOLDER/alive (a FIFO) open until it ends: whoever reads that FIFO wakes up the moment the
program is gone. Standard library only, kept tiny: one of these runs for each container.
"""

import _socket  # socket itself would triple the memory of a shim
import contextlib
import fcntl
import json
import os
import select
import signal
import struct
import sys
import termios
import time

CHUNK = 16384
MESSAGE = 32768
PATIENCE = 5000  # milliseconds for somebody who looks on and does not take what is shown


def main(folder: str) -> None:
    """Detach, run the program, keep its output, note its end."""
    os.closerange(3, 1024)  # uvloop leaves its socket pairs' ends open: our starter would never see our output end
    os.chdir(folder)
    alive = os.open("alive", os.O_RDWR)
    if os.fork():
        os._exit(0)
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with open("run.json", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs start-up time and memory
        run = json.load(file)
    log = os.open(run["log_path"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    attached = _Attached(run, log)
    theirs, stdin, readers = _terminal() if run.get("tty") else _pipes(bool(run.get("stdin")))
    pid = os.fork()
    if pid == 0:
        _become(run, theirs)
    started = {"pid": pid, "shim": os.getpid(), "ticks": start_ticks(pid), "started_at": time.time()}
    _write("started.json", {**started, "stop_signal": run["stop_signal"]})
    for descriptor in set(theirs):
        os.close(descriptor)
    os.write(1, b"started")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    attached.stdin = stdin
    code = _follow(pid, log, readers, attached)
    _write("exited.json", {"exit_code": code, "finished_at": time.time()})
    os.close(alive)


def _terminal() -> tuple:  # type: ignore[type-arg]
    """The program's descriptors 0 to 2, its input and its outputs: all one terminal."""
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    return (theirs, theirs, theirs), os.dup(ours), {ours: "stdout"}


def _pipes(has_stdin: bool) -> tuple:  # type: ignore[type-arg]
    """The program's descriptors 0 to 2, its input (-1: none) and its outputs."""
    stdin, writer = os.pipe() if has_stdin else (os.open(os.devnull, os.O_RDONLY), -1)
    outputs = {name: os.pipe() for name in ("stdout", "stderr")}
    if has_stdin:
        os.set_blocking(writer, False)
    for reader, _ in outputs.values():
        os.set_blocking(reader, False)
    theirs = (stdin, outputs["stdout"][1], outputs["stderr"][1])
    return theirs, writer, {reader: name for name, (reader, _) in outputs.items()}


def _become(run: dict, theirs: tuple) -> None:  # type: ignore[type-arg]
    """Turn into the program; never returns. A program that cannot be run exits 127 and says why in its log."""
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        for standard, descriptor in enumerate(theirs):
            os.dup2(descriptor, standard)
        if run.get("tty"):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.chdir(run["working_dir"])
        os.execvpe(run["argv"][0], run["argv"], run["env"])
    except OSError as error:
        os.write(2, f"cannot run {run['argv'][0]}: {error.strerror}\n".encode())
    os._exit(127)


class _Attached:
    """Those who look at the program through the socket `attach`, and orders through the FIFO `ctl`.

    Both speak as conmon's: messages with the stream's number (2 or 3) in front go out, input comes in; an order is
    `1 <height> <width>` (size of the terminal) or `2 0 0` (open the log again).
    """

    def __init__(self, run: dict, log: int) -> None:  # type: ignore[type-arg]
        self.stdin = -1
        self._run = run
        self._log = log
        self._clients: dict = {}  # type: ignore[type-arg]
        self._talking: set = set()  # type: ignore[type-arg]
        self._pending = b""
        self._is_last = False
        self._listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self._listener.bind("attach")  # relative: the whole path may be too long for an address
        self._listener.listen(8)
        self._listener.setblocking(False)
        self._orders = os.open("ctl", os.O_RDWR | os.O_NONBLOCK)

    def interest(self) -> list:  # type: ignore[type-arg]
        """What to wait for: pairs of descriptor and events. Input is not taken while the program leaves some unread."""
        waits = [(self._listener.fileno(), select.POLLIN), (self._orders, select.POLLIN)]
        if self._pending:
            return [*waits, (self.stdin, select.POLLOUT)]
        return [*waits, *((number, select.POLLIN) for number in self._talking)]

    def serve(self, descriptor: int) -> None:
        """Something happened on one of these descriptors."""
        if descriptor == self._listener.fileno():
            number, _ = self._listener._accept()  # type: ignore[attr-defined]
            client = self._clients[number] = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, number)
            client.setblocking(False)
            self._talking.add(number)
        elif descriptor == self._orders:
            for line in os.read(descriptor, 4096).decode().splitlines():
                self._obey(line.split())
        elif descriptor in self._talking and not self._pending:
            self._take(descriptor)
        elif descriptor == self.stdin:
            self._feed()

    def show(self, stream: str, data: bytes) -> None:
        """Send output to everybody who looks; who does not take it for long looks no more."""
        for number, client in list(self._clients.items()):
            try:
                client.send((b"\2" if stream == "stdout" else b"\3") + data)
            except BlockingIOError:
                ready = select.poll()
                ready.register(number, select.POLLOUT)
                ready.poll(PATIENCE)
                try:
                    client.send((b"\2" if stream == "stdout" else b"\3") + data)
                except OSError:
                    self._drop(number)
            except OSError:
                self._drop(number)

    def _take(self, number: int) -> None:
        try:
            data = self._clients[number].recv(MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            self._drop(number)
            return
        if data and self.stdin >= 0:
            self._pending = data
            self._feed()
        elif not data:
            self._talking.discard(number)  # it may look on
            if self._run.get("stdin_once") and not self._run.get("tty") and self.stdin >= 0:
                os.close(self.stdin)
                self.stdin = -1

    def _feed(self) -> None:
        try:
            self._pending = self._pending[os.write(self.stdin, self._pending) :]
        except BlockingIOError:
            return
        except OSError:
            self._pending = b""

    def _obey(self, words: list) -> None:  # type: ignore[type-arg]
        with contextlib.suppress(OSError, ValueError):
            kind, height, width = (int(word) for word in words)
            if kind == 1 and self._run.get("tty"):
                fcntl.ioctl(self.stdin, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
            elif kind == 2:
                fresh = os.open(self._run["log_path"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
                os.dup2(fresh, self._log)
                os.close(fresh)

    def _drop(self, number: int) -> None:
        self._talking.discard(number)
        self._clients.pop(number).close()


def _follow(pid: int, log: int, readers: dict, attached: _Attached) -> int:  # type: ignore[type-arg]
    """Copy output to the log until the program has exited and its pipes are read; its exit code (128+n: signal)."""
    ended = os.pidfd_open(pid)
    partial = dict.fromkeys(readers, b"")
    alive = set(readers)
    while True:
        poll = select.poll()
        for descriptor, wanted in [(ended, select.POLLIN), *((reader, select.POLLIN) for reader in alive)]:
            poll.register(descriptor, wanted)
        for descriptor, wanted in attached.interest():
            poll.register(descriptor, wanted)
        events = [descriptor for descriptor, _ in poll.poll()]
        for descriptor in events:
            if descriptor not in readers:
                attached.serve(descriptor)
            elif not _copy(descriptor, log, readers, partial, attached):
                alive.discard(descriptor)
        if ended in events:
            break
    status = os.waitpid(pid, 0)[1]
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    for reader, stream in readers.items():
        while _copy(reader, log, readers, partial, attached):
            pass
        if partial[reader]:
            _log(log, stream, "F", partial[reader])
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _copy(reader: int, log: int, readers: dict, partial: dict, attached: _Attached) -> bool:  # type: ignore[type-arg]
    """Move what is there now; False at the end."""
    try:
        data = os.read(reader, CHUNK)
    except OSError:
        return False
    if not data:
        return False
    attached.show(readers[reader], data)
    *lines, rest = (partial[reader] + data).split(b"\n")
    for line in lines:
        _log(log, readers[reader], "F", line)
    while len(rest) >= CHUNK:
        _log(log, readers[reader], "P", rest[:CHUNK])
        rest = rest[CHUNK:]
    partial[reader] = rest
    return True


def _log(log: int, stream: str, tag: str, text: bytes) -> None:
    nanoseconds = time.time_ns()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9))
    head = f"{seconds}.{nanoseconds % 10**9:09d}Z {stream} {tag} ".encode()
    with contextlib.suppress(OSError):  # a full disk must not stop the program
        os.write(log, head + text + b"\n")


def start_ticks(pid: int) -> str:
    """The process's start time in clock ticks: with the pid, its identity."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


def _write(name: str, value: dict) -> None:  # type: ignore[type-arg]
    with open(name + ".new", "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(value, file)
    os.rename(name + ".new", name)  # noqa: PTH104


if __name__ == "__main__":
    main(sys.argv[1])
