"""Writes Events for a part of Drumroll, in order, without ever holding up the part that reports them."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from drumroll.client.client import Client
from drumroll.domain.events import Correlator, CreateEvent, EventType, Occurrence, PatchEvent, Source, about
from drumroll.objects.errors import AlreadyExists, ApiError, Forbidden, NotFound
from drumroll.objects.kinds import EVENT
from drumroll.objects.meta import Obj

log = logging.getLogger("drumroll.client")

QUEUED = 1000  # as client-go: what comes on top of so many unwritten events is dropped
ATTEMPTS = 12
RETRY_SECONDS = 1.0


class EventRecorder:
    """Reports in the name of `component`; `host` is the node's name where a node reports."""

    def __init__(self, client: Client, component: str, now: Callable[[], datetime], host: str = "") -> None:
        self._client = client
        self._now = now
        self._correlator = Correlator(Source(component, host))
        self._queue: asyncio.Queue[tuple[Occurrence, datetime]] = asyncio.Queue(QUEUED)

    def record(self, obj: Obj, type: EventType, reason: str, message: str, field_path: str = "") -> None:  # noqa: A002
        """Report that something happened to `obj` (with apiVersion and kind); it is written soon, by `run`."""
        try:
            self._queue.put_nowait((Occurrence(about(obj, field_path), type, reason, message), self._now()))
        except asyncio.QueueFull:
            log.warning("event_dropped reason=%s name=%s", reason, obj["metadata"]["name"])

    async def run(self) -> None:
        """Write what is reported until cancelled."""
        while True:
            occurrence, moment = await self._queue.get()
            decision = self._correlator.correlate(occurrence, moment)
            if decision is not None:
                await self._write(decision)

    async def _write(self, decision: CreateEvent | PatchEvent) -> None:
        for _ in range(ATTEMPTS):
            try:
                await self._attempt(decision)
            except (AlreadyExists, Forbidden):  # written before after all, or the namespace is going away
                return
            except ApiError as error:
                if error.code not in (429, 500, 503, 504):
                    log.warning("event_refused reason=%s message=%s", error.reason, error.message)
                    return
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
        log.warning("event_lost attempts=%d", ATTEMPTS)

    async def _attempt(self, decision: CreateEvent | PatchEvent) -> None:
        match decision:
            case CreateEvent(event):
                await self._client.create(event)
            case PatchEvent(namespace, name, patch, whole):
                try:
                    await self._client.patch(EVENT, namespace, name, patch)
                except NotFound:
                    await self._client.create(whole)
