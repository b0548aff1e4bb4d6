"""Figures about a running process, in the text format that Prometheus reads.

Parts never meet: each is handed the process's one `Metrics` by assembly, and writes into families of its own. Counting
is a dictionary look-up and an addition, cheap enough to be always on. Values belong to the event loop's thread.
Source: the text format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]
"""Label values, in the order of the family's label names."""

MOST_SERIES = 5_000
"""Of one family; what comes later is counted under empty labels, so that no client can make us grow."""

DURATION_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""


@dataclass(slots=True)
class Counter:
    """Sums that only grow."""

    name: str
    text: str
    labels: Labels = ()
    values: dict[Labels, float] = field(default_factory=dict)

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Add to the series of these label values."""
        values = self.values
        known = values.get(labels)
        if known is None and len(values) >= MOST_SERIES:
            labels = ("",) * len(self.labels)
            known = values.get(labels)
        values[labels] = (known or 0) + amount

    def lines(self) -> Iterable[str]:
        """The family as Prometheus text."""
        yield from _head(self.name, self.text, "counter")
        for labels, value in self.values.items():
            yield f"{self.name}{_labels(self.labels, labels)} {_number(value)}"


@dataclass(slots=True)
class Gauge:
    """Values of the moment, asked for whenever somebody looks: whole families of `read`, or series one by one."""

    name: str
    text: str
    labels: Labels = ()
    read: Callable[[], Iterable[tuple[Labels, float]]] | None = None
    series: dict[Labels, Callable[[], float]] = field(default_factory=dict)

    def follow(self, value: Callable[[], float], labels: Labels = ()) -> None:
        """Ask `value` for the series of these label values."""
        self.series[labels] = value

    def lines(self) -> Iterable[str]:
        """The family as Prometheus text."""
        yield from _head(self.name, self.text, "gauge")
        found = [(labels, value()) for labels, value in self.series.items()]
        for labels, value in [*found, *(self.read() if self.read else ())]:
            yield f"{self.name}{_labels(self.labels, labels)} {_number(value)}"


@dataclass(slots=True)
class Histogram:
    """How often what took how long. A series is its bucket counts (the last one: above all bounds) and its sum."""

    name: str
    text: str
    labels: Labels = ()
    bounds: Sequence[float] = DURATION_BUCKETS
    counts: dict[Labels, list[int]] = field(default_factory=dict)
    sums: dict[Labels, float] = field(default_factory=dict)

    def observe(self, value: float, labels: Labels = ()) -> None:
        """Count one more value."""
        counts = self.counts.get(labels)
        if counts is None:
            if len(self.counts) >= MOST_SERIES:
                labels = ("",) * len(self.labels)
            counts = self.counts.setdefault(labels, [0] * (len(self.bounds) + 1))
            self.sums.setdefault(labels, 0.0)
        counts[bisect_left(self.bounds, value)] += 1
        self.sums[labels] += value

    def lines(self) -> Iterable[str]:
        """The family as Prometheus text."""
        yield from _head(self.name, self.text, "histogram")
        names = (*self.labels, "le")
        for labels, counts in self.counts.items():
            so_far = 0
            for bound, count in zip((*map(_number, self.bounds), "+Inf"), counts, strict=True):
                so_far += count
                yield f"{self.name}_bucket{_labels(names, (*labels, bound))} {so_far}"
            yield f"{self.name}_sum{_labels(self.labels, labels)} {_number(self.sums[labels])}"
            yield f"{self.name}_count{_labels(self.labels, labels)} {so_far}"


class Metrics:
    """All families of one process. Asking twice for a name gives the same family, so a restarted part counts on."""

    def __init__(self) -> None:
        self._families: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """The counter of that name; `text` says what is counted."""
        found = self._families.setdefault(name, Counter(name, text, labels))
        assert isinstance(found, Counter)
        return found

    def gauge(
        self, name: str, text: str, *labels: str, read: Callable[[], Iterable[tuple[Labels, float]]] | None = None
    ) -> Gauge:
        """The gauge of that name; the newest `read` counts."""
        found = self._families.setdefault(name, Gauge(name, text, labels))
        assert isinstance(found, Gauge)
        found.read = read or found.read
        return found

    def histogram(self, name: str, text: str, *labels: str, bounds: Sequence[float] = DURATION_BUCKETS) -> Histogram:
        """The histogram of that name; `bounds` are the upper ends of its buckets."""
        found = self._families.setdefault(name, Histogram(name, text, labels, bounds))
        assert isinstance(found, Histogram)
        return found

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        lines = [line for family in self._families.values() for line in family.lines()]
        return ("\n".join(lines) + "\n").encode()


def _head(name: str, text: str, kind: str) -> Iterable[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = ",".join(f'{name}="{escape_label(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}"


def escape_label(value: str) -> str:
    """A label's value as it stands between quotes, here and in PromQL."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.9g}"
