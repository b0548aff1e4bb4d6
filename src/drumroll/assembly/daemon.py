"""The control plane as a process of its own: started by `up`, it reports back through a pipe and lives on."""

import dataclasses
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from drumroll.assembly.home import Home, Refusal
from drumroll.assembly.settings import Settings

READY_TIMEOUT = 30.0  # seconds; a start takes well under one
_OPEN_FILES = 65_536


def start_daemon(home: Home, settings: Settings) -> dict[str, str]:
    """Start the control plane detached and wait until its API answers; returns the announcement's fields.

    Raises Refusal with the daemon's own sentence when it cannot start.
    """
    reader, writer = os.pipe()
    log = home.logs / "control-plane.log"
    command = [
        sys.executable, "-m", "drumroll.assembly.daemon",
        str(home.folder), orjson.dumps(dataclasses.asdict(settings)).decode(), str(writer),
    ]  # fmt: skip
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[writer],
            start_new_session=True,
            cwd="/",
        )
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        line = _read_line(pipe.fileno(), READY_TIMEOUT)
    message = orjson.loads(line) if line else {}
    if "api" in message:
        return {key: str(value) for key, value in message.items()}
    if child.poll() is None:
        child.terminate()
    raise Refusal(message.get("error") or f"the control plane did not start; its last words are in {log}.")


def _read_line(descriptor: int, timeout: float) -> bytes:
    """What the daemon writes, up to its end or `timeout` seconds."""
    import select
    import time

    collected, deadline = b"", time.monotonic() + timeout
    while not collected.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(descriptor, 65536) if ready else b""
        if not chunk:
            break
        collected += chunk
    return collected


def run_here(home: Home, settings: Settings, announce: Callable[[dict[str, str]], None], log: Path | None) -> None:
    """Run the control plane in this process until it is told to stop. Raises Refusal when it cannot start."""
    import asyncio  # here: `up` imports this module, and must start quickly

    import uvloop

    from drumroll.assembly.control_plane import configure_logging, run_control_plane

    configure_logging(log)
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"  # we fork only to exec; its handlers would slow every one
    sys.setswitchinterval(0.0005)  # the store's writer thread gets its turn beside a busy loop (docs/performance.md)
    _allow_many_connections()
    try:
        uvloop.run(run_control_plane(home, settings, lambda facts: announce(dataclasses.asdict(facts))))
    except (asyncio.CancelledError, KeyboardInterrupt):
        return
    except Exception as error:
        reasons = leaves(error)
        if refusal := next(filter(None, map(refusal_of, reasons)), None):
            raise refusal from None
        if not all(isinstance(reason, asyncio.CancelledError) for reason in reasons):
            raise


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions inside nested groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


def _allow_many_connections() -> None:
    """Every watch is an open file, and a shell's usual limit of 1,024 would end at the thousandth."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def refusal_of(error: BaseException) -> Refusal | None:
    """A sentence for what a person can mend; None for what is our fault."""
    from drumroll.client.kubeconfig import KubeconfigError
    from drumroll.objects.errors import ServiceUnavailable

    if isinstance(error, Refusal):
        return error
    if isinstance(error, ServiceUnavailable):
        return Refusal(f"the API server cannot start: {error.message}")
    if isinstance(error, KubeconfigError):
        return (refusal_of(error.__cause__) if error.__cause__ else None) or Refusal(f"{error}.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" ({error.filename})" if error.filename else ""
        return Refusal(f"the disk is full{where}. Make room, or choose a --home on another disk.")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Refusal(f"{error.strerror}: {error.filename}. Use a --home that this user may write to.")
    return None


def main() -> int:
    """Entry point of the daemon process."""
    home = Home(Path(sys.argv[1]))
    stored = orjson.loads(sys.argv[2])
    settings = Settings(**{**stored, "parts": tuple(stored["parts"])})
    pipe = int(sys.argv[3])
    os.set_inheritable(pipe, False)
    # a script's background job ignores these; programs in pods would inherit that
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)

    def tell(message: dict[str, str]) -> None:
        os.write(pipe, orjson.dumps(message) + b"\n")
        os.close(pipe)

    try:
        run_here(home, settings, tell, home.logs / "control-plane.log")
    except Refusal as refusal:
        tell({"error": str(refusal)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
