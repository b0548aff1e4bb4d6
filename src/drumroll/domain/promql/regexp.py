"""Regular expressions of matchers, in RE2's syntax, anchored at both ends and linear in time.

Python's own engine may take exponential time, and anybody in the cluster may send a query. So a pattern becomes a small
program whose threads all walk the text at once (R. Cox, "Regular Expression Matching: the Virtual Machine Approach").
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

LONGEST_PROGRAM = 5_000
MOST_REPEATS = 1_000

Test = Callable[[str], bool]
Instruction = tuple[str, int, int, Test | None]
"""Operation and its operands: char (test), split (first choice, second), jump, save (slot), start, end, match."""


class PatternError(ValueError):
    """Not a regular expression that RE2 takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """A compiled pattern. Matches whole strings only."""

    source: str
    program: tuple[Instruction, ...]
    groups: int
    names: tuple[tuple[str, int], ...]

    def matches(self, text: str) -> bool:
        """True when the whole text matches."""
        return _matches(self, text)

    def find(self, text: str) -> dict[str, str] | None:
        """Groups of a match of the whole text by number and by name; None without a match."""
        slots = _run(self, text)
        if slots is None:
            return None
        found = {
            str(group): text[slots[2 * group] : slots[2 * group + 1]]
            for group in range(self.groups + 1)
            if slots[2 * group + 1] >= 0
        }
        return found | {name: found[str(group)] for name, group in self.names if str(group) in found}


@lru_cache(maxsize=256)
def compiled(source: str) -> Pattern:
    """The pattern. Raises PatternError with RE2's words."""
    from drumroll.domain.promql.regexp_parser import Compiler

    return Compiler(source).compile()


@lru_cache(maxsize=4096)
def _matches(pattern: Pattern, text: str) -> bool:
    return _run(pattern, text) is not None


def _run(pattern: Pattern, text: str) -> list[int] | None:
    """The slots of the match that comes first in the pattern's order of preference."""
    threads: list[tuple[int, list[int]]] = []
    _follow(pattern.program, threads, set(), 0, [-1] * (2 * pattern.groups + 2), (0, len(text)))
    for at, character in enumerate(text):
        following: list[tuple[int, list[int]]] = []
        seen: set[int] = set()
        for counter, slots in threads:
            operation, _, _, test = pattern.program[counter]
            if operation == "char" and test is not None and test(character):
                _follow(pattern.program, following, seen, counter + 1, slots, (at + 1, len(text)))
        threads = following
        if not threads:
            return None
    return next((slots for counter, slots in threads if pattern.program[counter][0] == "match"), None)


def _follow(
    program: tuple[Instruction, ...],
    threads: list[tuple[int, list[int]]],
    seen: set[int],
    start: int,
    slots: list[int],
    place: tuple[int, int],
) -> None:
    """Add every instruction that can be reached from `start` without reading, in order of preference."""
    at, length = place
    waiting = [(start, slots)]
    while waiting:
        counter, slots = waiting.pop()
        if counter in seen:
            continue
        seen.add(counter)
        operation, first, second, _ = program[counter]
        if operation == "jump":
            waiting.append((first, slots))
        elif operation == "split":
            waiting += [(second, slots), (first, slots)]
        elif operation == "save":
            slots = [*slots[:first], at, *slots[first + 1 :]]
            waiting.append((counter + 1, slots))
        elif operation in {"start", "end"}:
            if at == (0 if operation == "start" else length):
                waiting.append((counter + 1, slots))
        else:
            threads.append((counter, slots))
