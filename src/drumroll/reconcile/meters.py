"""What controllers count about themselves, under the names of client-go's work queues.

Source: k8s.io/component-base/metrics/prometheus/workqueue.
"""

from collections.abc import Callable
from time import perf_counter

from drumroll.objects.metrics import Metrics


class QueueMeter:
    """Counts for one controller's queue."""

    def __init__(self, metrics: Metrics, name: str, depth: Callable[[], int]) -> None:
        self._name = (name,)
        self._adds = metrics.counter("workqueue_adds_total", "Turns asked for.", "name")
        self._retries = metrics.counter("workqueue_retries_total", "Turns that failed and come again.", "name")
        self._work = metrics.histogram("workqueue_work_duration_seconds", "How long turns take.", "name")
        self._waits = metrics.histogram("workqueue_queue_duration_seconds", "How long items wait.", "name")
        self._turns = metrics.counter("drumroll_reconcile_total", "Turns, by their end.", "controller", "result")
        metrics.gauge("workqueue_depth", "Items that wait for their turn.", "name").follow(depth, self._name)

    def added(self) -> None:
        """A turn was asked for."""
        self._adds.add(self._name)

    def waited(self, seconds: float) -> None:
        """An item's turn began."""
        self._waits.observe(seconds, self._name)

    def worked(self, began: float, result: str) -> None:
        """A turn ended that began at `began` (perf_counter); `result` is success or error."""
        self._work.observe(perf_counter() - began, self._name)
        self._turns.add((*self._name, result))
        if result == "error":
            self._retries.add(self._name)
