"""Binds pods to this node when there is room: all that scheduling is on one machine."""

import asyncio
import logging

from drumroll.client.events import EventRecorder
from drumroll.client.informer import Informer
from drumroll.domain.pod import is_finished
from drumroll.domain.scheduling import Resources, refusals, requests_of, unschedulable_message, used_by
from drumroll.node.agent_context import NodeContext
from drumroll.objects import wire
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import NODE, POD
from drumroll.objects.meta import Obj, is_deleting, timestamp, uid_of

log = logging.getLogger("drumroll.node")

DEFAULT_SCHEDULER = "default-scheduler"
PARALLEL_BINDINGS = 16
RETRY_SECONDS = 1.0


class Binder:
    """Looks at all unbound pods whenever one arrives or room becomes free."""

    def __init__(self, context: NodeContext, pods: Informer, events: EventRecorder) -> None:
        self._context = context
        self._pods = pods
        self._events = events
        self._woken = asyncio.Event()
        self._waiting: dict[str, Obj] = {}
        self._assumed: dict[str, Resources] = {}  # bound by us, not yet seen as bound
        self._told: dict[str, str] = {}

    def on_pod(self, old: Obj | None, new: Obj | None) -> None:
        """Informer callback."""
        pod = new or old
        if pod is None:
            return
        uid = uid_of(pod)
        if new is None or new["spec"].get("nodeName") or is_finished(new) or is_deleting(new):
            self._waiting.pop(uid, None)
            self._told.pop(uid, None)
            self._assumed.pop(uid, None)
            if new is None or is_finished(new):
                self._woken.set()
        elif uid not in self._assumed and _is_ours(new):
            self._waiting[uid] = new
            self._woken.set()

    async def run(self) -> None:
        """Bind until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            if self._waiting:
                try:
                    await self._bind_all()
                except ApiError as error:
                    log.warning("binding_failed reason=%s message=%s", error.reason, error.message)
                    await asyncio.sleep(RETRY_SECONDS)
                    self._woken.set()

    async def _bind_all(self) -> None:
        node = await self._context.client.get(NODE, "", self._context.node_name)
        used = used_by(self._pods.items(), self._context.node_name)
        for assumed in self._assumed.values():
            used += assumed
        batch: list[Obj] = []
        oldest_first = sorted(self._waiting.values(), key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
        for pod in oldest_first:
            reasons = refusals(pod, node, used)
            if reasons:
                await self._refuse(pod, unschedulable_message(reasons))
                continue
            used += requests_of(pod)
            batch.append(pod)
        for start in range(0, len(batch), PARALLEL_BINDINGS):
            await asyncio.gather(*(self._bind(pod) for pod in batch[start : start + PARALLEL_BINDINGS]))

    async def _bind(self, pod: Obj) -> None:
        meta, node_name = pod["metadata"], self._context.node_name
        self._assumed[meta["uid"]] = requests_of(pod)
        binding: Obj = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node_name},
        }
        try:
            await self._context.client.create(binding, subresource="binding")
        except ApiError:
            self._assumed.pop(meta["uid"], None)
            if meta["uid"] in self._waiting:
                raise
            return
        self._waiting.pop(meta["uid"], None)
        text = f"Successfully assigned {meta['namespace']}/{meta['name']} to {node_name}"
        self._events.record(pod, "Normal", "Scheduled", text)

    async def _refuse(self, pod: Obj, message: str) -> None:
        meta = pod["metadata"]
        if self._told.get(meta["uid"]) == message:
            return
        self._told[meta["uid"]] = message
        self._events.record(pod, "Warning", "FailedScheduling", message)
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(self._context.now()),
        }
        await self._context.client.patch(
            POD, meta["namespace"], meta["name"], {"status": {"conditions": [condition]}},
            subresource="status", content_type=wire.STRATEGIC_MERGE_PATCH,
        )  # fmt: skip


def _is_ours(pod: Obj) -> bool:
    gates = pod["spec"].get("schedulingGates")
    return not gates and (pod["spec"].get("schedulerName") or DEFAULT_SCHEDULER) == DEFAULT_SCHEDULER
