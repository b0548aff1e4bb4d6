"""What queries evaluate to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from drumroll.domain.promql.nodes import Matcher
from drumroll.objects.metrics import escape_label

Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order of the names; none is empty."""

NAME = "__name__"


@dataclass(frozen=True, slots=True)
class Series:
    """Samples in the order of their times (ms). None: from then on there is no value (a stale marker)."""

    labels: Labels
    times: Sequence[int]
    values: Sequence[float | None]


class Sample(NamedTuple):
    """One element of an instant vector."""

    labels: Labels
    value: float


class Points(NamedTuple):
    """One element of a range vector. `start` and `end` bound the range, in ms."""

    labels: Labels
    times: list[int]
    values: list[float]
    start: int
    end: int


Vector = list[Sample]
Value = float | str | Vector | list[Points]


class Storage(Protocol):
    """Where series come from."""

    def select(self, matchers: Sequence[Matcher]) -> list[Series]:
        """The series that pass all matchers, each label set once."""


def labels_from(pairs: Iterable[tuple[str, str]]) -> Labels:
    """Sorted, without the empty ones."""
    return tuple(sorted((name, value) for name, value in pairs if value))


def unnamed(labels: Labels) -> Labels:
    """Without the metric's name."""
    return tuple(pair for pair in labels if pair[0] != NAME)


def label(labels: Labels, name: str) -> str:
    """A label's value, empty when it is absent."""
    return next((value for known, value in labels if known == name), "")


def written(labels: Labels) -> str:
    """As Prometheus prints them in its complaints."""
    return "{" + ", ".join(f'{name}="{escape_label(value)}"' for name, value in labels) + "}"
