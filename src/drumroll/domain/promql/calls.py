"""Function calls, as a part of the evaluator."""

import math
from abc import ABC, abstractmethod

from drumroll.domain.promql import functions, over_time
from drumroll.domain.promql.arithmetic import greatest, least
from drumroll.domain.promql.histogram import histogram_quantile
from drumroll.domain.promql.nodes import Call, Node, Selector, Text, bare
from drumroll.domain.promql.values import Labels, Points, Sample, Value, Vector, unnamed


class Calls(ABC):
    """Dispatches a call to its function. What arguments evaluate to is the evaluator's."""

    @abstractmethod
    def latest(self, node: Selector, now: int) -> list[tuple[Labels, float, int]]:
        """Of each series the newest sample, with its time."""

    @abstractmethod
    def vector(self, node: Node, now: int) -> Vector:
        """An instant vector."""

    @abstractmethod
    def scalar(self, node: Node, now: int) -> float:
        """A scalar."""

    @abstractmethod
    def ranges(self, node: Node, now: int) -> list[Points]:
        """A range vector."""

    def call(self, node: Call, now: int) -> Value:
        """The value of a call at one moment (ms)."""
        name, given = node.name, node.arguments
        if name in over_time.FUNCTIONS:
            return self._over_time(node, now)
        if name in functions.PER_VALUE:
            return functions.per_value(functions.PER_VALUE[name], self.vector(given[0], now))
        if name in functions.PER_MOMENT:
            moments = self.vector(given[0], now) if given else [Sample((), now / 1000)]
            return functions.per_value(lambda value: functions.at_moment(name, value), moments)
        return self._special(node, now)

    def _over_time(self, node: Call, now: int) -> Vector:
        function = over_time.FUNCTIONS[node.name]
        found = []
        for points in self.ranges(node.arguments[0], now):
            value = function(points)
            if value is not None:
                labels = points.labels if node.name == "last_over_time" else unnamed(points.labels)
                found.append(Sample(labels, value))
        return found

    def _special(self, node: Call, now: int) -> Value:
        given = node.arguments
        match node.name:
            case "time":
                return now / 1000
            case "pi":
                return math.pi
            case "vector":
                return [Sample((), self.scalar(given[0], now))]
            case "scalar":
                elements = self.vector(given[0], now)
                return elements[0].value if len(elements) == 1 else math.nan
            case "quantile_over_time":
                share = self.scalar(given[0], now)
                return [
                    Sample(unnamed(p.labels), over_time.quantile_over_time(share, p))
                    for p in self.ranges(given[1], now)
                ]
            case "predict_linear":
                return self._predicted(node, now)
            case "absent_over_time":
                return [] if self.ranges(given[0], now) else [Sample(functions.absent_labels(given[0]), 1.0)]
            case _:
                return self._of_vector(node, self._timed(given[0], now) if node.name == "timestamp" else [], now)

    def _predicted(self, node: Call, now: int) -> Vector:
        ahead = self.scalar(node.arguments[1], now)
        found = [(p.labels, over_time.predict_linear(p, ahead, now)) for p in self.ranges(node.arguments[0], now)]
        return [Sample(unnamed(labels), value) for labels, value in found if value is not None]

    def _timed(self, node: Node, now: int) -> Vector:
        inner = bare(node)
        if isinstance(inner, Selector):
            return [Sample(unnamed(labels), at / 1000) for labels, _, at in self.latest(inner, now)]
        return [Sample(unnamed(labels), now / 1000) for labels, _ in self.vector(node, now)]

    def _of_vector(self, node: Call, timed: Vector, now: int) -> Vector:
        name, given = node.name, node.arguments
        if name == "timestamp":
            return timed
        if name == "histogram_quantile":
            return histogram_quantile(self.scalar(given[0], now), self.vector(given[1], now))
        vector = self.vector(given[0], now)
        numbers = [self.scalar(argument, now) for argument in given[1:] if not isinstance(bare(argument), Text)]
        texts = [inner.value for argument in given[1:] if isinstance(inner := bare(argument), Text)]
        match name:
            case "clamp":
                return functions.clamp(vector, *numbers)
            case "clamp_min":
                return functions.per_value(lambda value: greatest(numbers[0], value), vector)
            case "clamp_max":
                return functions.per_value(lambda value: least(numbers[0], value), vector)
            case "round":
                return functions.rounded(vector, numbers[0] if numbers else 1.0)
            case "sort" | "sort_desc":
                return functions.in_order(vector, descending=name == "sort_desc")
            case "absent":
                return [] if vector else [Sample(functions.absent_labels(given[0]), 1.0)]
            case "label_replace":
                return functions.label_replace(vector, *texts)
            case _:  # label_join
                return functions.label_join(vector, texts[0], texts[1], texts[2:])
