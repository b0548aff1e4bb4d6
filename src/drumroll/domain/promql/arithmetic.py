"""Floating point as Go has it: nothing raises."""

import math
from collections.abc import Callable, Iterable

NAN, INFINITY = math.nan, math.inf


def divide(a: float, b: float) -> float:
    """a / b."""
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return NAN
    return math.copysign(INFINITY, a) * math.copysign(1, b)


def modulo(a: float, b: float) -> float:
    """The remainder with the sign of a."""
    if b == 0 or math.isinf(a) or math.isnan(a) or math.isnan(b):
        return NAN
    return math.fmod(a, b)


def power(a: float, b: float) -> float:
    """a to the power of b."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -INFINITY if a < 0 and b % 2 == 1 else INFINITY
    except ValueError:
        if a == 0:  # a negative power
            return math.copysign(INFINITY, a) if b % 2 == 1 else INFINITY
        return NAN


def total(values: Iterable[float]) -> float:
    """The sum, rounded once."""
    known = list(values)
    try:
        return math.fsum(known)
    except (OverflowError, ValueError):
        return sum(known)


def guarded(function: Callable[[float], float], value: float, *, pole: float = NAN) -> float:
    """`function(value)`; NaN outside of its domain, `pole` at zero, infinity when it overflows."""
    try:
        return float(function(value))
    except OverflowError:
        return value if math.isinf(value) else INFINITY
    except ValueError:
        return pole if value == 0 else NAN


def least(a: float, b: float) -> float:
    """The smaller one; NaN when either is, unless the other is smaller than anything."""
    if -INFINITY in (a, b):
        return -INFINITY
    return NAN if math.isnan(a) or math.isnan(b) else min(a, b)


def greatest(a: float, b: float) -> float:
    """The greater one; NaN when either is, unless the other is greater than anything."""
    if INFINITY in (a, b):
        return INFINITY
    return NAN if math.isnan(a) or math.isnan(b) else max(a, b)


def ascending(value: float) -> tuple[bool, float]:
    """A sort key that puts NaN first."""
    return (not math.isnan(value), 0.0 if math.isnan(value) else value)


def quantile(q: float, values: Iterable[float]) -> float:
    """The value at a share of the way through the sorted values, interpolated."""
    known = sorted(values, key=ascending)
    if not known or math.isnan(q):
        return NAN
    if q < 0 or q > 1:
        return math.copysign(INFINITY, q)
    rank = q * (len(known) - 1)
    lower = math.floor(rank)
    upper = min(len(known) - 1, lower + 1)
    weight = rank - lower
    return known[lower] * (1 - weight) + known[upper] * weight


def variance(values: Iterable[float]) -> float:
    """The mean square of the distances from the mean."""
    known = list(values)
    mean = total(known) / len(known)
    return total((value - mean) * (value - mean) for value in known) / len(known)
