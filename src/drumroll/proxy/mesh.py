"""Looks at what Envoy counted, every few seconds while somebody may want to know, and answers queries about it."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from math import inf
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from drumroll.domain.mesh.revision import ROLLOUT_HASH
from drumroll.objects.meta import Obj, labels_of
from drumroll.proxy.admin import get, read_clusters
from drumroll.proxy.traffic import Traffic
from drumroll.proxy.world import World

if TYPE_CHECKING:
    from drumroll.domain.promql.nodes import Matcher
    from drumroll.domain.promql.values import Labels, Series

log = logging.getLogger("drumroll.proxy")

SYSTEM = "drumroll-system"
WATCHED_STEP, IDLE_STEP = 5.0, 30.0
"""Seconds between looks: while somebody asks or there is a Rollout, and otherwise."""
ASKED_STEP = 2.5
"""An answer rests on a look that is no older: whoever judges a canary every few seconds must not wait for the next."""
ASKED_LATELY_SECONDS = 900.0
FRESH_SECONDS = 1.0
"""A look so young answers for the next one too."""


class Mesh:
    """The mesh's figures now and over the last quarter of an hour."""

    def __init__(self, admin: Path, world: World, traffic: Traffic, now: Callable[[], datetime]) -> None:
        from drumroll.domain.mesh.history import History
        from drumroll.domain.mesh.sums import Sums

        self._admin = admin
        self._world = world
        self._traffic = traffic
        self._now = now
        self._sums = Sums(SYSTEM)
        self._history = History()
        self._active: dict[Labels, float] = {}
        self._lock = Lock()  # what takes long runs in threads
        self._queries = ThreadPoolExecutor(1, "queries")  # its own: no query holds up a drain
        self._recorded = -inf
        self._looking = asyncio.Lock()
        self._looked: float | None = None
        self._asked: float | None = None
        self._bell = asyncio.Event()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        self._world.pods.subscribe(self._pod_changed)
        while True:
            if self._age() >= self._step():
                await self._take()
            self._bell.clear()
            try:
                async with asyncio.timeout(max(FRESH_SECONDS, self._step() - self._age())):
                    await self._bell.wait()
            except TimeoutError:
                pass

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        if old is None and new is not None and ROLLOUT_HASH in labels_of(new):
            self._bell.set()  # a Rollout begins: its first seconds count

    async def ask(self, path: str, parameters: dict[str, list[str]]) -> tuple[int, dict[str, object]]:
        """Status and answer of a query below `/api/v1/`."""
        from drumroll.domain.promql.api import answer

        self._asked = monotonic()
        if self._age() > ASKED_STEP:
            await self._take()
            self._bell.set()  # from now on more often
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._queries, answer, path, parameters, self, self._milliseconds())

    async def text(self) -> str:
        """The figures now, as Prometheus scrapes them."""
        from drumroll.domain.mesh.exposition import exposition
        from drumroll.domain.mesh.sums import HELP

        await self._look(active=True)
        return await asyncio.to_thread(lambda: exposition(self._figures(), HELP))

    def select(self, matchers: Sequence["Matcher"]) -> list["Series"]:
        """For queries."""
        with self._lock:
            return self._history.select(matchers)

    def series(self, selectors: Sequence[Sequence["Matcher"]], start: int, end: int) -> list["Labels"]:
        """For queries."""
        with self._lock:
            return self._history.series(selectors, start, end)

    def families(self) -> Mapping[str, tuple[str, str]]:
        """For queries."""
        from drumroll.domain.mesh.sums import HELP

        return HELP

    def _is_watched(self) -> bool:
        if self._asked is not None and monotonic() - self._asked < ASKED_LATELY_SECONDS:
            return True
        return any(ROLLOUT_HASH in labels_of(pod) for pod in self._world.pods.items())

    def _step(self) -> float:
        return WATCHED_STEP if self._is_watched() else IDLE_STEP

    def _age(self) -> float:
        """Seconds since the last step of the history."""
        return monotonic() - self._recorded

    async def _take(self) -> None:
        await self._look(active=self._is_watched())
        if self._looked is not None:  # else an Envoy that ran before us may have counted much, all at once
            await asyncio.to_thread(self._record)

    async def _look(self, *, active: bool) -> None:
        async with self._looking:
            if self._looked is not None and monotonic() - self._looked < FRESH_SECONDS:
                return
            if not await asyncio.to_thread(self._fold):
                return  # no Envoy answers: nothing is known, and the last figures stand
            self._looked = monotonic()
            if active:
                await self._look_at_active()
            else:
                self._active = {}

    def _fold(self) -> bool:
        from drumroll.domain.mesh.reading import QUERY, parse

        body = get(self._admin, QUERY)
        if body is None:
            return False
        reading = parse(body.decode())
        with self._lock:
            self._sums.fold(reading)
            self._sums.forget()
        return True

    async def _look_at_active(self) -> None:
        from drumroll.domain.mesh.reading import Target
        from drumroll.domain.mesh.sums import active_labels

        with self._lock:
            names = self._sums.clusters()
        found = await asyncio.to_thread(read_clusters, self._admin, names) if names else {}
        active: dict[Labels, float] = {}
        for cluster, hosts in (found or {}).items():
            for address, reading in hosts.items():
                target = Target(cluster, self._traffic.revisions.get(address.ip, ""))
                labels = active_labels(names[cluster], target, SYSTEM)
                if labels is not None:
                    active[labels] = active.get(labels, 0.0) + reading.active
        self._active = active

    def _figures(self) -> list[tuple["Labels", float]]:
        with self._lock:
            return [*self._sums.figures(), *self._active.items()]

    def _record(self) -> None:
        with self._lock:
            self._history.record(self._milliseconds(), self._sums.figures(), self._active.items())
        self._recorded = monotonic()

    def _milliseconds(self) -> int:
        return int(self._now().timestamp() * 1000)
