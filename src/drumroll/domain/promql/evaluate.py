"""A query's values at one moment, or at moments in a row. Source of the semantics: prometheus 2.42 promql/engine.go."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from drumroll.domain.promql import nodes
from drumroll.domain.promql.aggregate import aggregate
from drumroll.domain.promql.binary import between_scalars, between_vectors, of_sets, with_scalar
from drumroll.domain.promql.calls import Calls
from drumroll.domain.promql.errors import QueryError
from drumroll.domain.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Group,
    Node,
    Number,
    Selector,
    Subquery,
    Text,
    Unary,
    When,
    Window,
)
from drumroll.domain.promql.values import Labels, Points, Sample, Series, Storage, Value, Vector, unnamed

LOOKBACK_MS = 300_000
SUBQUERY_STEP_MS = 60_000
MOST_SAMPLES = 2_000_000
"""That one query may look at: it shares the machine with everybody else."""


class Evaluator(Calls):
    """Evaluates over one storage. `start` and `end` (ms) are what `@ start()` and `@ end()` mean."""

    def __init__(self, storage: Storage, start: int, end: int, most_samples: int = MOST_SAMPLES) -> None:
        self._storage = storage
        self._bounds = {"start": start, "end": end}
        self._left = most_samples
        self._selected: dict[int, list[Series]] = {}

    def at(self, node: Node, now: int) -> Value:
        """The value at one moment (ms). Raises QueryError."""
        self._spend(1)
        match node:
            case Number() | Text():
                return node.value
            case Group():
                return self.at(node.inner, now)
            case Selector():
                return [Sample(labels, value) for labels, value, _ in self.latest(node, now)]
            case Window():
                return self._window(node, now)
            case Subquery():
                return self._subquery(node, now)
            case Unary():
                return self._unary(node, now)
            case Binary():
                return self._binary(node, now)
            case Aggregation():
                parameter = self.at(node.parameter, now) if node.parameter is not None else None
                assert not isinstance(parameter, list)
                return aggregate(node, self.vector(node.inner, now), parameter)
            case Call():
                return self.distinct(self.call(node, now))

    def latest(self, node: Selector, now: int) -> list[tuple[Labels, float, int]]:
        """Of each series the newest sample not older than the look-back, with its time."""
        moment = self._moment(node.when, now)
        found = []
        for series in self._series(node):
            self._spend(1)
            at = bisect_right(series.times, moment) - 1
            if at >= 0 and series.times[at] >= moment - LOOKBACK_MS:
                value = series.values[at]
                if value is not None:
                    found.append((series.labels, value, series.times[at]))
        return found

    def vector(self, node: Node, now: int) -> Vector:
        """The value of an expression that is an instant vector."""
        found = self.at(node, now)
        assert isinstance(found, list)
        return found  # type: ignore[return-value]

    def scalar(self, node: Node, now: int) -> float:
        """The value of an expression that is a scalar."""
        found = self.at(node, now)
        assert isinstance(found, float)
        return found

    def ranges(self, node: Node, now: int) -> list[Points]:
        """The value of an expression that is a range vector."""
        found = self.at(node, now)
        assert isinstance(found, list)
        return found  # type: ignore[return-value]

    def _spend(self, samples: int) -> None:
        self._left -= samples
        if self._left < 0:
            raise QueryError("query processing would load too many samples into memory in query execution")

    def _series(self, node: Selector) -> Sequence[Series]:
        found = self._selected.get(id(node))
        if found is None:
            found = self._selected[id(node)] = self._storage.select(node.matchers)
        return found

    def _moment(self, when: When, now: int) -> int:
        anchor = when.anchor
        start = now if anchor is None else self._bounds[anchor] if isinstance(anchor, str) else anchor
        return start - when.offset

    def _window(self, node: Window, now: int) -> list[Points]:
        end = self._moment(node.selector.when, now)
        start = end - node.length
        found = []
        for series in self._series(node.selector):
            low, high = bisect_left(series.times, start), bisect_right(series.times, end)
            self._spend(1 + high - low)
            known = [
                (at, value)
                for at, value in zip(series.times[low:high], series.values[low:high], strict=True)
                if value is not None
            ]
            if known:
                found.append(Points(series.labels, [at for at, _ in known], [value for _, value in known], start, end))
        return found

    def _subquery(self, node: Subquery, now: int) -> list[Points]:
        end = self._moment(node.when, now)
        start = end - node.length
        step = node.step or SUBQUERY_STEP_MS
        found: dict[Labels, Points] = {}
        for moment in range(-(-start // step) * step, end + 1, step):
            for labels, value in self.vector(node.inner, moment):
                points = found.setdefault(labels, Points(labels, [], [], start, end))
                points.times.append(moment)
                points.values.append(value)
        return list(found.values())

    def _unary(self, node: Unary, now: int) -> Value:
        value = self.at(node.inner, now)
        if node.operator == "+":
            return value
        if isinstance(value, float):
            return -value
        assert isinstance(value, list)
        return self.distinct([Sample(unnamed(sample[0]), -sample[1]) for sample in value])  # type: ignore[operator]

    def _binary(self, node: Binary, now: int) -> Value:
        left, right = self.at(node.left, now), self.at(node.right, now)
        if isinstance(left, float) and isinstance(right, float):
            return between_scalars(node.operator, left, right)
        if isinstance(right, float):
            return self.distinct(with_scalar(node, left, right, swapped=False))  # type: ignore[arg-type]
        if isinstance(left, float):
            return self.distinct(with_scalar(node, right, left, swapped=True))  # type: ignore[arg-type]
        if node.operator in nodes.SETS:
            return of_sets(node.operator, left, right, node.matching)  # type: ignore[arg-type]
        return self.distinct(between_vectors(node, left, right))  # type: ignore[arg-type]

    @staticmethod
    def distinct(value: Value) -> Value:
        """The value as it is. Raises QueryError when two elements of a vector have the same labels."""
        if isinstance(value, list) and len({element[0] for element in value}) != len(value):
            raise QueryError("vector cannot contain metrics with the same labelset")
        return value


def evaluate_at(storage: Storage, node: Node, now: int) -> Value:
    """A query's value at one moment (ms). Raises QueryError."""
    return Evaluator(storage, now, now).at(node, now)


def evaluate_range(storage: Storage, node: Node, start: int, end: int, step: int) -> list[Points]:
    """A query's values from `start` to `end`, every `step` (ms), by labels. Raises QueryError."""
    evaluator = Evaluator(storage, start, end)
    found: dict[Labels, Points] = {}
    for now in range(start, end + 1, step):
        value = evaluator.at(node, now)
        elements: Vector = [Sample((), value)] if isinstance(value, float) else value  # type: ignore[assignment]
        for labels, number in elements:
            points = found.setdefault(labels, Points(labels, [], [], start, end))
            points.times.append(now)
            points.values.append(number)
    return sorted(found.values(), key=lambda points: points.labels)
