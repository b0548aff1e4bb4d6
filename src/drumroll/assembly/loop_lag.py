"""How long the event loop was held up: whoever asks meanwhile waits as long.

A timer that should ring every few milliseconds notes how late it rang. That costs some microseconds a hundred times a
second, so it is always on.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from time import perf_counter, thread_time

from drumroll.objects.metrics import Labels, Metrics

INTERVAL = 0.01  # seconds; a hold-up is measured as up to so much shorter than it was
SLOTS = 60  # seconds of which the worst are remembered
CALM = 0.004  # seconds
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class LoopLag:
    """Call `start` in the loop that is to be watched, and `stop` at the end."""

    def __init__(self, metrics: Metrics) -> None:
        self._all = metrics.histogram(
            "drumroll_event_loop_lag_seconds", "How late the event loop's timers were.", bounds=BUCKETS
        )
        metrics.gauge(
            "drumroll_event_loop_lag_worst_seconds",
            "Worst lag of the last seconds; of=cpu is the part in which this thread itself computed.",
            "window", "of", read=self._worst,
        )  # fmt: skip
        self._slots: deque[tuple[int, float, float]] = deque(maxlen=SLOTS)  # second, worst lag, worst computing
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._cpu = 0.0

    def start(self) -> None:
        """Begin to watch the running loop."""
        self._again()

    def stop(self) -> None:
        """Stop. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        self._due, self._cpu = perf_counter() + INTERVAL, thread_time()
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._ring)

    def _ring(self) -> None:
        now = perf_counter()
        lag = max(0.0, now - self._due)
        self._note(int(now), lag, min(lag, thread_time() - self._cpu))
        self._again()

    def _note(self, second: int, lag: float, computed: float) -> None:
        self._all.observe(lag)
        slots = self._slots
        if slots and slots[-1][0] == second:
            _, worst, most = slots.pop()
            slots.append((second, max(worst, lag), max(most, computed)))
        else:
            slots.append((second, lag, computed))

    def is_calm(self, seconds: int) -> bool:
        """Whether nothing took long for so many seconds (up to `SLOTS`): a good moment for what would hold up."""
        since = int(perf_counter()) - seconds
        return all(lag < CALM for second, lag, _ in self._slots if second >= since)

    def _worst(self) -> Iterable[tuple[Labels, float]]:
        now = int(perf_counter())
        for window in (10, SLOTS):
            recent = [(lag, cpu) for second, lag, cpu in self._slots if second > now - window]
            yield (f"{window}s", "all"), max((lag for lag, _ in recent), default=0.0)
            yield (f"{window}s", "cpu"), max((cpu for _, cpu in recent), default=0.0)
