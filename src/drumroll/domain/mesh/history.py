"""What figures were over the last quarter of an hour, for queries. All series share their times, a value 8 bytes."""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drumroll.domain.promql.nodes import Matcher
from drumroll.domain.promql.values import NAME, Labels, Series, label

Figures = Iterable[tuple[Labels, float]]

RETENTION_MS = 15 * 60_000
MOST_STEPS = 380  # one every 2.5 s
MOST_SERIES = 20_000
_TRIM = 10
"""Steps that leave together, so that the work of leaving is rare."""


@dataclass(slots=True)
class _Column:
    """The values of one series from the step `first` on. NaN: it had none."""

    first: int
    values: "array[float]"


class History:
    """Values of series at common steps. `refused` counts series that came when there were too many already."""

    def __init__(
        self, retention_ms: int = RETENTION_MS, most_steps: int = MOST_STEPS, most_series: int = MOST_SERIES
    ) -> None:
        self.refused = 0
        self._retention = retention_ms
        self._most_steps = most_steps
        self._most_series = most_series
        self._first = 0  # the number of the oldest step
        self._times: list[int] = []
        self._columns: dict[str, dict[Labels, _Column]] = {}  # by metric name
        self._count = 0

    def record(self, at: int, counters: Figures, gauges: Figures = ()) -> None:
        """Add one step at `at` ms; ignored when the clock has gone back.

        A counter that is new was 0 at the step before: without that, no query would see what it began with.
        """
        if self._times and at <= self._times[-1]:
            return
        self._times.append(at)
        for labels, value in counters:
            self._add(labels, value, is_counter=True)
        for labels, value in gauges:
            self._add(labels, value, is_counter=False)
        self._trim(at)

    def _add(self, labels: Labels, value: float, *, is_counter: bool) -> None:
        step = self._first + len(self._times) - 1
        columns = self._columns.setdefault(label(labels, NAME), {})
        column = columns.get(labels)
        if column is None:
            if self._count >= self._most_series:
                self.refused += 1
                return
            self._count += 1
            began = is_counter and len(self._times) > 1
            column = columns[labels] = _Column(step - began, array("d", [0.0] * began))
        missed = step - column.first - len(column.values)
        if missed:
            column.values.extend([math.nan] * missed)
        column.values.append(value)

    def newest(self) -> int | None:
        """The time of the last step, in ms."""
        return self._times[-1] if self._times else None

    def select(self, matchers: Sequence[Matcher]) -> list[Series]:
        """The series that pass all matchers; one that is not there any more ends with a stale marker."""
        name = next((m.value for m in matchers if m.name == NAME and m.operator == "="), None)
        tables = self._columns.values() if name is None else [self._columns.get(name, {})]
        return [
            self._as_series(labels, column)
            for table in tables
            for labels, column in table.items()
            if all(matcher.matches(label(labels, matcher.name)) for matcher in matchers)
        ]

    def series(self, selectors: Sequence[Sequence[Matcher]], start: int, end: int) -> list[Labels]:
        """Label sets with a value in [start, end] ms that pass any of the selectors; all without a selector."""
        found = (one for matchers in selectors or [()] for one in self.select(matchers))
        return sorted({one.labels for one in found if _has_value(one, start, end)})

    def _as_series(self, labels: Labels, column: _Column) -> Series:
        begin = column.first - self._first
        end = begin + len(column.values)
        values: list[float | None] = [None if math.isnan(value) else value for value in column.values]
        times = self._times[begin:end]
        if end < len(self._times):
            times.append(self._times[end])
            values.append(None)
        return Series(labels, times, values)

    def _trim(self, at: int) -> None:
        old = sum(1 for time in self._times if time < at - self._retention)
        old = max(old, len(self._times) - self._most_steps)
        if old < _TRIM:
            return
        del self._times[:old]
        self._first += old
        for name, table in list(self._columns.items()):
            for labels, column in list(table.items()):
                if column.first < self._first:
                    del column.values[: self._first - column.first]
                    column.first = self._first
                if not column.values:
                    del table[labels]
                    self._count -= 1
            if not table:
                del self._columns[name]


def _has_value(series: Series, start: int, end: int) -> bool:
    return any(start <= at <= end for at, value in zip(series.times, series.values, strict=True) if value is not None)
