"""The node: takes pods that are bound to it from their spec to running programs, and back to nothing.

Source of the behaviour: kubernetes pkg/kubelet. Pods outlive this process: a new one finds them through the runtime.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.client.informer import Informer
from drumroll.node.agent_context import PROXY_LEASE, Images, NodeContext
from drumroll.node.agent_node import keep_lease, register_node, this_machine
from drumroll.node.log_rotation import OpenLog, rotate_logs
from drumroll.node.logs import LogSource
from drumroll.node.pod_worker import PodWorker
from drumroll.node.pod_worker_start import log_file
from drumroll.node.pod_worker_state import PodState, previous_run
from drumroll.node.runtime import Runtime
from drumroll.node.scheduling import Binder
from drumroll.node.server import serve_node
from drumroll.node.streaming import KnownPods, Streams
from drumroll.node.volumes_content import sources_of
from drumroll.objects.kinds import CONFIG_MAP, ENDPOINT_SLICE, LEASE, POD, SECRET, SERVICE
from drumroll.objects.meta import Key, Obj, uid_of
from drumroll.objects.network import ClusterNetwork

log = logging.getLogger("drumroll.node")

RESTART_SECONDS = 1.0
TOKEN_LOOK_SECONDS = 20.0
PROXY_PATIENCE = timedelta(seconds=5)


async def run_node(
    client: Client,
    *,
    runtime: Runtime,
    images: Images,
    folder: Path,
    network: ClusterNetwork,
    node_name: str,
    server_socket: Path,
    now: Callable[[], datetime],
) -> None:
    """Be the node until cancelled; pods run on after that. `folder` gets one folder per pod uid."""
    leases = Informer(client, LEASE, PROXY_LEASE.namespace, field_selector=f"metadata.name={PROXY_LEASE.name}")
    context = NodeContext(
        client=client,
        runtime=runtime,
        images=images,
        folder=folder,
        network=network,
        node_name=node_name,
        now=now,
        events=EventRecorder(client, "kubelet", now, host=node_name),
        services=Informer(client, SERVICE),
        leases=leases,
        machine=this_machine(),
        patience=now() + PROXY_PATIENCE,
    )
    async with asyncio.TaskGroup() as group:
        await _Agent(context, group).start(server_socket)


class _Agent:
    """Gives every pod of this node a worker, and tells the workers of what concerns them."""

    def __init__(self, context: NodeContext, group: asyncio.TaskGroup) -> None:
        client = context.client
        self._context = context
        self._group = group
        self._workers: dict[str, PodWorker] = {}
        self._pods = Informer(client, POD)
        self._slices = Informer(client, ENDPOINT_SLICE)
        self._sources = {"ConfigMap": Informer(client, CONFIG_MAP), "Secret": Informer(client, SECRET)}

    async def start(self, server_socket: Path) -> None:
        """Returns when everything runs in the task group."""
        context, spawn = self._context, self._group.create_task
        scheduled = EventRecorder(context.client, "default-scheduler", context.now)
        informers = [self._pods, self._slices, context.services, context.leases, *self._sources.values()]
        for informer in informers:
            spawn(informer.run(), name=f"informer-{informer.kind.name}")
        spawn(context.events.run(), name="events")
        spawn(scheduled.run(), name="scheduler-events")
        await register_node(context, server_socket)
        spawn(keep_lease(context), name="lease")
        spawn(rotate_logs(self._open_logs, context.now), name="log-rotation")
        spawn(serve_node(server_socket, self._find_log, context.now, self._streams()), name="node-server")
        for informer in informers:
            await informer.wait_synced()
        self._slices.subscribe(self._on_slice)
        await self._find_sandboxes({uid_of(pod) for pod in self._pods.items()})
        await self._remove_orphans()
        binder = Binder(context, self._pods, scheduled)
        self._pods.subscribe(self._on_pod)
        self._pods.subscribe(binder.on_pod)
        for informer in self._sources.values():
            informer.subscribe(self._on_source)
        spawn(binder.run(), name="scheduler")
        spawn(self._renew_tokens(), name="tokens")
        log.info("node_ready name=%s isolation=%s", context.node_name, context.runtime.isolation)

    def _on_pod(self, old: Obj | None, new: Obj | None) -> None:
        if old is not None and (new is None or uid_of(new) != uid_of(old)):
            worker = self._workers.get(uid_of(old))
            if worker is not None:
                worker.forget()
        if new is None or new["spec"].get("nodeName") != self._context.node_name:
            return
        uid = uid_of(new)
        if uid in self._workers:
            self._workers[uid].update(new)
            return
        self._workers[uid] = PodWorker(self._context, new)
        self._group.create_task(self._serve(uid), name=f"pod-{new['metadata']['name']}")

    async def _serve(self, uid: str) -> None:
        """Run one pod's worker to its end; a fault in it must not harm other pods, so it begins again."""
        while True:
            try:
                await self._workers[uid].run()
            except Exception:  # a fault in one pod must not stop the others: log it whole, begin again
                log.exception("pod_worker_failed pod=%s", uid)
            else:
                break
            await asyncio.sleep(RESTART_SECONDS)
            pod = self._workers[uid].state.pod
            await self._find_sandboxes({uid})
            self._workers[uid] = worker = PodWorker(self._context, pod)
            known = self._pods.get(Key(pod["metadata"]["namespace"], pod["metadata"]["name"]))
            if known is None or uid_of(known) != uid:
                worker.forget()
            else:
                worker.update(known)
        del self._workers[uid]
        self._context.served.discard(uid)
        self._context.tokens.forget(uid)

    def _on_slice(self, _: Obj | None, new: Obj | None) -> None:
        for endpoint in (new or {}).get("endpoints") or ():
            target = endpoint.get("targetRef") or {}
            if target.get("kind") == "Pod" and target.get("uid"):
                self._context.served.add(target["uid"])

    async def _renew_tokens(self) -> None:
        """Bring the volumes of pods up to date whose tokens have lived most of their life."""
        while True:
            await asyncio.sleep(TOKEN_LOOK_SECONDS)
            for uid in self._context.tokens.worn(self._context.now()):
                if uid in self._workers:
                    self._workers[uid].refresh_volumes()

    def _on_source(self, old: Obj | None, new: Obj | None) -> None:
        """A ConfigMap or Secret changed: the pods that show it look again."""
        if new is None:
            return
        meta = new["metadata"]
        for worker in self._workers.values():
            pod = worker.state.pod
            if pod["metadata"]["namespace"] == meta["namespace"] and (new["kind"], meta["name"]) in sources_of(pod):
                worker.refresh_volumes()

    async def _find_sandboxes(self, uids: set[str]) -> None:
        """Put the sandboxes of these pods where their workers find them.

        Which of them slices had before this process began, nobody knows any more: whether they are served is the
        proxy's to say (it answers at once for those that Envoy never had).
        """
        for sandbox in await self._context.runtime.list_sandboxes():
            if sandbox.uid in uids:
                self._context.found[sandbox.uid] = sandbox
                self._context.served.add(sandbox.uid)

    async def _remove_orphans(self) -> None:
        """End the pods that were deleted while no node looked."""
        for sandbox in await self._context.runtime.list_sandboxes():
            if sandbox.uid not in self._context.found:
                log.info("orphan_removed pod=%s name=%s", sandbox.uid, sandbox.name)
                self._group.create_task(self._remove_orphan(sandbox.uid))

    async def _remove_orphan(self, uid: str) -> None:
        await self._context.runtime.remove_sandbox(uid)
        await asyncio.to_thread(shutil.rmtree, self._context.folder / uid, ignore_errors=True)

    def _open_logs(self) -> Iterator[OpenLog]:
        for worker in self._workers.values():
            for run in worker.state.running():
                path = log_file(worker.state.folder, run.name, run.attempt)
                yield OpenLog(path, partial(self._context.runtime.reopen_log, run.container_id))

    def _streams(self) -> Streams:
        def state_of(namespace: str, name: str) -> PodState | None:
            pod = self._pods.get(Key(namespace, name))
            worker = self._workers.get(uid_of(pod)) if pod is not None else None
            return worker.state if worker is not None else None

        return Streams(self._context.runtime, KnownPods(state_of))

    def _find_log(self, namespace: str, name: str, container: str, previous: bool) -> LogSource:
        """The log of a container's latest run, or of the one that its status calls the last."""
        pod = self._pods.get(Key(namespace, name))
        worker = self._workers.get(uid_of(pod)) if pod is not None else None
        if worker is None:
            raise LookupError(f'pods "{name}" not found')
        state = worker.state
        runs = state.runs.get(container) or []
        if previous:
            run = previous_run(state, container)
            if run is None:
                raise ValueError(f'previous terminated container "{container}" in pod "{name}" not found')
            return LogSource(log_file(state.folder, container, run.attempt), lambda: False)
        if not runs:
            waiting = state.waiting.get(container)
            reason = waiting.reason if waiting else "ContainerCreating"
            raise ValueError(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
        latest = runs[-1]

        def is_live() -> bool:
            now = state.latest(container)
            alive = self._workers.get(state.uid) is worker
            return alive and now is not None and now.attempt == latest.attempt and now.exit_code is None

        return LogSource(log_file(state.folder, container, latest.attempt), is_live)
