"""The loop that runs every controller: whose turn is it, decide, perform, wait until our own writes are seen.

Waiting for our own writes takes the place of the original's expectations: a decision never rests on a view of the
cluster from before the last decision was carried out, so no pod is created or deleted twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from drumroll.client.informer import Informer
from drumroll.domain.actions import Plan, is_namespace_terminating
from drumroll.objects.errors import ApiError
from drumroll.objects.meta import Obj
from drumroll.objects.metrics import Metrics
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.meters import QueueMeter
from drumroll.reconcile.perform import Outcome, Performer
from drumroll.reconcile.workqueue import WorkQueue

log = logging.getLogger("drumroll.reconcile")

Keys = Callable[[Obj | None, Obj | None], Iterable[Hashable]]
"""Whose turn it is because an object changed from the first to the second state (None: did not or does not exist)."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Changes that matter to a controller."""

    informer: Informer
    keys: Keys


@dataclass(frozen=True, slots=True)
class Joined:
    """What a custom kind that joins means to a controller: whose turn a change makes it, and whose turn it is now."""

    keys: Keys
    items: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class Controller:
    """What makes a controller: what it watches, and how it decides about one item.

    `component` names it in Events. `rest` is how many times as long as a decision took its item pauses afterwards:
    decisions about large things are slow, and while they rest many changes become one.
    """

    name: str
    component: str
    watches: tuple[Watch, ...]
    decide: Callable[[Any, datetime], Awaitable[Plan]]
    workers: int = 5
    rest: float = 10.0
    least_rest: float = 0.0
    join: Callable[[Informer], Joined] | None = None  # for every custom kind


MOST_REST = 0.25


async def run_controller(
    controller: Controller, caches: Caches, performer: Performer, now: Callable[[], datetime], metrics: Metrics
) -> None:
    """Serve one controller until cancelled. Faults are retried with back-off."""
    queue: WorkQueue[Hashable] = WorkQueue()
    meter = QueueMeter(metrics, controller.name, lambda: queue.depth)
    for watch in controller.watches:
        watch.informer.subscribe(_enqueue(queue, meter, watch.keys))
    if controller.join is not None:
        caches.follow(_join(queue, meter, controller.join))
    await caches.wait_synced()
    async with asyncio.TaskGroup() as group:
        for number in range(controller.workers):
            worker = _Worker(controller, caches, performer, now, queue, meter)
            group.create_task(worker.run(), name=f"{controller.name}-{number}")


def _join(
    queue: WorkQueue[Hashable], meter: QueueMeter, join: Callable[[Informer], Joined]
) -> Callable[[Informer], None]:
    def joined(informer: Informer) -> None:
        found = join(informer)
        informer.subscribe(_enqueue(queue, meter, found.keys))
        for item in found.items:
            queue.add(item)

    return joined


def _enqueue(queue: WorkQueue[Hashable], meter: QueueMeter, keys: Keys) -> Callable[[Obj | None, Obj | None], None]:
    def changed(old: Obj | None, new: Obj | None) -> None:
        for item in keys(old, new):
            queue.add(item)
            meter.added()

    return changed


@dataclass(frozen=True, slots=True)
class _Worker:
    controller: Controller
    caches: Caches
    performer: Performer
    now: Callable[[], datetime]
    queue: WorkQueue[Hashable]
    meter: QueueMeter

    async def run(self) -> None:
        while True:
            item, waited = await self.queue.get_waited()
            self.meter.waited(waited)
            began, result = perf_counter(), "error"
            try:
                if await self._turn(item):
                    result = "success"
            except ApiError as error:
                self._failed(item, error)
            except Exception:  # a controller's fault must not stop the others: log it whole, count it, try again
                log.exception("reconcile_crashed controller=%s key=%s", self.controller.name, item)
                self.queue.retry(item)
            self.meter.worked(began, result)

    async def _turn(self, item: Hashable) -> bool:
        clock = asyncio.get_running_loop().time
        started = clock()
        moment = self.now()
        plan = await self.controller.decide(item, moment)
        took = clock() - started
        outcome = await self.performer.perform(plan)
        await self._wait_seen(outcome)
        failures = [error for error in outcome.failures if not is_namespace_terminating(error)]
        if failures:
            self._failed(item, failures[0])
            return False
        self.queue.done(item, min(MOST_REST, max(self.controller.least_rest, took * self.controller.rest)))
        if plan.wake_at is not None:
            self.queue.add_after(item, (plan.wake_at - self.now()).total_seconds())
        return True

    async def _wait_seen(self, outcome: Outcome) -> None:
        try:
            await self.caches.wait_written(outcome.revisions, outcome.deleted)
        except TimeoutError:
            log.warning("own_writes_unseen controller=%s", self.controller.name)

    def _failed(self, item: Hashable, error: ApiError) -> None:
        name = self.controller.name
        level = logging.DEBUG if error.reason in ("Conflict", "AlreadyExists") else logging.WARNING
        log.log(level, "reconcile_failed controller=%s key=%s reason=%s message=%s", name, item, error.reason, error)
        self.queue.retry(item)
