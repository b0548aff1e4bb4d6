"""A queue of things to look at, in which each waits at most once and is never with two workers at a time."""

import asyncio
from collections import deque
from collections.abc import Hashable
from time import perf_counter
from typing import Generic, TypeVar

FIRST_RETRY = 0.005
LAST_RETRY = 30.0
"""Seconds. The original waits up to 1000 s, which leaves updates stuck long after their trouble is over."""

I = TypeVar("I", bound=Hashable)  # noqa: E741 - an item


class WorkQueue(Generic[I]):
    """Items that are added while they are worked on come again afterwards."""

    def __init__(self) -> None:
        self._ready: deque[I] = deque()
        self._since: dict[I, float] = {}  # when an item that waits was added
        self._dirty: set[I] = set()
        self._busy: set[I] = set()
        self._failures: dict[I, int] = {}
        self._timers: dict[I, asyncio.TimerHandle] = {}
        self._bell = asyncio.Event()

    def add(self, item: I) -> None:
        """Ask for a turn as soon as possible."""
        if item in self._dirty:
            return
        self._dirty.add(item)
        self._since[item] = perf_counter()
        if item not in self._busy:
            self._ready.append(item)
            self._bell.set()

    def add_after(self, item: I, seconds: float) -> None:
        """Ask for a turn later. One such wish is kept per item, the latest."""
        self.forget_timer(item)
        self._timers[item] = asyncio.get_running_loop().call_later(max(0.0, seconds), self._ring, item)

    def forget_timer(self, item: I) -> None:
        """Take back what `add_after` asked."""
        timer = self._timers.pop(item, None)
        if timer is not None:
            timer.cancel()

    @property
    def depth(self) -> int:
        """How many items wait for their turn."""
        return len(self._dirty)

    async def get(self) -> I:
        """The next item; `done` must follow."""
        return (await self.get_waited())[0]

    async def get_waited(self) -> tuple[I, float]:
        """The next item, and the seconds that it waited; `done` must follow."""
        while not self._ready:
            self._bell.clear()
            await self._bell.wait()
        item = self._ready.popleft()
        self._dirty.discard(item)
        self._busy.add(item)
        self.forget_timer(item)
        return item, perf_counter() - self._since.pop(item)

    def done(self, item: I, rest: float = 0.0) -> None:
        """The turn is over; the item's next one starts `rest` seconds from now at the earliest."""
        self._failures.pop(item, None)
        if rest > 0:
            asyncio.get_running_loop().call_later(rest, self._release, item)
        else:
            self._release(item)

    def retry(self, item: I) -> None:
        """The turn failed: take another one after a pause that doubles with each failure."""
        failures = self._failures.get(item, 0)
        self._release(item)
        self._failures[item] = failures + 1
        self.add_after(item, min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(failures, 20)))

    def _ring(self, item: I) -> None:
        self._timers.pop(item, None)
        self.add(item)

    def _release(self, item: I) -> None:
        self._busy.discard(item)
        if item in self._dirty:
            self._ready.append(item)
            self._bell.set()
