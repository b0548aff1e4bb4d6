"""The control plane as a process of its own: started by `up`, it reports back through a pipe and lives on."""

import asyncio
import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from drumroll.assembly.home import Home, Refusal
from drumroll.assembly.settings import Settings

READY_TIMEOUT = 30.0  # seconds; a start takes well under one


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
    import uvloop

    from drumroll.assembly.control_plane import configure_logging, run_control_plane

    configure_logging(log)
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"  # we fork only to exec; its handlers would slow every one
    sys.setswitchinterval(0.0005)  # the store's writer thread gets its turn beside a busy loop (docs/performance.md)
    try:
        uvloop.run(run_control_plane(home, settings, lambda facts: announce(dataclasses.asdict(facts))))
    except* Refusal as group:
        raise first_refusal(group) from None
    except* (asyncio.CancelledError, KeyboardInterrupt):
        pass


def first_refusal(group: BaseException) -> Refusal:
    """The Refusal inside nested exception groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    if not isinstance(group, Refusal):
        raise TypeError("no refusal in the group") from group
    return group


def main() -> int:
    """Entry point of the daemon process."""
    home = Home(Path(sys.argv[1]))
    stored = orjson.loads(sys.argv[2])
    settings = Settings(**{**stored, "parts": tuple(stored["parts"])})
    pipe = int(sys.argv[3])
    os.set_inheritable(pipe, False)

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
