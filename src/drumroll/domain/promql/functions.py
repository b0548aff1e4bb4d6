"""Functions of instant vectors. Source: prometheus 2.42 promql/functions.go."""

import calendar
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from drumroll.domain.promql.arithmetic import INFINITY, NAN, divide, greatest, guarded, least
from drumroll.domain.promql.errors import QueryError
from drumroll.domain.promql.nodes import Matcher, Node, Selector, Window
from drumroll.domain.promql.regexp import PatternError, compiled
from drumroll.domain.promql.values import NAME, Labels, Sample, Vector, label, labels_from, unnamed

PER_VALUE: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": lambda v: v if not math.isfinite(v) else float(math.ceil(v)),
    "floor": lambda v: v if not math.isfinite(v) else float(math.floor(v)),
    "exp": lambda v: guarded(math.exp, v),
    "ln": lambda v: guarded(math.log, v, pole=-INFINITY),
    "log2": lambda v: guarded(math.log2, v, pole=-INFINITY),
    "log10": lambda v: guarded(math.log10, v, pole=-INFINITY),
    "sqrt": lambda v: guarded(math.sqrt, v),
    "sgn": lambda v: v if v == 0 or math.isnan(v) else math.copysign(1.0, v),
}


def _day(moment: datetime) -> float:
    return float(moment.isoweekday() % 7)


PER_MOMENT: dict[str, Callable[[datetime], float]] = {
    "day_of_month": lambda m: float(m.day),
    "day_of_week": _day,
    "day_of_year": lambda m: float(m.timetuple().tm_yday),
    "days_in_month": lambda m: float(calendar.monthrange(m.year, m.month)[1]),
    "hour": lambda m: float(m.hour),
    "minute": lambda m: float(m.minute),
    "month": lambda m: float(m.month),
    "year": lambda m: float(m.year),
}


def at_moment(name: str, seconds: float) -> float:
    """A part of the date at so many seconds after 1970, in UTC."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=math.trunc(seconds))
    except (OverflowError, ValueError):
        return NAN
    return PER_MOMENT[name](moment)


def per_value(function: Callable[[float], float], vector: Vector) -> Vector:
    """The function of every value; names are dropped, since it is another quantity now."""
    return [Sample(unnamed(labels), function(value)) for labels, value in vector]


def clamp(vector: Vector, low: float, high: float) -> Vector:
    """Values held within the bounds; nothing when they are the wrong way round."""
    if high < low:
        return []
    return per_value(lambda value: greatest(low, least(high, value)), vector)


def rounded(vector: Vector, nearest: float) -> Vector:
    """To the nearest multiple, halves up."""
    inverse = 1 / nearest if nearest else INFINITY

    def one(value: float) -> float:
        scaled = value * inverse + 0.5
        return divide(float(math.floor(scaled)) if math.isfinite(scaled) else scaled, inverse)

    return per_value(one, vector)


def in_order(vector: Vector, *, descending: bool) -> Vector:
    """By value; NaN comes last either way."""
    known = sorted((s for s in vector if not math.isnan(s.value)), key=lambda s: s.value, reverse=descending)
    return known + [s for s in vector if math.isnan(s.value)]


def absent_labels(node: Node) -> Labels:
    """What one may say about a series that is absent: the labels that were asked to be equal to something."""
    selector = node.selector if isinstance(node, Window) else node
    matchers: tuple[Matcher, ...] = selector.matchers if isinstance(selector, Selector) else ()
    found: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in matchers:
        if matcher.name == NAME:
            continue
        if matcher.operator == "=" and matcher.name not in seen:
            found[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            found.pop(matcher.name, None)
    return labels_from(found.items())


_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))")


def label_replace(vector: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    """Set `target` from groups of `pattern` in the label `source`, where it matches as a whole."""
    try:
        found = compiled(pattern)
    except PatternError:
        raise QueryError(f"invalid regular expression in label_replace(): {pattern}") from None
    if not _LABEL.fullmatch(target):
        raise QueryError(f"invalid destination label name in label_replace(): {target}")

    def one(labels: Labels) -> Labels:
        groups = found.find(label(labels, source))
        if groups is None:
            return labels
        text = _REFERENCE.sub(lambda m: "$" if m[3] else groups.get(m[1] or m[2], ""), replacement)
        return labels_from([*(pair for pair in labels if pair[0] != target), (target, text)])

    return [Sample(one(labels), value) for labels, value in vector]


def label_join(vector: Vector, target: str, separator: str, sources: list[str]) -> Vector:
    """Set `target` to the values of other labels, joined."""
    for name in (target, *sources):
        if not _LABEL.fullmatch(name):
            which = "destination" if name == target else "source"
            raise QueryError(f"invalid {which} label name in label_join(): {name}")
    return [
        Sample(
            labels_from(
                [
                    *(pair for pair in labels if pair[0] != target),
                    (target, separator.join(label(labels, name) for name in sources)),
                ]
            ),
            value,
        )
        for labels, value in vector
    ]
