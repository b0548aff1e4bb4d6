"""Other programs, run so that none can hold a test up: each has a time, and its whole process group ends with it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Command = Sequence[str | Path]


class CommandFailed(AssertionError):
    """A command ended with an unexpected status, or not in time; the message holds all that it said."""


def run(
    command: Command,
    *,
    environment: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float = 120,
    stdin: str = "",
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run to the end, with its text. Raises CommandFailed for a status other than 0 (with `check`) and when late."""
    done = run_bytes(command, environment=environment, check=check, timeout=timeout, stdin=stdin.encode(), cwd=cwd)
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def run_bytes(
    command: Command,
    *,
    environment: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float = 120,
    stdin: bytes = b"",
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Like `run`, with bytes."""
    pipe = subprocess.PIPE
    with running(command, environment=environment, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired as late:
            said = (late.stdout or b"") + (late.stderr or b"")
            text = said.decode(errors="replace")
            raise CommandFailed(f"{_line(command)}\nnot within {timeout} s; said so far:\n{text}") from None
    if check and process.returncode != 0:
        said = (out + b"\n" + err).decode(errors="replace")
        raise CommandFailed(f"{_line(command)}\nstatus {process.returncode}\n{said}")
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)


@contextlib.contextmanager
def running(
    command: Command, *, environment: Mapping[str, str] | None = None, cwd: Path | None = None, **options: Any
) -> Iterator["subprocess.Popen[Any]"]:
    """A program that runs beside the test, in a process group of its own that ends with the block."""
    inherited = {**os.environ, **(environment or {})}
    process = subprocess.Popen(command, env=inherited, cwd=cwd, start_new_session=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _line(command: Command) -> str:
    return " ".join(str(part) for part in command)
