"""Rows on disk that no kept revision needs any more. Deleted when it is calm, not beside the writes of a rush.

They go oldest first, in the steps in which they became useless, and in one transaction at a time. A deletion's row must
not go before the rows that it ends, and the file says how far history is gone only when all of it up to there is gone.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sweep:
    """Rows to delete; with them the file's history begins after `compacted`."""

    revisions: Sequence[int]
    compacted: int


NOTHING = Sweep((), 0)


class Leftovers:
    """What is still to be deleted."""

    def __init__(self) -> None:
        self._steps: deque[Sweep] = deque()
        self._count = 0
        self._is_taken = False

    def __len__(self) -> int:
        return self._count

    def add(self, revisions: Sequence[int], compacted: int) -> None:
        """Rows that became useless when history shrank to begin after `compacted`."""
        if revisions:
            self._steps.append(Sweep(revisions, compacted))
            self._count += len(revisions)

    def take(self, least: int) -> Sweep:
        """At least so many rows, the oldest; fewer when there are no more, none while others are out.

        `done` or `put_back` must follow.
        """
        if self._is_taken:
            return NOTHING
        revisions: list[int] = []
        compacted = 0
        while self._steps and len(revisions) < least:
            step = self._steps.popleft()
            revisions += step.revisions
            compacted = step.compacted
        self._count -= len(revisions)
        self._is_taken = bool(revisions)
        return Sweep(revisions, compacted) if revisions else NOTHING

    def done(self, sweep: Sweep) -> None:
        """They are deleted."""
        if sweep.revisions:
            self._is_taken = False

    def put_back(self, sweep: Sweep) -> None:
        """They could not be deleted."""
        if sweep.revisions:
            self._is_taken = False
            self._steps.appendleft(sweep)
            self._count += len(sweep.revisions)
