"""Aggregations over the elements of a vector. Source: prometheus promql/engine.go aggregation."""

import math
from collections.abc import Callable

from drumroll.domain.promql import encode
from drumroll.domain.promql.arithmetic import quantile, total
from drumroll.domain.promql.errors import QueryError
from drumroll.domain.promql.nodes import Aggregation
from drumroll.domain.promql.values import NAME, Labels, Sample, Vector, labels_from


def aggregate(node: Aggregation, vector: Vector, parameter: float | str | None) -> Vector:
    """One element per group, or the first ones of each group."""
    grouping = _grouping(node)
    if node.operator == "count_values":
        return _count_values(vector, grouping, str(parameter))
    groups: dict[Labels, Vector] = {}
    for sample in vector:
        groups.setdefault(grouping(sample.labels), []).append(sample)
    if node.operator in {"topk", "bottomk"}:
        count = _count(parameter)
        return [s for group in groups.values() for s in _first(group, count, descending=node.operator == "topk")]
    if node.operator == "quantile":
        share = float(parameter or 0)
        return [Sample(key, quantile(share, (s.value for s in group))) for key, group in groups.items()]
    function = _SIMPLE[node.operator]
    return [Sample(key, function([s.value for s in group])) for key, group in groups.items()]


def _grouping(node: Aggregation) -> Callable[[Labels], Labels]:
    names = frozenset(node.labels)
    if node.without:
        return lambda labels: tuple(pair for pair in labels if pair[0] not in names and pair[0] != NAME)
    return lambda labels: tuple(pair for pair in labels if pair[0] in names)


def _extreme(values: list[float], choose: Callable[..., float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(choose(known)) if known else math.nan


def _variance(values: list[float]) -> float:
    """By Welford's method, as Prometheus does, since it tells in what becomes of an infinity."""
    mean, squares = values[0], 0.0
    for count, value in enumerate(values[1:], 2):
        distance = value - mean
        mean += distance / count
        squares += distance * (value - mean)
    return squares / len(values)


def _count(parameter: float | str | None) -> int:
    number = float(parameter or 0)
    if math.isnan(number) or abs(number) >= 2**63:
        raise QueryError(f"Scalar value {encode.json_number(number)} overflows int64")
    return int(number)


def _first(group: Vector, count: int, *, descending: bool) -> Vector:
    """NaN comes last either way."""
    if count < 1:
        return []

    def key(sample: Sample) -> tuple[bool, float]:
        value = sample.value
        return (math.isnan(value), 0.0) if math.isnan(value) else (False, -value if descending else value)

    return sorted(group, key=key)[:count]


def _count_values(vector: Vector, grouping: Callable[[Labels], Labels], name: str) -> Vector:
    counts: dict[Labels, int] = {}
    for labels, value in vector:
        kept = [pair for pair in grouping(labels) if pair[0] != name]
        key = labels_from([*kept, (name, encode.number(value))])
        counts[key] = counts.get(key, 0) + 1
    return [Sample(key, float(count)) for key, count in counts.items()]


_SIMPLE: dict[str, Callable[[list[float]], float]] = {
    "sum": total,
    "avg": lambda values: total(values) / len(values),
    "count": lambda values: float(len(values)),
    "min": lambda values: _extreme(values, min),
    "max": lambda values: _extreme(values, max),
    "group": lambda _values: 1.0,
    "stdvar": _variance,
    "stddev": lambda values: math.sqrt(_variance(values)),
}
