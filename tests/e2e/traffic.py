"""A constant load on a cluster's Ingress in a process of its own, and the account of it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from drumroll.load.ledger import Ledger, Outcome, read_lines, summarize
from drumroll.load.plan import LoadPlan, Target
from tests.e2e.cluster import Cluster

HOST = "shop.drumroll.test"


@dataclass
class Load:
    """Runs while its block runs; afterwards `ledger` holds every request."""

    plan: LoadPlan
    folder: Path
    ledger: Ledger = field(default_factory=lambda: Ledger(0.0))

    def __enter__(self) -> "Load":
        plan, self._out = self.folder / "plan.json", self.folder / "ledger.jsonl"
        plan.write_bytes(self.plan.to_json())
        self._process = subprocess.Popen(
            [sys.executable, "-m", "drumroll.load", "--plan", str(plan), "--out", str(self._out)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout
        self._process.stdout.readline()  # the first progress line: it is sending
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=60)
        if self._out.exists():
            with self._out.open("rb") as lines:
                self.ledger = read_lines(lines)
        if kind is None:
            assert self.ledger.entries, "the load sent nothing"

    def elapsed(self) -> float:
        """Seconds since the load's start, on the ledger's scale."""
        return time.time() - self.ledger.started

    def assert_nothing_failed(self) -> None:
        failed = self.ledger.with_outcome(Outcome.FAILED)
        shown = "\n".join(str(entry) for entry in failed[:20])
        assert not failed, (
            f"{len(failed)} of {len(self.ledger.entries)} failed: {summarize(self.ledger).failures}\n{shown}"
        )

    @property
    def versions(self) -> set[str]:
        return {entry.version for entry in self.ledger.entries if entry.version}


def targets(
    cluster: Cluster, *, host: str = HOST, path: str = "/status", websockets: bool = True
) -> tuple[Target, ...]:
    """New, kept-alive and HTTP/2 connections, and WebSockets, through the Ingress."""
    status = cluster.status()
    http, https = urlsplit(status["http"]), urlsplit(status["https"])
    address, plain, secure = str(http.hostname), int(http.port or 80), int(https.port or 443)
    chosen = [
        Target("new", "new", address, plain, path, host, rate=60),
        Target("kept", "kept-alive", address, plain, path, host, rate=100),
        Target("h2", "http2", address, secure, path, host, tls=True, rate=60),
    ]
    if websockets:
        chosen.append(Target("ws", "websocket", address, plain, "/ws", host, rate=20, connections=4))
    return tuple(chosen)


@contextmanager
def load(cluster: Cluster, seconds: float = 300, **choices: object) -> Iterator[Load]:
    """A load that every kind of client takes part in."""
    running = Load(LoadPlan(targets(cluster, **choices), seconds=seconds), cluster.home)  # type: ignore[arg-type]
    with running:
        yield running
