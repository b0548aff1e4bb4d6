"""Functions of range vectors: each turns the samples of one series over a range into one value, or none.

Source: prometheus 2.42 promql/functions.go.
"""

import itertools
import math
from collections.abc import Callable

from drumroll.domain.promql.arithmetic import NAN, divide, quantile, total, variance
from drumroll.domain.promql.values import Points

THRESHOLD = 1.1
"""A first or last sample further than so many mean distances from the range's end: the series began or ended within."""


def _extrapolated(points: Points, *, counter: bool, per_second: bool) -> float | None:
    """The increase over the whole range, of which the samples cover only a part."""
    times, values = points.times, points.values
    if len(times) < 2:
        return None
    result = values[-1] - values[0]
    if counter:
        for before, after in itertools.pairwise(values):
            if after < before:
                result += before
    to_start = (times[0] - points.start) / 1000
    to_end = (points.end - times[-1]) / 1000
    covered = (times[-1] - times[0]) / 1000
    mean_distance = covered / (len(times) - 1)
    if counter and result > 0 and values[0] >= 0:
        to_start = min(to_start, covered * (values[0] / result))  # a counter was never below zero
    threshold = mean_distance * THRESHOLD
    extended = covered
    extended += to_start if to_start < threshold else mean_distance / 2
    extended += to_end if to_end < threshold else mean_distance / 2
    factor = extended / covered
    if per_second:
        factor /= (points.end - points.start) / 1000
    return result * factor


def _last_two(points: Points, *, counter: bool) -> float | None:
    if len(points.times) < 2:
        return None
    before, last = points.values[-2:]
    difference = last if counter and last < before else last - before
    if not counter:
        return difference
    elapsed = points.times[-1] - points.times[-2]
    return difference / (elapsed / 1000) if elapsed else None


def line_through(points: Points, origin: int) -> tuple[float, float] | None:
    """Slope per second, and the value at `origin` (ms), of the line that fits best."""
    values = points.values
    if len(values) < 2:
        return None
    if all(value == values[0] for value in values):
        return (NAN, NAN) if math.isinf(values[0]) else (0.0, values[0])
    xs = [(at - origin) / 1000 for at in points.times]
    count = float(len(xs))
    sum_x, sum_y = total(xs), total(values)
    covariance = total(x * y for x, y in zip(xs, values, strict=True)) - sum_x * sum_y / count
    spread = total(x * x for x in xs) - sum_x * sum_x / count
    slope = divide(covariance, spread)
    return slope, sum_y / count - slope * sum_x / count


def _slope(points: Points) -> float | None:
    line = line_through(points, points.times[0])
    return line[0] if line else None


def _extreme(values: list[float], choose: Callable[..., float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(choose(known)) if known else NAN


def _mean(values: list[float]) -> float:
    return total(values) / len(values)


def _changes(values: list[float]) -> float:
    pairs = itertools.pairwise(values)
    return float(sum(1 for a, b in pairs if a != b and not (math.isnan(a) and math.isnan(b))))


def _resets(values: list[float]) -> float:
    return float(sum(1 for a, b in itertools.pairwise(values) if b < a))


Function = Callable[[Points], float | None]

FUNCTIONS: dict[str, Function] = {
    "rate": lambda p: _extrapolated(p, counter=True, per_second=True),
    "increase": lambda p: _extrapolated(p, counter=True, per_second=False),
    "delta": lambda p: _extrapolated(p, counter=False, per_second=False),
    "irate": lambda p: _last_two(p, counter=True),
    "idelta": lambda p: _last_two(p, counter=False),
    "deriv": _slope,
    "changes": lambda p: _changes(p.values),
    "resets": lambda p: _resets(p.values),
    "avg_over_time": lambda p: _mean(p.values),
    "sum_over_time": lambda p: total(p.values),
    "count_over_time": lambda p: float(len(p.values)),
    "min_over_time": lambda p: _extreme(p.values, min),
    "max_over_time": lambda p: _extreme(p.values, max),
    "last_over_time": lambda p: p.values[-1],
    "present_over_time": lambda _: 1.0,
    "stdvar_over_time": lambda p: variance(p.values),
    "stddev_over_time": lambda p: math.sqrt(variance(p.values)),
}


def quantile_over_time(share: float, points: Points) -> float:
    """The quantile of the samples."""
    return quantile(share, points.values)


def predict_linear(points: Points, ahead: float, now: int) -> float | None:
    """The value `ahead` seconds after `now` (ms), if it goes on as it went."""
    line = line_through(points, now)
    return line[0] * ahead + line[1] if line else None
