"""How long each stage of a write takes: a count and a sum per stage, cheap enough to be always on."""

from time import perf_counter_ns

STAGES = ("decode", "defaults", "ownership", "validate", "encode", "disk", "fan-out")


class Stages:
    """Nanoseconds per stage since the start of the process."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {name: [0, 0] for name in STAGES}

    def add(self, stage: str, started: int) -> int:
        """Book the time since `started` (a perf_counter_ns) to `stage`. Returns the present counter."""
        ended = perf_counter_ns()
        entry = self._counts[stage]
        entry[0] += 1
        entry[1] += ended - started
        return ended

    def read(self) -> dict[str, tuple[int, int]]:
        """Per stage: how often, and how many nanoseconds in all."""
        return {name: (entry[0], entry[1]) for name, entry in self._counts.items()}
