"""A pod's status from what its containers do: container statuses, phase, conditions, and the patch that tells it.

Source: kubernetes pkg/kubelet/kubelet_pods.go getPhase, pkg/kubelet/status/generate.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drumroll.domain.pod import Run, is_sidecar
from drumroll.objects.meta import Obj, is_deleting, timestamp

ORDER = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
RUNTIME_SCHEME = "drumroll"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container: its spec, its latest run and the one before, and what its probes say."""

    spec: Obj
    run: Run | None = None
    previous: Run | None = None
    waiting: Waiting | None = None
    started: bool = False
    ready: bool = False
    image_id: str = ""
    restart_count: int = 0


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the node adds to the API object: the sandbox's address and the views of all containers."""

    init: Sequence[ContainerView]
    containers: Sequence[ContainerView]
    pod_ip: str
    host_ip: str
    start_time: datetime
    added: Sequence[ContainerView] = ()


_ADDRESSES = frozenset(("podIPs", "hostIPs"))


def build_status(pod: Obj, facts: PodFacts, now: datetime) -> Obj:
    """The whole status that the node owns; conditions of others are left out."""
    statuses = [_container_status(view) for view in facts.containers]
    init = [_container_status(view) for view in facts.init]
    phase = _phase(pod, facts)
    status: Obj = {
        "phase": phase,
        "conditions": _conditions(pod, facts, phase, now),
        "hostIP": facts.host_ip,
        "hostIPs": [{"ip": facts.host_ip}],
        "startTime": timestamp(facts.start_time),
        "containerStatuses": statuses,
    }
    if facts.pod_ip:
        status |= {"podIP": facts.pod_ip, "podIPs": [{"ip": facts.pod_ip}]}
    if init:
        status["initContainerStatuses"] = init
    if facts.added:
        status["ephemeralContainerStatuses"] = [_added_status(view) for view in facts.added]
    if generation := pod["metadata"].get("generation"):
        status["observedGeneration"] = generation
    return status


def status_patch(old: Mapping[str, Any], new: Obj) -> Obj | None:
    """The strategic merge patch of `status` that turns `old` into `new`; None when nothing differs."""
    changed: Obj = {key: value for key, value in new.items() if key != "conditions" and old.get(key) != value}
    for key in _ADDRESSES & changed.keys():
        changed[key] = [*changed[key], {"$patch": "replace"}]  # they merge by address: an old one would stay
    before: dict[str, Obj] = {c["type"]: c for c in old.get("conditions") or ()}
    conditions = [c for c in new["conditions"] if _differs(before.get(c["type"]), c)]
    if conditions:
        changed["conditions"] = [_with_removals(before.get(c["type"]), c) for c in conditions]
        foreign = [kind for kind in before if kind not in ORDER]
        changed["$setElementOrder/conditions"] = [{"type": kind} for kind in (*foreign, *ORDER)]
    return changed or None


def _differs(old: Obj | None, new: Obj) -> bool:
    return old is None or {k: v for k, v in old.items() if v is not None} != {
        k: v for k, v in new.items() if v is not None
    }


def _with_removals(old: Obj | None, new: Obj) -> Obj:
    gone = {key: None for key in ("reason", "message") if old and old.get(key) and not new.get(key)}
    return {**new, **gone}


def terminated_state(run: Run) -> Obj:
    """`state.terminated` of an exited run."""
    code = run.exit_code or 0
    reason = "OOMKilled" if run.oom_killed else "Completed" if code == 0 else "Error"
    state: Obj = {"exitCode": code, "reason": reason, "containerID": container_id(run)}
    if run.message:
        state["message"] = run.message
    if run.started_at:
        state["startedAt"] = timestamp(run.started_at)
    if run.finished_at:
        state["finishedAt"] = timestamp(run.finished_at)
    return state


def container_id(run: Run) -> str:
    """The containerID that the API shows."""
    return f"{RUNTIME_SCHEME}://{run.container_id}"


def _container_status(view: ContainerView) -> Obj:
    run = view.run
    last = view.previous
    state: Obj
    if run is not None and run.is_running:
        state = {"running": {"startedAt": timestamp(run.started_at)} if run.started_at else {}}
    elif view.waiting is not None or run is None:
        waiting = view.waiting or Waiting("ContainerCreating")
        state = {"waiting": {"reason": waiting.reason, **({"message": waiting.message} if waiting.message else {})}}
        last = run or view.previous
    else:
        state = {"terminated": terminated_state(run)}
    status: Obj = {
        "name": view.spec["name"],
        "state": state,
        "lastState": {"terminated": terminated_state(last)} if last and not last.is_running else {},
        "ready": view.ready,
        "restartCount": view.restart_count,
        "image": view.spec["image"],
        "imageID": view.image_id,
        "started": view.started,
    }
    if run is not None:
        status["containerID"] = container_id(run)
    return status


def _added_status(view: ContainerView) -> Obj:
    """Nobody asks whether an ephemeral container is started or ready."""
    status = _container_status(view) | {"ready": False}
    del status["started"]
    return status


def _phase(pod: Obj, facts: PodFacts) -> str:
    known = (pod.get("status") or {}).get("phase")
    if known in ("Succeeded", "Failed"):
        return str(known)
    policy = pod["spec"].get("restartPolicy") or "Always"
    pending, failed = _init_progress(facts.init)
    stopped = [v.run or v.previous for v in facts.containers if _is_stopped(v)]
    n_running = sum(1 for v in facts.containers if v.run is not None and v.run.is_running)
    n_waiting = len(facts.containers) - len(stopped) - n_running
    if is_deleting(pod) and n_running == 0:
        return _terminal_phase(facts)
    if failed and policy == "Never":
        return "Failed"
    if pending or failed or n_waiting:
        return "Pending"
    if n_running:
        return "Running"
    succeeded = all(run is not None and run.exit_code == 0 for run in stopped)
    if policy == "Always":
        return "Running"
    if succeeded:
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _terminal_phase(facts: PodFacts) -> str:
    views = [*facts.containers, *(v for v in facts.init if is_sidecar(v.spec) and v.run is not None)]
    if any(v.run is not None and v.run.is_running for v in (*views, *facts.init)):
        return "Running"
    return "Succeeded" if all(v.run is not None and v.run.exit_code == 0 for v in views) else "Failed"


def _is_stopped(view: ContainerView) -> bool:
    """Exited, also when it waits to run again."""
    return view.run is not None and not view.run.is_running


def _init_progress(init: Iterable[ContainerView]) -> tuple[int, int]:
    pending = failed = 0
    for view in init:
        if is_sidecar(view.spec):
            pending += not view.started
        elif view.run is None or view.run.is_running:
            pending += 1
        elif view.run.exit_code != 0:
            failed += 1
    return pending, failed


def _conditions(pod: Obj, facts: PodFacts, phase: str, now: datetime) -> list[Obj]:
    before = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or ()}
    containers_ready = _containers_ready(facts, phase)
    found: dict[str, Obj] = {
        "PodReadyToStartContainers": _truth(bool(facts.pod_ip) and phase not in ("Succeeded", "Failed")),
        "Initialized": _initialized(facts, phase),
        "Ready": _ready(pod, containers_ready, before),
        "ContainersReady": containers_ready,
        "PodScheduled": _truth(True),
    }
    generation = pod["metadata"].get("generation")
    return [_dated(kind, found[kind], before.get(kind), generation, now) for kind in ORDER]


def _truth(value: bool) -> Obj:
    return {"status": "True" if value else "False"}


def _initialized(facts: PodFacts, phase: str) -> Obj:
    if phase == "Succeeded":
        return {"status": "True", "reason": "PodCompleted"}
    waiting = [v.spec["name"] for v in facts.init if not _has_initialized(v)]
    if not waiting:
        return {"status": "True"}
    message = f"containers with incomplete status: [{' '.join(waiting)}]"
    return {"status": "False", "reason": "ContainersNotInitialized", "message": message}


def _has_initialized(view: ContainerView) -> bool:
    if is_sidecar(view.spec):
        return view.started
    return view.run is not None and view.run.exit_code == 0


def _containers_ready(facts: PodFacts, phase: str) -> Obj:
    if phase in ("Succeeded", "Failed"):
        return {"status": "False", "reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
    views = [*(v for v in facts.init if is_sidecar(v.spec)), *facts.containers]
    unready = [v.spec["name"] for v in views if not v.ready]
    if not unready:
        return {"status": "True"}
    message = f"containers with unready status: [{' '.join(unready)}]"
    return {"status": "False", "reason": "ContainersNotReady", "message": message}


def _ready(pod: Obj, containers_ready: Obj, before: Mapping[str, Obj]) -> Obj:
    if containers_ready["status"] != "True":
        return dict(containers_ready)
    messages = []
    for gate in pod["spec"].get("readinessGates") or ():
        kind = gate["conditionType"]
        if kind not in before:
            messages.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif before[kind]["status"] != "True":
            actual = before[kind]["status"]
            messages.append(f'the status of pod readiness gate "{kind}" is not "True", but {actual}')
    if messages:
        return {"status": "False", "reason": "ReadinessGatesNotReady", "message": ", ".join(messages)}
    return {"status": "True"}


def _dated(kind: str, found: Obj, old: Obj | None, generation: int | None, now: datetime) -> Obj:
    kept = old is not None and old["status"] == found["status"] and old.get("lastTransitionTime")
    condition: Obj = {
        "type": kind,
        **found,
        "lastProbeTime": None,
        "lastTransitionTime": kept or timestamp(now),
    }
    if generation:
        condition["observedGeneration"] = generation
    return condition
