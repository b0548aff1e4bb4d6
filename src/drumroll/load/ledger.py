"""The account of every request, and what follows from it. Pure: no clock, no I/O but its own text form."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import orjson


class Outcome(StrEnum):
    """How a request ended. `cut`: a long-lived connection that the other side closed, apart from failed requests.

    Source: docs of the traffic rules: failed means refused, reset, truncated, or an error status that a healthy program
    would not have given.
    """

    ANSWERED = "answered"
    FAILED = "failed"
    CUT = "cut"


class Entry(NamedTuple):
    """One request. `at` is its intended sending time and `latency` the time from then to the answer's end, in seconds.

    `at` counts from the ledger's start. `reason` is empty for answered requests: otherwise refused, reset, closed,
    truncated, timeout, protocol, tls, unreachable, saturated, `status_<code>`, `stream_<error>` or `closed_<code>`.
    """

    at: float
    target: str
    kind: str
    latency: float
    outcome: str
    reason: str = ""
    version: str = ""
    pod: str = ""

    @property
    def ended(self) -> float:
        """When the answer, or the knowledge that there is none, was complete; seconds from the start."""
        return self.at + self.latency


@dataclass(slots=True)
class Ledger:
    """Every request of a run, in the order in which they ended. `started` is Unix time, `seconds` the run's length."""

    started: float
    seconds: float = 0.0
    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Book one request."""
        self.entries.append(entry)

    def with_outcome(self, outcome: Outcome) -> list[Entry]:
        """The entries that ended so."""
        return [entry for entry in self.entries if entry.outcome == outcome]

    def between(self, begin: float, end: float) -> "Ledger":
        """The entries that were due in [begin, end) seconds from the start."""
        kept = [entry for entry in self.entries if begin <= entry.at < end]
        return Ledger(self.started, self.seconds, kept)


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a ledger; times in seconds. Latencies are those of answered requests."""

    sent: int
    answered: int
    failed: int
    cut: int
    failures: dict[str, int]
    kinds: dict[str, int]
    versions: dict[str, int]
    p50: float
    p99: float
    longest: float
    longest_gap: float
    rate: float


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """The smallest value that at least `fraction` (0..1) of the ascending values do not exceed; 0.0 for none."""
    if not ordered:
        return 0.0
    rank = max(0, -(-int(fraction * 1_000_000) * len(ordered) // 1_000_000) - 1)
    return ordered[min(rank, len(ordered) - 1)]


def longest_gap(entries: Iterable[Entry], seconds: float) -> float:
    """The longest time in which no answer arrived, from the start and to the end of the run."""
    moments = sorted(entry.ended for entry in entries if entry.outcome == Outcome.ANSWERED)
    edges = [0.0, *moments, max([seconds, *moments[-1:]])]
    return max(later - earlier for earlier, later in itertools.pairwise(edges))


def summarize(ledger: Ledger) -> Summary:
    """The figures of a run."""
    answered = ledger.with_outcome(Outcome.ANSWERED)
    failed = ledger.with_outcome(Outcome.FAILED)
    latencies = sorted(entry.latency for entry in answered)
    return Summary(
        sent=len(ledger.entries),
        answered=len(answered),
        failed=len(failed),
        cut=len(ledger.entries) - len(answered) - len(failed),
        failures=dict(Counter(f"{entry.kind} {entry.reason}" for entry in failed).most_common()),
        kinds=dict(Counter(entry.kind for entry in ledger.entries).most_common()),
        versions=dict(sorted(Counter(entry.version for entry in answered if entry.version).items())),
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        longest=latencies[-1] if latencies else 0.0,
        longest_gap=longest_gap(answered, ledger.seconds),
        rate=len(ledger.entries) / ledger.seconds if ledger.seconds else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Bucket:
    """What ended in one slice of time that begins `at` seconds from the start."""

    at: float
    versions: dict[str, int]
    failed: int
    cut: int


def timeline(ledger: Ledger, width: float = 0.25) -> list[Bucket]:
    """Slices of `width` seconds, also the empty ones, from the start to the end of the run."""
    last = max([ledger.seconds, *(entry.ended for entry in ledger.entries)])
    count = int(last / width) + 1
    versions: list[Counter[str]] = [Counter() for _ in range(count)]
    failed, cut = [0] * count, [0] * count
    for entry in ledger.entries:
        index = int(entry.ended / width)
        if entry.outcome == Outcome.ANSWERED:
            versions[index][entry.version] += 1
        elif entry.outcome == Outcome.FAILED:
            failed[index] += 1
        else:
            cut[index] += 1
    return [Bucket(i * width, dict(sorted(versions[i].items())), failed[i], cut[i]) for i in range(count)]


def write_lines(ledger: Ledger) -> Iterator[bytes]:
    """The ledger as JSON lines: a head, then one array per request."""
    yield orjson.dumps({"started": ledger.started, "seconds": ledger.seconds, "fields": Entry._fields}) + b"\n"
    for entry in ledger.entries:
        yield orjson.dumps(tuple(entry)) + b"\n"


def read_lines(lines: Iterable[bytes]) -> Ledger:
    """The ledger that `write_lines` wrote. Raises ValueError when it is none."""
    rest = iter(lines)
    head = orjson.loads(next(rest, b""))
    entries = [Entry(*orjson.loads(line)) for line in rest]
    return Ledger(head["started"], head["seconds"], entries)
