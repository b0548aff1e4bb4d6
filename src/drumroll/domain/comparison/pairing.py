"""Finds the two halves of a pair: an original's answer and its copy's come in any order, and one may never come."""

from dataclasses import dataclass, field

from drumroll.domain.comparison.answers import Answer

PATIENCE_SECONDS = 30.0
MOST_WAITING = 2000


@dataclass(frozen=True, slots=True)
class Half:
    """One answer. `pair` is the id that both halves carry; `mark` what a copy says of itself, empty for the original;
    `request` the method and path."""

    pair: str
    mark: str
    request: str
    answer: Answer

    @property
    def is_shadow(self) -> bool:
        """Whether it is the answer to a copy."""
        return bool(self.mark)


@dataclass
class Pairing:
    """The halves that wait for the other; `lost` counts those that waited too long or for which there was no room."""

    waiting: dict[str, tuple[Half, float]] = field(default_factory=dict)
    lost: int = 0

    def add(self, half: Half, at: float) -> tuple[Half, Half] | None:
        """The pair, the original first, when `half` completes one; `at` is seconds of a clock that never goes back."""
        self.give_up(at)
        found = self.waiting.pop(half.pair, None)
        if found is None or found[0].is_shadow == half.is_shadow:
            if found is not None:
                self.lost += 1
            self.waiting[half.pair] = (half, at)
            return None
        other = found[0]
        return (other, half) if half.is_shadow else (half, other)

    def give_up(self, at: float) -> None:
        """Stop waiting for what has not come in time."""
        while self.waiting:
            oldest, (_, since) = next(iter(self.waiting.items()))
            if at - since < PATIENCE_SECONDS and len(self.waiting) < MOST_WAITING:
                return
            del self.waiting[oldest]
            self.lost += 1
