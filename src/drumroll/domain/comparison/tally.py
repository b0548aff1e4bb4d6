"""What many comparisons come to: how many answers differ, where, how much slower the shadow is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from drumroll.domain.comparison.answers import Answer, Difference
from drumroll.objects.meta import Obj

MOST_EXAMPLES = 10
MOST_PLACES = 20
_SLOTS = 2000  # latencies kept per side; beyond, every second one is given up


@dataclass
class Latencies:
    """A bounded, evenly thinned record of latencies in seconds."""

    kept: list[float] = field(default_factory=list)
    every: int = 1
    seen: int = 0

    def add(self, seconds: float) -> None:
        """Record one."""
        if self.seen % self.every == 0:
            self.kept.append(seconds)
            if len(self.kept) >= _SLOTS:
                self.kept = self.kept[::2]
                self.every *= 2
        self.seen += 1

    def quantile(self, share: float) -> float:
        """The value that `share` (0 to 1) of the records do not exceed; 0 without records."""
        ordered = sorted(self.kept)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass
class Tally:
    """The running figures of one comparison."""

    compared: int = 0
    differing: int = 0
    unanswered: int = 0  # copies or originals whose other half never came
    by_aspect: Counter[str] = field(default_factory=Counter)
    by_place: Counter[str] = field(default_factory=Counter)
    examples: list[Obj] = field(default_factory=list)
    primary: Latencies = field(default_factory=Latencies)
    shadow: Latencies = field(default_factory=Latencies)

    @classmethod
    def resumed(cls, status: Obj) -> "Tally":
        """A tally that goes on from what a status shows; latencies and what was cut off start anew."""
        found = cls(status.get("compared") or 0, status.get("differing") or 0, status.get("unanswered") or 0)
        found.by_aspect.update(status.get("byAspect") or {})
        found.by_place.update({place["where"]: place["count"] for place in status.get("places") or ()})
        found.examples = list(status.get("examples") or ())
        return found

    def add(self, request: str, primary: Answer, shadow: Answer, differences: Sequence[Difference]) -> None:
        """Count one pair. `request` is its method and path."""
        self.compared += 1
        self.primary.add(primary.seconds)
        self.shadow.add(shadow.seconds)
        if not differences:
            return
        self.differing += 1
        self.by_aspect.update({difference.aspect for difference in differences})
        places = {difference.where for difference in differences}
        self.by_place.update(place for place in places if place in self.by_place or len(self.by_place) < 1000)
        if len(self.examples) < MOST_EXAMPLES:
            told = [{"where": one.where, "primary": one.primary, "shadow": one.shadow} for one in differences[:5]]
            self.examples.append({"request": request[:200], "differences": told})

    def status(self) -> Obj:
        """The figures as a status shows them; latencies in whole milliseconds."""
        return {
            "compared": self.compared,
            "differing": self.differing,
            "unanswered": self.unanswered,
            "byAspect": {aspect: self.by_aspect[aspect] for aspect in ("status", "header", "body")},
            "places": [{"where": where, "count": count} for where, count in self.by_place.most_common(MOST_PLACES)],
            "latencyMilliseconds": {
                name: {"p50": _ms(side.quantile(0.5)), "p99": _ms(side.quantile(0.99))}
                for name, side in (("primary", self.primary), ("shadow", self.shadow))
            },
            "examples": self.examples,
        }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
