"""What a pod's worker does beside its turns: set-up, starts, stops, waiting for exits. Each at most once at a time."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from drumroll.domain.restart import BackOff
from drumroll.domain.termination import grace_of
from drumroll.node.agent_context import NodeContext
from drumroll.node.environment import hostname_of
from drumroll.node.logs import last_output, log_files
from drumroll.node.pod_worker_start import Starter, log_file, termination_file
from drumroll.node.pod_worker_state import PodState, find_container
from drumroll.node.pod_worker_stop import Stopper, Stops
from drumroll.node.prober import RunProber, found_verdicts
from drumroll.node.probing import ProbeTarget
from drumroll.node.runtime import ContainerError, ContainerState, Sandbox, SandboxSpec
from drumroll.node.volumes import set_up_volumes, unenforced_limits
from drumroll.node.volumes_content import VolumeError
from drumroll.objects.errors import ApiError
from drumroll.objects.meta import Obj

log = logging.getLogger("drumroll.node")

MESSAGE_LIMIT = 4096
FALLBACK_LIMIT = 2048
KILL_AGAIN = timedelta(seconds=5)
SET_UP_LIMIT = timedelta(seconds=30)
ADDRESS_IN_USE = ("Address already in use", "EADDRINUSE", "Errno 98")


class PodOperations:
    """Owns the tasks of one pod. `wake` is called when one has changed something."""

    def __init__(self, context: NodeContext, state: PodState, wake: Callable[[], None]) -> None:
        self._context = context
        self._state = state
        self._wake = wake
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._set_up_hold: tuple[BackOff, datetime] | None = None
        self.stops = Stops(state.folder)
        self.starter = Starter(context, state, wake)
        self._stopper = Stopper(context, state, self.stops, wake)

    @property
    def is_starting(self) -> bool:
        """True while a sandbox or a container is in the making."""
        return any(key == "set-up" or key.startswith("start/") for key in self._tasks)

    async def open(self, group: asyncio.TaskGroup) -> None:
        """Find what a former control plane left: the sandbox, runs, an unfinished termination."""
        self._group = group
        self.stops.load()
        self._state.sandbox = self._context.found.pop(self._state.uid, None)
        if self._state.sandbox is not None:
            for run in await self._context.runtime.list_containers(self._state.uid):
                self._note(run)
        for run in self._state.running():
            log.info("container_found pod=%s container=%s pid=%s", self._state.uid, run.name, run.pid)
            self._launch(f"wait/{run.container_id}", self._wait(run))

    async def close(self) -> None:
        """End every task."""
        for prober in self._state.probers.values():
            prober.stop()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def set_up(self, now: datetime) -> datetime | None:
        """Volumes and sandbox, retried with a growing delay; when to look again."""
        if self._set_up_hold is not None and now < self._set_up_hold[1]:
            return self._set_up_hold[1]
        self._launch("set-up", self._set_up())
        return None

    def refresh_volumes(self) -> None:
        """Bring the volumes up to date; a pod that still waits for one tries at once."""
        self._set_up_hold = None
        if self._state.volumes is not None and self._group is not None:
            self._launch("refresh", self._refresh())
        self._wake()

    def start(self, name: str, now: datetime) -> datetime | None:
        """Start a container unless that is under way or on hold; when to look again."""
        hold = self._state.holds.get(name)
        if hold is not None and now < hold.at:
            return hold.at
        self._launch(f"start/{name}", self._start(name))
        return None

    def stop(self, run: ContainerState, grace: float, message: str) -> None:
        """Stop a run, once."""
        if run.container_id not in self.stops.asked:
            self._launch(f"stop/{run.container_id}", self._stopper.stop(run, grace, message))

    def kill_overdue(self, now: datetime, grace: float | None = None) -> datetime | None:
        """SIGKILL what outstays its grace; when the next one is due."""
        due = [(self.stops.kill_at(run.container_id, grace), run) for run in self._state.running()]
        wake = [moment for moment, _ in due if moment is not None and moment > now]
        for moment, run in due:
            if moment is not None and moment <= now:
                again = self.stops.killed.get(run.container_id, now) + KILL_AGAIN
                if run.container_id not in self.stops.killed or again <= now:
                    self.stops.killed[run.container_id] = now
                    self._launch(f"kill/{run.container_id}", self._stopper.kill(run))
                wake.append(self.stops.killed[run.container_id] + KILL_AGAIN)
        return min(wake, default=None)

    def follow_probes(self) -> None:
        """A prober for every running run whose postStart hook has ended, none for others."""
        if self._group is None:
            return
        running = {run.container_id: run for run in self._state.running()}
        for container_id in [key for key in self._state.probers if key not in running]:
            self._state.probers.pop(container_id).stop()
        for container_id, run in running.items():
            if container_id in self._state.hooked:
                continue
            if container_id not in self._state.probers and self._state.sandbox is not None:
                self._state.probers[container_id] = prober = self._prober(run, self._state.sandbox)
                prober.start(self._group)

    def begin_termination(self, now: datetime) -> None:
        """From now on nothing starts, and no probe kills."""
        if self.stops.began is None:
            self.stops.began = now
            self.stops.save()
        if task := self._tasks.get("set-up"):
            task.cancel()
        self.follow_probes()
        for prober in self._state.probers.values():
            prober.stop_killing()

    async def remove_everything(self) -> None:
        """Kill what still runs, and remove the sandbox and the pod's folder."""
        await self.close()
        await self._context.runtime.remove_sandbox(self._state.uid)
        await asyncio.to_thread(shutil.rmtree, self._state.folder, ignore_errors=True)

    def _launch(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        if key in self._tasks or self._group is None:
            work.close()
            return
        task = self._tasks[key] = self._group.create_task(work, name=f"{self._state.uid}/{key}")
        task.add_done_callback(lambda _: self._ended(key))

    def _ended(self, key: str) -> None:
        self._tasks.pop(key, None)
        self._wake()

    async def _set_up(self) -> None:
        meta, now = self._state.pod["metadata"], self._context.now()
        spec = SandboxSpec(
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            folder=self._state.folder,
            hostname=hostname_of(self._state.pod),
            host_aliases=_host_aliases(self._state.pod),
        )
        problem = ("", "")
        try:
            self._state.folder.mkdir(parents=True, exist_ok=True)
            self._state.volumes = await set_up_volumes(self._context, self._state.pod, self._state.folder)
            self._state.sandbox = await self._context.runtime.create_sandbox(spec)
        except (VolumeError, OSError) as error:
            problem = ("FailedMount", str(error))
        except ApiError as error:
            problem = ("FailedMount", error.message)
        except ContainerError as error:
            problem = ("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error.message}")
        if not problem[0]:
            self._set_up_hold = None
            if warning := unenforced_limits(self._state.pod):
                self.starter.event("Warning", "SizeLimitNotEnforced", warning)
            return
        self.starter.event("Warning", problem[0], problem[1])
        entry = self._set_up_hold[0] if self._set_up_hold else None
        delay = min(entry.delay * 2, SET_UP_LIMIT) if entry else timedelta(seconds=0.5)
        self._set_up_hold = (BackOff(delay, now), now + delay)

    async def _refresh(self) -> None:
        try:
            await set_up_volumes(self._context, self._state.pod, self._state.folder)
        except (VolumeError, OSError, ApiError) as error:
            log.warning("volume_refresh_failed pod=%s message=%s", self._state.uid, error)

    async def _start(self, name: str) -> None:
        run = await self.starter.start(name)
        if run is None:
            return
        if self.starter.has_post_start(run):
            self._state.hooked.add(run.container_id)
        self._note(run)
        self._launch(f"wait/{run.container_id}", self._wait(run))
        self._launch(f"post-start/{run.container_id}", self._post_start(run))

    async def _post_start(self, run: ContainerState) -> None:
        if not await self.starter.post_start(run):
            self.stop(run, grace_of(self._state.pod), "FailedPostStartHook")
        self._state.hooked.discard(run.container_id)

    async def _wait(self, run: ContainerState) -> None:
        with contextlib.suppress(ContainerError):
            ended = await self._context.runtime.wait_container(run.container_id)
            self._note(ended)
            self._hint(ended)
            log.info(
                "container_exited pod=%s container=%s attempt=%d exit_code=%s",
                self._state.uid, run.name, run.attempt, ended.exit_code,
            )  # fmt: skip

    def _note(self, run: ContainerState) -> None:
        """Keep a run, its termination message, and forget the one before the last."""
        if run.exit_code is not None and run.container_id not in self._state.messages:
            self._state.messages[run.container_id] = self._message(run)
        forgotten = self._state.note(run)
        if forgotten is not None:
            self._state.messages.pop(forgotten.container_id, None)
            for file in log_files(log_file(self._state.folder, run.name, forgotten.attempt)):
                file.unlink(missing_ok=True)
            termination_file(self._state.folder, run.name, forgotten.attempt).unlink(missing_ok=True)
            self._launch(
                f"forget/{forgotten.container_id}", self._context.runtime.remove_container(forgotten.container_id)
            )

    def _message(self, run: ContainerState) -> str:
        """The termination message: the program's own file, or its last words where the pod asks for those."""
        said = _read_text(termination_file(self._state.folder, run.name, run.attempt))
        policy = find_container(self._state.pod, run.name).get("terminationMessagePolicy")
        if not said and run.exit_code and policy == "FallbackToLogsOnError":
            said = last_output(log_file(self._state.folder, run.name, run.attempt), FALLBACK_LIMIT, lines=80)
        return said

    def _hint(self, run: ContainerState) -> None:
        """Say what is wrong when a program ends because another pod has its port, in loopback isolation."""
        if self._context.runtime.isolation != "loopback" or not run.exit_code or self._state.sandbox is None:
            return
        tail = last_output(log_file(self._state.folder, run.name, run.attempt), MESSAGE_LIMIT, lines=40)
        if any(sign in tail for sign in ADDRESS_IN_USE):
            message = (
                "The program's address is already in use. In loopback isolation all pods share the machine's ports: "
                f"a program must listen on $HOST ({self._state.sandbox.ip}), not on 0.0.0.0"
            )
            self.starter.event("Warning", "AddressInUse", message, run.name)

    def _prober(self, run: ContainerState, sandbox: Sandbox) -> RunProber:
        container = find_container(self._state.pod, run.name)
        known = self._state.known_status(run.name)
        same = str(known.get("containerID", "")).endswith(f"//{run.container_id}")
        return RunProber(
            ProbeTarget(self._context.runtime, run.container_id, sandbox.ip, container),
            run.started_at or self._context.now(),
            self._context.now,
            changed=self._wake,
            report=lambda reason, message: self.starter.event("Warning", reason, message, run.name),
            found=found_verdicts(known) if same else None,
        )


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes()[:MESSAGE_LIMIT].decode(errors="replace")
    except OSError:
        return ""


def _host_aliases(pod: Obj) -> dict[str, str]:
    aliases = pod["spec"].get("hostAliases") or ()
    return {name: alias["ip"] for alias in aliases for name in alias.get("hostnames") or ()}
