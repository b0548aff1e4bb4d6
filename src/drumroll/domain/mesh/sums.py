"""Figures that only grow, from readings that start again whenever Envoy does or forgets a series."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from drumroll.domain.envoy.counting import BOUNDS_MS
from drumroll.domain.mesh.reading import Answer, Durations, Goal, Reading, Target
from drumroll.domain.promql.values import NAME, Labels, labels_from

REQUESTS = "drumroll_requests_total"
ERRORS = "drumroll_request_errors_total"
GOALS = "drumroll_goals_total"
DURATION = "drumroll_request_duration_seconds"
ACTIVE = "drumroll_requests_active"

HELP = {
    REQUESTS: ("counter", "Requests that ended, by how they were answered; code 0: the client left before the answer."),
    ERRORS: (
        "counter",
        "Requests that failed: status 5xx, an answer that broke off, a gRPC status that blames servers.",
    ),
    GOALS: ("counter", "Answers with the header x-drumroll-goal, by its value: what an A/B test hopes for."),
    DURATION: ("histogram", "Seconds from a request's first byte to the last byte of its answer."),
    ACTIVE: ("gauge", "Requests, and open WebSockets, at the moment."),
}

_BOUNDS = (*(f"{bound / 1000:g}" for bound in BOUNDS_MS), "+Inf")
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


class Sums:
    """Add one reading after another with `fold`. Requests of the namespace `system` are left out."""

    def __init__(self, system: str = "") -> None:
        self._system = system
        self._answers: Mapping[Answer, int] = {}
        self._durations: Mapping[Target, Durations] = {}
        self._goals: Mapping[Goal, int] = {}
        self._labels: dict[Answer, tuple[Labels, Labels]] = {}
        self._totals: dict[Labels, float] = {}
        self._histograms: dict[Target, _Histogram] = {}

    def fold(self, reading: Reading) -> None:
        """Take in what was counted since the last reading; less than before means that counting began anew."""
        for answer, count in reading.answers.items():
            labels = self._labels.get(answer) or self._new_labels(answer)
            if labels is None:
                continue
            before = self._answers.get(answer, 0)
            added = count - before if count >= before else count
            self._totals[labels[0]] = self._totals.get(labels[0], 0.0) + added
            self._totals[labels[1]] = self._totals.get(labels[1], 0.0) + (added if is_error(answer) else 0)
        for target, durations in reading.durations.items():
            self._fold_durations(target, durations)
        for goal, count in reading.goals.items():
            self._fold_goal(goal, count)
        self._answers, self._durations, self._goals = reading.answers, reading.durations, reading.goals

    def figures(self) -> Iterator[tuple[Labels, float]]:
        """Every series with its value."""
        yield from self._totals.items()
        for histogram in self._histograms.values():
            yield from zip(histogram.labels, (*histogram.counts, histogram.total, histogram.counts[-1]), strict=True)

    def clusters(self) -> set[str]:
        """The Envoy clusters that had a request."""
        return {answer.target.cluster for answer in self._labels}

    def forget(self) -> None:
        """Drop what Envoy has forgotten, an hour after its last request."""
        gone = self._labels.keys() - self._answers.keys()
        for answer in gone:
            del self._labels[answer]
        kept = {labels for pair in self._labels.values() for labels in pair}
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

    def _fold_goal(self, goal: Goal, count: int) -> None:
        labels = self._goal_labels(goal)
        if labels is not None:
            before = self._goals.get(goal, 0)
            self._totals[labels] = self._totals.get(labels, 0.0) + (count - before if count >= before else count)

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


def active_labels(target: Target, system: str) -> Labels | None:
    """The series of a target's active requests; None when they are nobody's."""
    place = place_of(target, system)
    return labels_from([(NAME, ACTIVE), *place]) if place is not None else None
