"""How pods, Deployments, ReplicaSets, autoscalers and budgets are printed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from drumroll.apiserver.tables_cells import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    Cell,
    Column,
    Printer,
    age,
    cut_short,
    format_selector,
    since,
)
from drumroll.domain.autoscaler_versions import to_v2
from drumroll.objects.meta import Obj, is_deleting

_TEMPLATE_COLUMNS = (
    Column("Containers", "Names of the template's containers.", wide=True),
    Column("Images", "Images of the template's containers.", wide=True),
    Column("Selector", "Label selector of the pods.", wide=True),
)
_POD_COLUMNS = (
    NAME,
    Column("Ready", "How many of the pod's containers are ready."),
    Column("Status", "The state of the pod in one word."),
    Column("Restarts", "How often its containers were restarted, and when last."),
    AGE,
    Column("IP", "The pod's address.", wide=True),
    Column("Node", "The node that runs the pod.", wide=True),
    Column("Nominated Node", "The node on which room is being made for the pod.", wide=True),
    Column("Readiness Gates", "How many of the pod's readiness gates are open.", wide=True),
)
_DEPLOYMENT_COLUMNS = (
    NAME,
    Column("Ready", "Pods that are ready, of those wanted."),
    Column("Up-to-date", "Pods that run the wanted template."),
    Column("Available", "Pods that have been ready for long enough."),
    AGE,
    *_TEMPLATE_COLUMNS,
)
_REPLICA_SET_COLUMNS = (
    NAME,
    Column("Desired", "Pods wanted.", "integer"),
    Column("Current", "Pods that exist.", "integer"),
    Column("Ready", "Pods that are ready.", "integer"),
    AGE,
    *_TEMPLATE_COLUMNS,
)
_AUTOSCALER_COLUMNS = (
    NAME,
    Column("Reference", "What is scaled."),
    Column("Targets", "Current and wanted value of each metric."),
    Column("MinPods", "The fewest pods."),
    Column("MaxPods", "The most pods."),
    Column("Replicas", "Pods now."),
    AGE,
)
_BUDGET_COLUMNS = (
    NAME,
    Column("Min Available", "Pods that must stay available."),
    Column("Max Unavailable", "Pods that may be unavailable."),
    Column("Allowed Disruptions", "Pods that may be evicted now.", "integer"),
    AGE,
)


@dataclass(slots=True)
class _Restarts:
    """Restarts of several containers, and when the last one ended."""

    count: int = 0
    last: str = ""

    def add(self, status: Obj) -> None:
        self.count += status.get("restartCount") or 0
        ended = (status.get("lastState") or {}).get("terminated")
        if ended is not None:
            self.last = max(self.last, ended.get("finishedAt") or "")

    def text(self, now: datetime) -> str:
        return f"{self.count} ({since(self.last, now)} ago)" if self.count and self.last else str(self.count)


@dataclass(frozen=True, slots=True)
class _Progress:
    """What a group of container statuses says about the pod: a word, or None when it says nothing."""

    reason: str | None
    ready: int


def _pod(pod: Obj, now: datetime) -> list[Cell]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    sidecars = {c.get("name") for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
    restarts, sidecar_restarts = _Restarts(), _Restarts()
    for container in status.get("initContainerStatuses") or ():
        restarts.add(container)
        if container.get("name") in sidecars:
            sidecar_restarts.add(container)
    start = _initialization(spec, status, sidecars)
    reason, ready = start.reason or _phase_word(status), start.ready
    if start.reason is None or _condition(status, "Initialized") == "True":
        restarts = sidecar_restarts
        run = _running(status, reason)
        reason, ready = run.reason or reason, ready + run.ready
        for container in status.get("containerStatuses") or ():
            restarts.add(container)
    if is_deleting(pod):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            reason = "Terminating"
    total = len(spec.get("containers") or ()) + len(sidecars)
    addresses = status.get("podIPs") or ()
    return [
        pod["metadata"]["name"],
        f"{ready}/{total}",
        reason,
        restarts.text(now),
        age(pod, now),
        (addresses[0].get("ip") if addresses else "") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(spec, status),
    ]


def _phase_word(status: Obj) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            return "SchedulingGated"
    word: str = status.get("reason") or status.get("phase") or ""
    return word


def _condition(status: Obj, name: str) -> str | None:
    conditions: Iterable[Obj] = status.get("conditions") or ()
    return next((condition.get("status") for condition in conditions if condition.get("type") == name), None)


def _initialization(spec: Obj, status: Obj, sidecars: set[str | None]) -> _Progress:
    """The first init container that is not done says where the pod stands."""
    ready = 0
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), (state.get("waiting") or {}).get("reason")
        if ended is not None and not ended.get("exitCode"):
            continue
        if container.get("name") in sidecars and container.get("started"):
            ready += bool(container.get("ready"))
            continue
        if ended is not None:
            return _Progress(f"Init:{_ended_word(ended)}", ready)
        if waiting and waiting != "PodInitializing":
            return _Progress(f"Init:{waiting}", ready)
        return _Progress(f"Init:{index}/{len(spec.get('initContainers') or ())}", ready)
    return _Progress(None, ready)


def _ended_word(ended: Obj) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _running(status: Obj, reason: str) -> _Progress:
    """The first container that waits or has ended gives the word, unless others still run."""
    ready = 0
    for container in reversed(status.get("containerStatuses") or ()):
        state = container.get("state") or {}
        waiting, ended = (state.get("waiting") or {}).get("reason"), state.get("terminated")
        if waiting:
            reason = waiting
        elif ended is not None:
            reason = _ended_word(ended)
        elif container.get("ready") and state.get("running") is not None:
            ready += 1
    if reason == "Completed" and ready:
        reason = "Running" if _condition(status, "Ready") == "True" else "NotReady"
    return _Progress(reason, ready)


def _readiness_gates(spec: Obj, status: Obj) -> str:
    gates = spec.get("readinessGates") or ()
    n_open = sum(_condition(status, gate.get("conditionType", "")) == "True" for gate in gates)
    return f"{n_open}/{len(gates)}" if gates else NONE


def _pod_conditions(pod: Obj) -> list[Obj]:
    match (pod.get("status") or {}).get("phase"):
        case "Succeeded":
            message = "The pod has completed successfully."
            return [{"type": "Completed", "status": "True", "reason": "Succeeded", "message": message}]
        case "Failed":
            return [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}]
    return []


def _template_cells(spec: Obj) -> list[Cell]:
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return [
        ",".join(container.get("name", "") for container in containers),
        ",".join(container.get("image", "") for container in containers),
        format_selector(spec.get("selector")),
    ]


def _deployment(deployment: Obj, now: datetime) -> list[Cell]:
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    return [
        deployment["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(deployment, now),
        *_template_cells(spec),
    ]


def _replica_set(replica_set: Obj, now: datetime) -> list[Cell]:
    spec, status = replica_set.get("spec") or {}, replica_set.get("status") or {}
    return [
        replica_set["metadata"]["name"],
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(replica_set, now),
        *_template_cells(spec),
    ]


def _autoscaler(autoscaler: Obj, now: datetime) -> list[Cell]:
    if autoscaler.get("apiVersion") == "autoscaling/v1":
        autoscaler = to_v2(autoscaler)
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        autoscaler["metadata"]["name"],
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(spec.get("metrics") or [], status.get("currentMetrics") or []),
        "<unset>" if least is None else str(least),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(autoscaler, now),
    ]


def _metrics(wanted: list[Obj], current: list[Obj]) -> str:
    if not wanted:
        return NONE
    shown = [_metric(metric, current[index] if index < len(current) else {}) for index, metric in enumerate(wanted)]
    return cut_short(shown, 2, ", ")


_METRIC_FIELDS = {
    "External": "external", "Pods": "pods", "Object": "object", "Resource": "resource",
    "ContainerResource": "containerResource",
}  # fmt: skip


def _metric(metric: Obj, status: Obj) -> str:
    field = _METRIC_FIELDS.get(metric.get("type", ""))
    if field is None:
        return "<unknown type>"
    source = metric.get(field) or {}
    target, current = source.get("target") or {}, (status.get(field) or {}).get("current") or {}
    label = f"{source.get('name', '')}: " if field in ("resource", "containerResource") else ""
    if target.get("averageValue") is not None:
        suffix = " (avg)" if field in ("external", "object") else ""
        return f"{label}{current.get('averageValue', UNKNOWN)}/{target['averageValue']}{suffix}"
    if label:
        now_used, wanted = current.get("averageUtilization"), target.get("averageUtilization")
        shown = UNKNOWN if now_used is None else f"{now_used}%"
        return f"{label}{shown}/{'<auto>' if wanted is None else f'{wanted}%'}"
    return f"{current.get('value', UNKNOWN)}/{target.get('value', '<auto>')}"


def _budget(budget: Obj, now: datetime) -> list[Cell]:
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    return [
        budget["metadata"]["name"],
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        status.get("disruptionsAllowed", 0),
        age(budget, now),
    ]


WORKLOAD_PRINTERS: Mapping[tuple[str, str], Printer] = {
    ("", "Pod"): Printer(_POD_COLUMNS, _pod, _pod_conditions),
    ("apps", "Deployment"): Printer(_DEPLOYMENT_COLUMNS, _deployment),
    ("apps", "ReplicaSet"): Printer(_REPLICA_SET_COLUMNS, _replica_set),
    ("autoscaling", "HorizontalPodAutoscaler"): Printer(_AUTOSCALER_COLUMNS, _autoscaler),
    ("policy", "PodDisruptionBudget"): Printer(_BUDGET_COLUMNS, _budget),
}
