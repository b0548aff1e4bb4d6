"""The monitor of the event loop sees hold-ups, and tells computing from waiting."""

import asyncio
import time

import pytest

from drumroll.assembly.loop_lag import LoopLag
from drumroll.objects.metrics import Metrics


def worst(metrics: Metrics, of: str) -> float:
    name = f'drumroll_event_loop_lag_worst_seconds{{window="10s",of="{of}"}}'
    return next(float(line.split()[-1]) for line in metrics.text().decode().splitlines() if line.startswith(name))


@pytest.mark.asyncio
async def test_a_hold_up_is_seen_nearly_as_long_as_it_was():
    metrics = Metrics()
    lag = LoopLag(metrics)
    lag.start()
    await asyncio.sleep(0.05)
    ends = time.thread_time() + 0.15
    while time.thread_time() < ends:
        pass
    await asyncio.sleep(0.05)
    assert worst(metrics, "all") >= 0.13
    assert worst(metrics, "cpu") >= 0.13
    assert not lag.is_calm(5)
    lag.stop()


@pytest.mark.asyncio
async def test_a_loop_that_only_waited_did_not_compute():
    metrics = Metrics()
    lag = LoopLag(metrics)
    lag.start()
    await asyncio.sleep(0.02)
    time.sleep(0.15)
    await asyncio.sleep(0.05)
    assert worst(metrics, "all") >= 0.13
    assert worst(metrics, "cpu") < 0.05
    lag.stop()
