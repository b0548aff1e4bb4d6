"""Which containers of a pod start now. Source: kubernetes kuberuntime_manager.go computePodActions."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drumroll.domain.restart import BackOff, back_off, wants_restart
from drumroll.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one container. `exit_code` is None while it runs; `message` is its termination message."""

    container_id: str
    attempt: int
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    message: str = ""

    @property
    def is_running(self) -> bool:
        """True until it has exited."""
        return self.exit_code is None


@dataclass(frozen=True, slots=True)
class World:
    """What decides: the latest run of each container, back-offs, and which containers count as started."""

    runs: Mapping[str, Run]
    back_offs: Mapping[str, BackOff]
    started: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """A crashed container that waits: it may start `at`, after a back-off of `delay`."""

    at: datetime
    delay: timedelta


@dataclass(frozen=True, slots=True)
class Plan:
    """`start` names the containers to start now; `ended` says that nothing runs and nothing will."""

    start: tuple[str, ...] = ()
    held: Mapping[str, Held] = field(default_factory=dict)
    initialized: bool = False
    ended: bool = False


def is_finished(pod: Obj) -> bool:
    """Whether a pod has ended for good: no container of it will run any more, and its room is free."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_sidecar(container: Obj) -> bool:
    """True for an init container that runs beside the others (restartPolicy Always)."""
    return container.get("restartPolicy") == "Always"


def all_containers(pod: Obj) -> Iterator[Obj]:
    """Init containers in order, then the others, then those added to debug it."""
    yield from pod["spec"].get("initContainers") or ()
    yield from pod["spec"]["containers"]
    yield from added_containers(pod)


def added_containers(pod: Obj) -> list[Obj]:
    """The ephemeral containers: added while the pod runs, run once, and of no weight for what the pod is."""
    added: list[Obj] = pod["spec"].get("ephemeralContainers") or []
    return added


def restart_policy(pod: Obj, container: Obj) -> str:
    """The policy that holds for one container: init containers never run again after success."""
    policy: str = pod["spec"].get("restartPolicy") or "Always"
    if container in (pod["spec"].get("initContainers") or ()):
        if is_sidecar(container):
            return "Always"
        return "Never" if policy == "Never" else "OnFailure"
    return policy


def plan_containers(pod: Obj, world: World, now: datetime) -> Plan:
    """The next starts of a pod that is not terminating. Init containers go first, one at a time."""
    start = [added["name"] for added in added_containers(pod) if added["name"] not in world.runs]
    held: dict[str, Held] = {}
    for container in pod["spec"].get("initContainers") or ():
        name = container["name"]
        run = world.runs.get(name)
        done = run is not None and run.exit_code == 0 and not is_sidecar(container)
        if done:
            continue
        if (
            run is not None
            and run.exit_code is not None
            and not wants_restart(restart_policy(pod, container), run.exit_code)
        ):
            return Plan(ended=not _any_running(pod, world))
        _consider(container, pod, world, now, start, held)
        if not (is_sidecar(container) and name in world.started):
            return Plan(tuple(start), held)
    n_added = len(start)
    for container in pod["spec"]["containers"]:
        _consider(container, pod, world, now, start, held)
    ended = len(start) == n_added and not held and not _mains_running(pod, world)
    return Plan(() if ended else tuple(start), held, initialized=True, ended=ended)


def _consider(container: Obj, pod: Obj, world: World, now: datetime, start: list[str], held: dict[str, Held]) -> None:
    name = container["name"]
    run = world.runs.get(name)
    if run is None:
        start.append(name)
    elif run.exit_code is not None and wants_restart(restart_policy(pod, container), run.exit_code):
        restart = back_off(world.back_offs.get(name), run.finished_at or now)
        if restart.at <= now:
            start.append(name)
        else:
            held[name] = Held(restart.at, restart.delay)


def _any_running(pod: Obj, world: World) -> bool:
    added = {container["name"] for container in added_containers(pod)}
    return any(run.is_running for name, run in world.runs.items() if name not in added)


def _mains_running(pod: Obj, world: World) -> bool:
    runs = (world.runs.get(c["name"]) for c in pod["spec"]["containers"])
    return any(run is not None and run.is_running for run in runs)
