"""The parent of one container's program in loopback isolation; it outlives the control plane.

Run as `python -I -S shim.py FOLDER`, where FOLDER holds `run.json` (argv, env, working_dir, log_path).
It writes `started.json`, says so on its standard output, then writes log lines in the CRI format, and last
`exited.json`. It holds FOLDER/alive (a FIFO) open until it ends: whoever reads that FIFO wakes up the moment the
program is gone. Standard library only, kept tiny: one of these runs for each container.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time

CHUNK = 16384


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
    pipes = {name: os.pipe() for name in ("stdout", "stderr")}
    pid = os.fork()
    if pid == 0:
        _become(run, pipes["stdout"][1], pipes["stderr"][1])
    _write("started.json", {"pid": pid, "shim": os.getpid(), "ticks": start_ticks(pid), "started_at": time.time()})
    for _, writer in pipes.values():
        os.close(writer)
    os.write(1, b"started")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    code = _follow(pid, log, {reader: name for name, (reader, _) in pipes.items()})
    _write("exited.json", {"exit_code": code, "finished_at": time.time()})
    os.close(alive)


def _become(run: dict, stdout: int, stderr: int) -> None:  # type: ignore[type-arg]
    """Turn into the program; never returns. A program that cannot be run exits 127 and says why in its log."""
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.chdir(run["working_dir"])
        os.execvpe(run["argv"][0], run["argv"], run["env"])
    except OSError as error:
        os.write(2, f"cannot run {run['argv'][0]}: {error.strerror}\n".encode())
    os._exit(127)


def _follow(pid: int, log: int, readers: dict) -> int:  # type: ignore[type-arg]
    """Copy output to the log until the program has exited and its pipes are read; its exit code (128+n: signal)."""
    ended = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    partial = dict.fromkeys(readers, b"")
    for reader in readers:
        fcntl.fcntl(reader, fcntl.F_SETFL, os.O_NONBLOCK)
        poll.register(reader, select.POLLIN)
    while True:
        events = poll.poll()
        for descriptor, _ in events:
            if descriptor != ended and not _copy(descriptor, log, readers, partial):
                poll.unregister(descriptor)
        if any(descriptor == ended for descriptor, _ in events):
            break
    status = os.waitpid(pid, 0)[1]
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    for reader, stream in readers.items():
        while _copy(reader, log, readers, partial):
            pass
        if partial[reader]:
            _log(log, stream, "F", partial[reader])
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _copy(reader: int, log: int, readers: dict, partial: dict) -> bool:  # type: ignore[type-arg]
    """Move what is there now; False when there is nothing more."""
    try:
        data = os.read(reader, CHUNK)
    except OSError:
        return False
    if not data:
        return False
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
