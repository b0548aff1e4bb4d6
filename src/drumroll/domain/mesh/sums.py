"""Figures that only grow, from readings that start again whenever Envoy does or forgets a series."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from drumroll.domain.envoy.counting import BOUNDS_MS
from drumroll.domain.mesh.reading import Answer, Durations, End, Goal, Reading, Target
from drumroll.domain.promql.values import NAME, Labels, labels_from

REQUESTS = "drumroll_requests_total"
ERRORS = "drumroll_request_errors_total"
GOALS = "drumroll_goals_total"
DURATION = "drumroll_request_duration_seconds"
ACTIVE = "drumroll_requests_active"
CONNECTIONS = "drumroll_tcp_connections_total"
CONNECTION_ERRORS = "drumroll_tcp_connection_errors_total"
CONNECTIONS_ACTIVE = "drumroll_tcp_connections_active"

HELP = {
    REQUESTS: ("counter", "Requests that ended, by how they were answered; code 0: the client left before the answer."),
    ERRORS: (
        "counter",
        "Requests that failed: status 5xx, an answer that broke off, a gRPC status that blames servers.",
    ),
    GOALS: ("counter", "Answers with the header x-drumroll-goal, by its value: what an A/B test hopes for."),
    DURATION: ("histogram", "Seconds from a request's first byte to the last byte of its answer."),
    ACTIVE: ("gauge", "Requests, and open WebSockets, at the moment."),
    CONNECTIONS: ("counter", "TCP connections to Services that do not speak HTTP: those that reached a pod or failed."),
    CONNECTION_ERRORS: ("counter", "TCP connections that reached no pod: none was ready, or it did not answer."),
    CONNECTIONS_ACTIVE: ("gauge", "TCP connections at the moment, of Services that had no HTTP request."),
}

_BOUNDS = (*(f"{bound / 1000:g}" for bound in BOUNDS_MS), "+Inf")
_UNREACHED = frozenset(("UH", "URX", "UO", "NC", "NR"))
_BROKEN = frozenset(("UC", "UR", "UPE", "UF", "UT", "UO", "UH", "LR", "SI", "DPE"))
"""Envoy's flags for what went wrong beyond the client."""
_GRPC_ERRORS = frozenset(("2", "4", "12", "13", "14", "15"))
"""UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS."""

Place = tuple[tuple[str, str], ...]
"""The labels that say whose requests: namespace, service, port, revision."""


@dataclass(slots=True)
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS))
    total: float = 0.0
    labels: tuple[Labels, ...] = ()


def place_of(target: Target, system: str) -> Place | None:
    """Whose requests a target's are; None when they are nobody's, or those of the namespace `system`."""
    parts = target.cluster.split("/")
    if len(parts) < 3 or parts[0] == system:
        return None
    return ("namespace", parts[0]), ("port", parts[2]), ("revision", target.revision), ("service", parts[1])


def is_error(answer: Answer) -> bool:
    """True when the service failed; a client that left (code 0) is no failure."""
    if answer.code.startswith("5") or answer.grpc in _GRPC_ERRORS:
        return True
    return not _BROKEN.isdisjoint(answer.flags.split(","))


def is_failure(end: End) -> bool:
    """True when a connection reached no pod. One that reached the second pod that was tried is flagged UF only."""
    return not _UNREACHED.isdisjoint(end.flags.split(","))


def added_of(count: int, before: int) -> int:
    """What was counted since; a count that is less than before has begun anew."""
    return count - before if count >= before else count


class Sums:
    """Add one reading after another with `fold`. Requests of the namespace `system` are left out."""

    def __init__(self, system: str = "") -> None:
        self._system = system
        self._answers: Mapping[Answer, int] = {}
        self._durations: Mapping[Target, Durations] = {}
        self._goals: Mapping[Goal, int] = {}
        self._opened: Mapping[Target, int] = {}
        self._ended: Mapping[End, int] = {}
        self._tcp: set[str] = set()  # clusters; a connection may outlive Envoy's memory of its beginning
        self._labels: dict[Answer, tuple[Labels, Labels]] = {}
        self._totals: dict[Labels, float] = {}
        self._histograms: dict[Target, _Histogram] = {}

    def fold(self, reading: Reading) -> None:
        """Take in what was counted since the last reading; less than before means that counting began anew."""
        for answer, count in reading.answers.items():
            labels = self._labels.get(answer) or self._new_labels(answer)
            if labels is None:
                continue
            added = added_of(count, self._answers.get(answer, 0))
            self._totals[labels[0]] = self._totals.get(labels[0], 0.0) + added
            self._totals[labels[1]] = self._totals.get(labels[1], 0.0) + (added if is_error(answer) else 0)
        for target, durations in reading.durations.items():
            self._fold_durations(target, durations)
        for goal, count in reading.goals.items():
            self._fold_goal(goal, count)
        for target, count in reading.opened.items():
            self._fold_connections(target, added_of(count, self._opened.get(target, 0)), 0)
        for end, count in reading.ended.items():
            failed = added_of(count, self._ended.get(end, 0)) if is_failure(end) else 0
            self._fold_connections(end.target, failed, failed)
        self._answers, self._durations, self._goals = reading.answers, reading.durations, reading.goals
        self._opened, self._ended = reading.opened, reading.ended
        self._tcp |= {target.cluster for target in self._connected()}

    def figures(self) -> Iterator[tuple[Labels, float]]:
        """Every series with its value."""
        yield from self._totals.items()
        for histogram in self._histograms.values():
            yield from zip(histogram.labels, (*histogram.counts, histogram.total, histogram.counts[-1]), strict=True)

    def clusters(self) -> dict[str, str]:
        """The Envoy clusters that had a request or a connection, each with the name of what is active there."""
        return dict.fromkeys(self._tcp, CONNECTIONS_ACTIVE) | {answer.target.cluster: ACTIVE for answer in self._labels}

    def _connected(self) -> set[Target]:
        """The targets of the TCP connections that Envoy remembers, or that were tried."""
        return self._opened.keys() | {end.target for end in self._ended}

    def forget(self) -> None:
        """Drop what Envoy has forgotten, an hour after its last request."""
        gone = self._labels.keys() - self._answers.keys()
        for answer in gone:
            del self._labels[answer]
        kept = {labels for pair in self._labels.values() for labels in pair}
        kept |= {labels for target in self._connected() for labels in self._connection_labels(target)}
        kept |= {labels for goal in self._goals if (labels := self._goal_labels(goal)) is not None}
        self._totals = {labels: value for labels, value in self._totals.items() if labels in kept}
        targets = {answer.target for answer in self._labels}
        self._histograms = {target: one for target, one in self._histograms.items() if target in targets}

    def _new_labels(self, answer: Answer) -> tuple[Labels, Labels] | None:
        place = place_of(answer.target, self._system)
        if place is None:
            return None
        code = [("code", answer.code), ("code_class", f"{answer.code[:1] or 0}xx"), ("grpc_status", answer.grpc)]
        found = (
            labels_from([(NAME, REQUESTS), *place, *code]),
            labels_from([(NAME, ERRORS), *place]),
        )
        self._labels[answer] = found
        return found

    def _goal_labels(self, goal: Goal) -> Labels | None:
        place = place_of(goal.target, self._system)
        return labels_from([(NAME, GOALS), *place, ("goal", goal.name)]) if place is not None else None

    def _connection_labels(self, target: Target) -> tuple[Labels, ...]:
        place = place_of(target, self._system)
        if place is None:
            return ()
        return tuple(labels_from([(NAME, name), *place]) for name in (CONNECTIONS, CONNECTION_ERRORS))

    def _fold_connections(self, target: Target, added: int, failed: int) -> None:
        for labels, count in zip(self._connection_labels(target), (added, failed), strict=False):
            self._totals[labels] = self._totals.get(labels, 0.0) + count

    def _fold_goal(self, goal: Goal, count: int) -> None:
        labels = self._goal_labels(goal)
        if labels is not None:
            added = added_of(count, self._goals.get(goal, 0))
            self._totals[labels] = self._totals.get(labels, 0.0) + added

    def _fold_durations(self, target: Target, durations: Durations) -> None:
        if len(durations.counts) != len(_BOUNDS):
            return
        histogram = self._histograms.get(target)
        if histogram is None:
            place = place_of(target, self._system)
            if place is None:
                return
            histogram = self._histograms[target] = _Histogram(labels=_histogram_labels(place))
        before = self._durations.get(target)
        if before is None or before.counts[-1] > durations.counts[-1]:
            before = Durations((0,) * len(_BOUNDS), 0.0)
        for at, (old, new) in enumerate(zip(before.counts, durations.counts, strict=True)):
            histogram.counts[at] += max(0, new - old)
        histogram.total += max(0.0, durations.total - before.total)


def _histogram_labels(place: Place) -> tuple[Labels, ...]:
    bucket = (NAME, f"{DURATION}_bucket")
    buckets = (labels_from([bucket, *place, ("le", bound)]) for bound in _BOUNDS)
    return (*buckets, *(labels_from([(NAME, f"{DURATION}_{part}"), *place]) for part in ("sum", "count")))


def active_labels(name: str, target: Target, system: str) -> Labels | None:
    """The series of that name of what is active at a target; None when it is nobody's."""
    place = place_of(target, system)
    return labels_from([(NAME, name), *place]) if place is not None else None
