"""When Python looks for reference cycles: a full search holds up everything, so it waits for a calm moment.

The objects of 1,000 pods take 60 to 100 ms to search, those of 10,000 over 200 ms, and by default such searches come in
the middle of every large update (docs/performance.md). Young cycles are still searched for as they come.
"""

import asyncio
import gc
import time

from drumroll.assembly.loop_lag import LoopLag
from drumroll.assembly.process_figures import add_process_figures
from drumroll.objects.metrics import Metrics

YOUNG, MIDDLE, NEVER = 50_000, 20, 1_000_000
LOOK_SECONDS = 5.0
CALM_SECONDS = 5
LEAST_SECONDS = 60.0
"""Between two full searches in calm times."""
MOST_SECONDS = 600.0
"""Without one, when it is never calm."""


async def tend_process(metrics: Metrics) -> None:
    """Watch the running loop and search for cycles in calm moments, until cancelled."""
    add_process_figures(metrics)
    lag = LoopLag(metrics)
    lag.start()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)
    try:
        await _collect_when_calm(lag, metrics)
    finally:
        lag.stop()


async def _collect_when_calm(lag: LoopLag, metrics: Metrics) -> None:
    pauses = metrics.histogram("drumroll_garbage_collection_seconds", "Full searches for reference cycles.")
    last, least = time.monotonic(), float(CALM_SECONDS)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        waited = time.monotonic() - last
        if (waited >= least and lag.is_calm(CALM_SECONDS)) or waited >= MOST_SECONDS:
            began = time.monotonic()
            gc.collect()
            if least == CALM_SECONDS:
                gc.freeze()  # what the start made stays, and need not be looked at again
            last, least = time.monotonic(), LEAST_SECONDS
            pauses.observe(last - began)
