"""What Prometheus' own clients tell about their process, under the same names."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from drumroll.objects.metrics import Labels, Metrics

_PAGE = os.sysconf("SC_PAGE_SIZE")


def add_process_figures(metrics: Metrics) -> None:
    """Add memory, processor time, open files and the time of the start."""
    started = time.time()

    def add(name: str, text: str, read: Callable[[], float]) -> None:
        def one() -> Iterable[tuple[Labels, float]]:
            return (((), read()),)

        metrics.gauge(name, text, read=one)

    add("process_resident_memory_bytes", "Resident memory size in bytes.", _resident)
    add("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", time.process_time)
    add("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", lambda: started)
    add("process_open_fds", "Number of open file descriptors.", lambda: sum(1 for _ in Path("/proc/self/fd").iterdir()))


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
