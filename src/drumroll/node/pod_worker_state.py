"""What a pod's worker remembers between its turns, and how that becomes the views that decisions are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from drumroll.domain.pod import Plan, Run, World, added_containers, all_containers
from drumroll.domain.pod_status import ContainerView, PodFacts, Waiting
from drumroll.domain.restart import BackOff
from drumroll.node.prober import RunProber
from drumroll.node.runtime import ContainerState, Sandbox
from drumroll.objects.meta import Obj, is_deleting, parse_timestamp


@dataclass(frozen=True, slots=True)
class Hold:
    """An attempt that failed for a reason other than an exit (no image, bad configuration): next try at `at`."""

    back_off: BackOff
    at: datetime


@dataclass(slots=True)
class PodState:
    """`runs` keeps the last two runs per container, oldest first. `pod` is the newest object that we know.

    `hooked` are the ids of runs whose postStart hook has not ended: to the API they are still being created.
    """

    pod: Obj
    folder: Path
    sandbox: Sandbox | None = None
    volumes: dict[str, Path] | None = None
    runs: dict[str, list[ContainerState]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    image_ids: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    back_offs: dict[str, BackOff] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    probers: dict[str, RunProber] = field(default_factory=dict)
    hooked: set[str] = field(default_factory=set)
    start_time: datetime | None = None

    @property
    def uid(self) -> str:
        """The pod's uid."""
        uid: str = self.pod["metadata"]["uid"]
        return uid

    def latest(self, name: str) -> ContainerState | None:
        """The newest run of a container."""
        runs = self.runs.get(name)
        return runs[-1] if runs else None

    def running(self) -> list[ContainerState]:
        """Every run that has not exited."""
        return [runs[-1] for runs in self.runs.values() if runs and runs[-1].exit_code is None]

    def note(self, state: ContainerState) -> ContainerState | None:
        """Keep a new or changed run; the run that is forgotten for it, if any."""
        runs = self.runs.setdefault(state.name, [])
        for index, known in enumerate(runs):
            if known.container_id == state.container_id:
                runs[index] = state
                return None
        runs.append(state)
        return runs.pop(0) if len(runs) > 2 else None

    def world(self) -> World:
        """What `plan_containers` decides from."""
        runs = {name: self._run(states[-1]) for name, states in self.runs.items() if states}
        started = {name for name in runs if self.is_started(name)}
        return World(runs, self.back_offs, started)

    def prober(self, name: str) -> RunProber | None:
        """The prober of a container's running run."""
        run = self.latest(name)
        return self.probers.get(run.container_id) if run is not None and run.exit_code is None else None

    def is_started(self, name: str) -> bool:
        """The container runs and its startup probe, if any, has passed."""
        prober = self.prober(name)
        return prober is not None and prober.is_started

    def known_status(self, name: str) -> Obj:
        """What the API says of a container; empty when nothing yet."""
        status = self.pod.get("status") or {}
        lists = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
        return next((found for key in lists for found in status.get(key) or () if found["name"] == name), {})

    def next_attempt(self, name: str) -> int:
        """The number of the next run: one more than any run that this node or the API remembers."""
        run = self.latest(name)
        if run is not None:
            return run.attempt + 1
        known = self.known_status(name)
        return int(known.get("restartCount") or 0) + 1 if known.get("containerID") else 0

    def facts(self, plan: Plan, host_ip: str, now: datetime) -> PodFacts:
        """What `build_status` tells."""
        if self.start_time is None:
            known = (self.pod.get("status") or {}).get("startTime")
            self.start_time = parse_timestamp(known) if known else now
        spec = self.pod["spec"]
        idle = Waiting(
            "PodInitializing" if spec.get("initContainers") and not plan.initialized else "ContainerCreating"
        )
        init = [self._view(c, plan, Waiting("PodInitializing")) for c in spec.get("initContainers") or ()]
        containers = [self._view(c, plan, idle) for c in spec["containers"]]
        ip = self.sandbox.ip if self.sandbox else (self.pod.get("status") or {}).get("podIP") or ""
        added = [self._view(c, plan, idle) for c in added_containers(self.pod)]
        return PodFacts(init, containers, ip, host_ip, self.start_time, added)

    def _view(self, container: Obj, plan: Plan, idle: Waiting) -> ContainerView:
        name = container["name"]
        runs = [self._run(state) for state in self.runs.get(name) or ()]
        run = runs[-1] if runs else None
        waiting = self.waiting.get(name)
        if name in plan.held:
            seconds = round(plan.held[name].delay.total_seconds())
            waiting = Waiting("CrashLoopBackOff", f"back-off {_duration(seconds)} {self._restarting(name)}")
        elif run is None and waiting is None:
            waiting = idle
        hooked = run is not None and run.is_running and run.container_id in self.hooked
        hooked = hooked and not is_deleting(self.pod)  # then it counts that it still runs
        prober = self.prober(name)
        known = self.known_status(name)
        succeeded = (
            run is not None and run.exit_code == 0 and container in (self.pod["spec"].get("initContainers") or ())
        )
        return ContainerView(
            spec=container,
            run=None if hooked else run,
            previous=runs[-2] if len(runs) > 1 else None,
            waiting=idle if hooked else waiting,
            started=prober is not None and prober.is_started,
            ready=succeeded or (prober is not None and prober.is_ready),
            image_id=self.image_ids.get(name) or known.get("imageID") or "",
            restart_count=run.attempt if run else int(known.get("restartCount") or 0),
        )

    def _restarting(self, name: str) -> str:
        return f"restarting failed container={name} pod={full_name(self.pod)}"

    def _run(self, state: ContainerState) -> Run:
        return Run(
            container_id=state.container_id,
            attempt=state.attempt,
            started_at=state.started_at,
            finished_at=state.finished_at,
            exit_code=state.exit_code,
            oom_killed=state.oom_killed,
            message=self.messages.get(state.container_id, ""),
        )


def full_name(pod: Obj) -> str:
    """`name_namespace(uid)`, as messages name a pod."""
    meta: Mapping[str, str] = pod["metadata"]
    return f"{meta['name']}_{meta['namespace']}({meta['uid']})"


def field_path(pod: Obj, name: str) -> str:
    """The fieldPath of an event about one container."""
    lists = ("initContainers", "ephemeralContainers")
    found = (key for key in lists if any(c["name"] == name for c in pod["spec"].get(key) or ()))
    return f"spec.{next(found, 'containers')}{{{name}}}"


def find_container(pod: Obj, name: str) -> Obj:
    """A container's spec by name."""
    return next(c for c in all_containers(pod) if c["name"] == name)


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def previous_run(state: PodState, name: str) -> ContainerState | None:
    """The run that a container's status calls its last one: ended, and followed by another or by a wait for that."""
    last = (state.known_status(name).get("lastState") or {}).get("terminated") or {}
    container_id = str(last.get("containerID", "")).rpartition("//")[2]
    runs = state.runs.get(name) or []
    named = next((run for run in runs if run.container_id == container_id), None)
    return named or (runs[-2] if len(runs) > 1 else None)  # the status may be one run behind
