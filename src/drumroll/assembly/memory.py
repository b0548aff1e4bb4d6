"""When Python looks for reference cycles: a full search holds up everything, so it waits for a calm moment.

The objects of 1,000 pods take 60 to 100 ms to search, those of 10,000 over 200 ms, and by default such searches come in
the middle of every large update (docs/performance.md). Young cycles are still searched for as they come.
"""

import asyncio
import contextlib
import gc
import time

from drumroll.assembly.loop_lag import LoopLag
from drumroll.assembly.process_figures import add_process_figures
from drumroll.objects.metrics import Metrics

YOUNG, MIDDLE, NEVER = 10_000, 2, 1_000_000
"""New objects until the young are searched, such searches until the middle-aged are, those until all are.

A search of a million objects held a rollout of 10,000 pods up for 200 ms; the work is the same in smaller pieces.
"""
LOOK_SECONDS = 5.0
CALM_SECONDS = 5
LEAST_SECONDS = 60.0
"""Between two full searches in calm times."""
MOST_SECONDS = 600.0
"""Without one, when it is never calm."""
WORTH_IT = 3
"""Searches of the middle-aged since the last full one, at least: with fewer there is not much to find."""
REST_FACTOR = 1000
"""A search of many objects, which takes long, is rarer: it costs a thousandth of the time."""


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
    last, least, searches = time.monotonic(), float(CALM_SECONDS), _searches()
    is_first = True
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        waited = time.monotonic() - last
        is_worth_it = is_first or _searches() - searches >= WORTH_IT
        if is_worth_it and ((waited >= least and lag.is_calm(CALM_SECONDS)) or waited >= MOST_SECONDS):
            began = time.monotonic()
            gc.collect()
            if is_first:
                gc.freeze()  # what the start made stays, and need not be looked at again
            last, searches, is_first = time.monotonic(), _searches(), False
            pauses.observe(last - began)
            least = max(LEAST_SECONDS, REST_FACTOR * (last - began))
            await asyncio.to_thread(_give_back)


def _searches() -> int:
    """How often the middle-aged were searched: a measure of what was made and stayed."""
    found: int = gc.get_stats()[1]["collections"]
    return found


def _give_back() -> None:
    """Return holes in the heap to the system, where its C library can: 20 MB of 200 after 3,000 pods came and went."""
    import ctypes

    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
