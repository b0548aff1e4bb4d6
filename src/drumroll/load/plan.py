"""What a load consists of, and its form as JSON."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

ClientKind = Literal["new", "kept-alive", "http2", "websocket"]


@dataclass(frozen=True, slots=True)
class Target:
    """One stream of requests.

    `new` opens a connection per request, `kept-alive` reuses HTTP/1.1 connections, `http2` multiplexes over TLS,
    `websocket` sends messages on long-lived connections and waits for each to come back. `rate` is per second;
    `connections` is the number of websockets, and the least number of HTTP/2 connections. `host` is the Host header and
    the TLS server name; `address` and `port` are where to connect. Certificates are not verified: labs sign their own.
    """

    name: str
    kind: ClientKind
    address: str
    port: int
    path: str = "/"
    host: str = ""
    tls: bool = False
    rate: float = 100.0
    connections: int = 2
    headers: tuple[tuple[str, str], ...] = ()
    expect: tuple[int, ...] = (200,)

    @property
    def authority(self) -> str:
        """The Host header."""
        return self.host or f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """`seconds` bounds the run in time, `limit` in requests; `timeout` is seconds from sending to the answer's end.

    More than `max_in_flight` unanswered requests are not sent but counted as failed (`saturated`).
    """

    targets: tuple[Target, ...]
    seconds: float = 60.0
    timeout: float = 10.0
    limit: int = 1_000_000
    max_in_flight: int = 4_000
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Requests per second over all targets."""
        return sum(target.rate for target in self.targets)

    def to_json(self) -> bytes:
        """For `python -m drumroll.load --plan`."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)


def plan_from_json(text: bytes) -> LoadPlan:
    """The plan that `to_json` wrote. Raises ValueError or TypeError with what is wrong."""
    decoded: dict[str, Any] = orjson.loads(text)
    targets = tuple(_target(target) for target in decoded.pop("targets"))
    return LoadPlan(targets=targets, **decoded)


def _target(decoded: dict[str, Any]) -> Target:
    headers = tuple((str(name), str(value)) for name, value in decoded.pop("headers", ()))
    expect = tuple(int(status) for status in decoded.pop("expect", (200,)))
    return Target(headers=headers, expect=expect, **decoded)


def read_plan(path: Path) -> LoadPlan:
    """The plan in a file. Raises OSError, ValueError or TypeError."""
    return plan_from_json(path.read_bytes())
