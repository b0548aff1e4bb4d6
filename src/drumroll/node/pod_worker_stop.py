"""Ends runs: preStop, the stop signal, and the kill when the grace is over. What was begun survives a restart."""

import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from drumroll.domain.pod import is_sidecar
from drumroll.domain.termination import kill_at
from drumroll.node.agent_context import NodeContext
from drumroll.node.lifecycle import run_hook
from drumroll.node.pod_worker_state import PodState, field_path, find_container
from drumroll.node.probing import ProbeTarget
from drumroll.node.runtime import ContainerError, ContainerState

log = logging.getLogger("drumroll.node")


@dataclass(slots=True)
class Stops:
    """Which runs are being stopped.

    `began` is when the pod's own termination began, `released` says that draining is over, `signalled` when the stop
    signal went out, `killed` when SIGKILL did.
    """

    folder: Path
    began: datetime | None = None
    asked: dict[str, tuple[datetime, float]] = field(default_factory=dict)  # container id → when, seconds of grace
    signalled: dict[str, datetime] = field(default_factory=dict)
    killed: dict[str, datetime] = field(default_factory=dict)
    released: bool = False

    def load(self) -> None:
        """Take up what a former control plane had begun."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            found = json.loads((self.folder / "termination.json").read_text())
            self.began, self.released = _moment(found["began"]), bool(found["released"])
            self.signalled = {key: _moment(value) for key, value in found["signalled"].items()}

    def save(self) -> None:
        """Write down what has begun; a pod folder that is gone needs no record."""
        if self.began is None:
            return
        facts = {
            "began": self.began.timestamp(),
            "released": self.released,
            "signalled": {key: moment.timestamp() for key, moment in self.signalled.items()},
        }
        fresh = self.folder / "termination.json.new"
        with contextlib.suppress(FileNotFoundError):
            fresh.write_text(json.dumps(facts))
            fresh.rename(self.folder / "termination.json")

    def kill_at(self, container_id: str, grace: float | None = None) -> datetime | None:
        """When SIGKILL is due, by `grace` or by what was asked for with the stop. None before SIGTERM."""
        sent = self.signalled.get(container_id)
        if sent is None:
            return None
        began, asked = self.asked.get(container_id, (self.began or sent, 0.0))
        return kill_at(began, sent, asked if grace is None else grace)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def next_to_stop(state: PodState) -> list[ContainerState]:
    """The runs that end now: all but sidecars; then the sidecars, last one first."""
    running = state.running()
    sidecars = [c["name"] for c in state.pod["spec"].get("initContainers") or () if is_sidecar(c)]
    first = [run for run in running if run.name not in sidecars]
    if first:
        return first
    return sorted(running, key=lambda run: sidecars.index(run.name))[-1:]


@dataclass(frozen=True, slots=True)
class Stopper:
    """Stops runs of one pod, each in its own task; `wake` is called after the signal."""

    context: NodeContext
    state: PodState
    stops: Stops
    wake: Callable[[], None]

    async def stop(self, run: ContainerState, grace: float, message: str) -> None:
        """preStop, then the stop signal. The kill comes later, by level: see `Stops.kill_at`."""
        now = self.context.now()
        began = self.stops.began or now
        self.stops.asked[run.container_id] = (began, grace)
        if run.container_id not in self.stops.signalled:
            path = field_path(self.state.pod, run.name)
            self.context.events.record(self.state.pod, "Normal", "Killing", message, path)
            if grace > 0:
                await self._pre_stop(run, grace - (now - began).total_seconds())
        self.stops.signalled.setdefault(run.container_id, self.context.now())
        self.stops.save()
        log.info("container_stopping pod=%s container=%s signal=%s", self.state.uid, run.name, run.stop_signal)
        with contextlib.suppress(ContainerError):
            await self.context.runtime.signal_container(run.container_id, run.stop_signal)
        self.wake()

    async def kill(self, run: ContainerState) -> None:
        """The grace is over."""
        log.info("container_killed pod=%s container=%s", self.state.uid, run.name)
        with contextlib.suppress(ContainerError):
            await self.context.runtime.signal_container(run.container_id, "SIGKILL")

    async def _pre_stop(self, run: ContainerState, timeout: float) -> None:
        container = find_container(self.state.pod, run.name)
        hook = (container.get("lifecycle") or {}).get("preStop")
        if not hook or self.state.sandbox is None or timeout <= 0:
            return
        target = ProbeTarget(self.context.runtime, run.container_id, self.state.sandbox.ip, container)
        problem = await run_hook(hook, target, timeout)
        if problem is not None:
            path = field_path(self.state.pod, run.name)
            self.context.events.record(self.state.pod, "Warning", "FailedPreStopHook", "PreStopHook failed", path)
            log.info("pre_stop_failed pod=%s container=%s", self.state.uid, run.name)
