"""Starts the sample programs as plain processes on addresses of their own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "samples"
AUTH = {"Authorization": "Basic amFjazpwYXNzd29yZA=="}


def unique_address(offset: int = 0) -> str:
    """An address of 127/8 that no other test process uses; `offset` below 4 makes more of them."""
    number = (os.getpid() * 4 + offset) % (200 * 250 * 250)
    return f"127.{20 + number // 62500}.{number // 250 % 250 + 1}.{number % 250 + 1}"


def configuration(folder: Path) -> Path:
    """A root folder with the lab's ConfigMap and Secret files."""
    (folder / "conf").mkdir(parents=True)
    (folder / "confsecure").mkdir()
    (folder / "conf/storefront-config.yaml").write_text('app:\n  storename: "My Shop"\n  minimumchange: 2\n')
    (folder / "confsecure/security.yaml").write_text("users:\n  jack: password\n")
    return folder


@contextmanager
def program(name: str, address: str, port: int, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running sample, answering on `port`; it is killed at the end when it still runs."""
    script = SAMPLES / name / f"{name}.py"
    environment = {"PATH": os.environ["PATH"], "HOST": address, "PYTHONDONTWRITEBYTECODE": "1", **env}
    environment["PYTHONPATH"] = str(SAMPLES / "shared")
    process = subprocess.Popen([sys.executable, "-u", str(script)], env=environment, stdout=subprocess.DEVNULL)
    try:
        await_port(address, port)
        yield process
    finally:
        process.kill()
        process.wait()


def await_port(address: str, port: int, seconds: float = 10.0) -> None:
    """Return when something listens."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def await_refusal(address: str, port: int, seconds: float = 5.0) -> None:
    """Return when nothing listens any more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except ConnectionRefusedError:
            return
        except OSError:  # reset: it was in the backlog of a listener that has just gone
            continue
        time.sleep(0.01)
    raise AssertionError(f"{address}:{port} still listens")
