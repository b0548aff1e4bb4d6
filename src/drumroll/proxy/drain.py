"""Watches pods that are being deleted; writes `drumroll.dev/Drained` when no request runs in them or time is up."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import monotonic

from drumroll.client.client import Client
from drumroll.domain.endpoint_life import Drain, drain_deadline
from drumroll.domain.pod import is_finished
from drumroll.domain.termination import DRAINED, is_drained
from drumroll.objects.errors import ApiError, Conflict, NotFound
from drumroll.objects.kinds import POD
from drumroll.objects.meta import Obj, is_deleting, key_of, timestamp, uid_of
from drumroll.objects.wire import STRATEGIC_MERGE_PATCH
from drumroll.proxy.admin import read_clusters
from drumroll.proxy.traffic import Traffic
from drumroll.proxy.world import World, pod_ip

log = logging.getLogger("drumroll.proxy")

QUICK_SECONDS, SLOW_SECONDS = 0.025, 0.25
QUICK_READS = 200
REST_FACTOR = 3

_MESSAGES = {
    "Idle": "no request runs in the pod",
    "BudgetSpent": "requests still run in the pod, and its grace period leaves no more time to wait",
    "NotServed": "no request was ever sent to the pod",
}


class Drainer:
    """Reads Envoy's counts while anything drains. `wake` is called when an endpoint has gone idle."""

    def __init__(
        self,
        client: Client,
        world: World,
        traffic: Traffic,
        *,
        admin: Path,
        now: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._client = client
        self._world = world
        self._traffic = traffic
        self._admin = admin
        self._now = now
        self._wake = wake
        self._bell = asyncio.Event()
        self._waiting: dict[str, Obj] = {}
        self._reads = 0

    def watch(self) -> None:
        """Subscribe to pods."""
        self._world.pods.subscribe(self._pod_changed)

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        pod = new or old or {}
        if new is None or not is_deleting(new) or is_drained(new) or is_finished(new) or not pod_ip(new):
            self._waiting.pop(uid_of(pod), None)
        else:
            if uid_of(pod) not in self._waiting:
                self._reads = 0
            self._waiting[uid_of(pod)] = new
            self._bell.set()

    def look(self) -> None:
        """Something may have begun to drain."""
        self._bell.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._waiting or self._traffic.lives.draining():
                began = monotonic()
                await self._read()
                await self._judge()
                self._reads += 1
                rest = QUICK_SECONDS if self._reads < QUICK_READS else SLOW_SECONDS
                await asyncio.sleep(max(rest, REST_FACTOR * (monotonic() - began)))
            self._reads = 0

    async def _read(self) -> None:
        asked = self._traffic.lives.draining()
        if not asked:
            return
        readings = await asyncio.to_thread(read_clusters, self._admin, asked)
        if readings is not None:
            self._traffic.observe(readings, asked)
            self._wake()

    async def _judge(self) -> None:
        now = self._now()
        judged = [(pod, reason) for pod in self._waiting.values() if (reason := self._reason(pod, now))]
        if judged:
            await asyncio.gather(*(self._write(pod, reason, now) for pod, reason in judged))

    def _reason(self, pod: Obj, now: datetime) -> str:
        """Why the pod counts as drained; empty while it does not."""
        if uid_of(pod) not in self._traffic.judged:
            return ""  # its endpoints have not been looked at since the deletion was seen
        drain = self._traffic.drain_of(pod_ip(pod))
        if drain is not Drain.BUSY:
            return str(drain.value)
        deadline = drain_deadline(pod)
        return "BudgetSpent" if deadline is None or now >= deadline else ""

    async def _write(self, pod: Obj, reason: str, now: datetime) -> None:
        key, uid = key_of(pod), uid_of(pod)
        self._traffic.finished.add(uid)
        condition = {
            "type": DRAINED,
            "status": "True",
            "reason": reason,
            "message": _MESSAGES[reason],
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(now),
        }
        patch = {"metadata": {"uid": uid}, "status": {"conditions": [condition]}}
        try:
            await self._client.patch(
                POD, key.namespace, key.name, patch, subresource="status", content_type=STRATEGIC_MERGE_PATCH
            )
        except (NotFound, Conflict):
            pass  # the pod has gone, or its name belongs to another one
        except ApiError as error:
            log.warning("drained_not_written pod=%s reason=%s message=%s", key, error.reason, error.message)
            return  # it still waits: the next turn tries again
        log.info("pod_drained pod=%s reason=%s", key, reason)
        self._waiting.pop(uid, None)
