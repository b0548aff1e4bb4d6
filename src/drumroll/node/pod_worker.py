"""One pod's worker: reads what is (runtime, API object), lets pure functions decide, performs, reports.

Level-triggered: it is woken by changes and by its own clock, and looks at everything again each time. Whatever takes
long runs as an operation beside it (`PodOperations`), at most one per container.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from drumroll.domain.pod import Plan, added_containers, is_finished, is_sidecar, plan_containers
from drumroll.domain.pod_status import build_status, status_patch
from drumroll.domain.termination import DrainDecision, DrainView, decide_drain, grace_of
from drumroll.node.agent_context import NodeContext
from drumroll.node.pod_worker_operations import PodOperations
from drumroll.node.pod_worker_state import PodState, find_container, full_name
from drumroll.node.pod_worker_stop import next_to_stop
from drumroll.objects import wire
from drumroll.objects.errors import ApiError, Conflict, NotFound
from drumroll.objects.kinds import POD
from drumroll.objects.meta import Obj, is_deleting

log = logging.getLogger("drumroll.node")

RETRY = timedelta(seconds=1)


class PodWorker:
    """Takes one pod (by uid) from its binding to its final deletion. `run` returns when the pod is gone."""

    def __init__(self, context: NodeContext, pod: Obj) -> None:
        self._context = context
        self._state = PodState(pod, context.folder / pod["metadata"]["uid"])
        self._woken = asyncio.Event()
        self._operations = PodOperations(context, self._state, self._woken.set)
        self._gone = False
        self._finished = False
        self._plan = Plan()
        self._told: set[str] = set()

    @property
    def state(self) -> PodState:
        """What the worker knows; for reading only."""
        return self._state

    def update(self, pod: Obj) -> None:
        """A newer object arrived (an older one is ignored)."""
        if _revision(pod) >= _revision(self._state.pod):
            before, self._state.pod = self._state.pod, pod
            if before["metadata"].get("labels") != pod["metadata"].get("labels"):
                self._operations.refresh_volumes()
        self._woken.set()

    def forget(self) -> None:
        """The object is gone from the API: nothing of it may go on."""
        self._gone = True
        self._woken.set()

    def refresh_volumes(self) -> None:
        """A ConfigMap or Secret that the pod shows has changed."""
        self._operations.refresh_volumes()

    async def run(self) -> None:
        """Serve the pod until it is gone, or until cancelled; then it goes on without us."""
        async with asyncio.TaskGroup() as group:
            await self._operations.open(group)
            while not self._finished:
                self._woken.clear()
                wake_at = await self._turn()
                if not self._finished:
                    await self._sleep(wake_at)
            await self._operations.close()

    async def _sleep(self, until: datetime | None) -> None:
        if until is None:
            await self._woken.wait()
            return
        seconds = max(0.0, (until - self._context.now()).total_seconds())
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _turn(self) -> datetime | None:
        """Do what is due; when to look again, None for not before a change."""
        try:
            if self._gone:
                await self._remove()
                return None
            if is_deleting(self._state.pod):
                return await self._terminate()
            if is_finished(self._state.pod):
                return await self._rest()
            wake_at = self._advance()
            await self._report()
        except ApiError as error:
            log.warning("pod_turn_failed pod=%s reason=%s message=%s", self._state.uid, error.reason, error.message)
            return self._context.now() + RETRY
        return wake_at

    def _advance(self) -> datetime | None:
        """Start what should run, stop what failed its probes; when to look again."""
        now, operations = self._context.now(), self._operations
        wake: list[datetime | None] = []
        if self._state.sandbox is None or self._state.volumes is None:
            wake.append(operations.set_up(now))
            if not self._state.running():
                return wake[0]
        operations.follow_probes()
        wake.append(operations.kill_overdue(now))
        for run in self._state.running():
            prober = self._state.prober(run.name)
            if prober is not None and (spec := prober.failed) is not None:
                policy = self._state.pod["spec"].get("restartPolicy") or "Always"
                tail = "" if policy == "Never" else ", will be restarted"
                message = f"Container {run.name} failed {spec.type} probe{tail}"
                operations.stop(run, grace_of(self._state.pod, spec.grace), message)
        self._plan = plan_containers(self._state.pod, self._state.world(), now)
        for name in self._plan.start if self._state.volumes is not None else ():
            wake.append(operations.start(name, now))
        for name, held in self._plan.held.items():
            self._tell_back_off(name)
            wake.append(held.at)
        if self._plan.ended:
            self._stop_others()
        return min((moment for moment in wake if moment is not None), default=None)

    def _stop_others(self) -> None:
        """The program has ended: what runs beside it ends too."""
        added = added_containers(self._state.pod)
        for run in self._state.running():
            container = find_container(self._state.pod, run.name)
            if is_sidecar(container) or container in added:
                self._operations.stop(run, grace_of(self._state.pod), f"Stopping container {run.name}")

    def _tell_back_off(self, name: str) -> None:
        run = self._state.latest(name)
        if run is not None and run.container_id not in self._told:
            self._told.add(run.container_id)
            message = f"Back-off restarting failed container {name} in pod {full_name(self._state.pod)}"
            self._operations.starter.event("Warning", "BackOff", message, name)

    async def _terminate(self) -> datetime | None:
        """Drain, stop, report, delete. Nothing starts any more."""
        now, operations = self._context.now(), self._operations
        operations.begin_termination(now)
        if operations.is_starting:
            return None
        running = self._state.running()
        if running and not operations.stops.released:
            decision = self._decide_drain(now)
            if not decision.go:
                await self._report()
                return decision.until
            log.info("pod_released pod=%s why=%s", self._state.uid, decision.why.replace(" ", "_"))
            operations.stops.released = True
            operations.stops.save()
        if running:
            grace = grace_of(self._state.pod)
            for run in next_to_stop(self._state):
                operations.stop(run, grace, f"Stopping container {run.name}")
            await self._report()
            return operations.kill_overdue(self._context.now(), grace)
        await self._report()
        await self._remove()
        return None

    def _decide_drain(self, now: datetime) -> DrainDecision:
        began = self._operations.stops.began or now
        view = DrainView(
            served=self._state.uid in self._context.served,
            proxy_lease=self._context.proxy_lease(),
            patience=self._context.patience,
        )
        return decide_drain(self._state.pod, view, began, now)

    async def _rest(self) -> datetime | None:
        """The pod has ended by itself: it keeps its logs until somebody deletes it."""
        self._operations.follow_probes()
        for run in self._state.running():
            self._operations.stop(run, grace_of(self._state.pod), f"Stopping container {run.name}")
        return self._operations.kill_overdue(self._context.now())

    async def _remove(self) -> None:
        """Leave nothing behind, then (unless it is gone already) take the object out of the API."""
        await self._operations.remove_everything()
        if not self._gone:
            meta = self._state.pod["metadata"]
            try:
                await self._context.client.delete(
                    POD, meta["namespace"], meta["name"], uid=meta["uid"], grace_period_seconds=0
                )
            except (NotFound, Conflict):
                log.info("pod_already_gone pod=%s", self._state.uid)
        self._finished = True

    async def _report(self) -> None:
        """Write the status when it differs from what the API has."""
        pod, now = self._state.pod, self._context.now()
        status = build_status(pod, self._state.facts(self._plan, self._context.host_ip, now), now)
        patch = status_patch(pod.get("status") or {}, status)
        if patch is None:
            return
        meta = pod["metadata"]
        try:
            answer = await self._context.client.patch(
                POD,
                meta["namespace"],
                meta["name"],
                {"metadata": {"uid": meta["uid"]}, "status": patch},
                subresource="status",
                content_type=wire.STRATEGIC_MERGE_PATCH,
            )
        except (NotFound, Conflict):
            log.info("pod_status_unwanted pod=%s", self._state.uid)
            return
        if _revision(answer) >= _revision(self._state.pod):
            self._state.pod = {"apiVersion": "v1", "kind": "Pod", **answer}
        if is_finished(self._state.pod):
            self._woken.set()


def _revision(pod: Obj) -> int:
    return int(pod["metadata"].get("resourceVersion") or 0)
