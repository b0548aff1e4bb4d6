"""Defaults of pods, workloads, autoscalers and budgets. Source: pkg/apis/*/*/defaults.go."""

from drumroll.domain.defaults.absent import part
from drumroll.domain.defaults.pod import drop_zero, set_pod_only_defaults, set_pod_spec_defaults, set_template_defaults
from drumroll.objects.meta import Obj

_SCALE_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}
_BUDGET_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def set_pod_defaults(pod: Obj) -> None:
    """A pod's spec, and what of its status is always printed."""
    spec = part(pod, "spec")
    set_pod_spec_defaults(spec)
    set_pod_only_defaults(spec)
    status = part(pod, "status")
    if not status.get("phase"):
        status["phase"] = "Pending"
    for condition in status.get("conditions") or ():
        condition.setdefault("lastProbeTime", None)
        condition.setdefault("lastTransitionTime", None)
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for container in status.get(field) or ():
            _container_status(container)


def _container_status(status: Obj) -> None:
    for field, zero in (("ready", False), ("restartCount", 0), ("image", ""), ("imageID", "")):
        status.setdefault(field, zero)
    for field in ("state", "lastState"):
        state = part(status, field)
        if state.get("running") is not None:
            state["running"].setdefault("startedAt", None)
        ended = state.get("terminated")
        if ended is not None:
            ended.setdefault("exitCode", 0)
            ended.setdefault("startedAt", None)
            ended.setdefault("finishedAt", None)


def set_deployment_defaults(deployment: Obj) -> None:
    """One replica, a rolling update by 25 %, ten revisions, ten minutes."""
    spec = part(deployment, "spec")
    drop_zero(spec, ("minReadySeconds", "paused"))
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    strategy = part(spec, "strategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = part(strategy, "rollingUpdate")
        for field in ("maxUnavailable", "maxSurge"):
            if rolling.get(field) is None:
                rolling[field] = "25%"
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10
    if spec.get("progressDeadlineSeconds") is None:
        spec["progressDeadlineSeconds"] = 600
    set_template_defaults(spec)
    part(deployment, "status")


def set_replica_set_defaults(replica_set: Obj) -> None:
    """One replica; the observed number is always printed."""
    spec = part(replica_set, "spec")
    drop_zero(spec, ("minReadySeconds",))
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    set_template_defaults(spec)
    part(replica_set, "status").setdefault("replicas", 0)


def set_horizontal_pod_autoscaler_defaults(autoscaler: Obj) -> None:
    """At least one replica, 80 % of the requested CPU, and complete scaling rules when there is a behavior."""
    spec = part(autoscaler, "spec")
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    if autoscaler.get("apiVersion") == "autoscaling/v1":
        for field in ("currentReplicas", "desiredReplicas"):
            part(autoscaler, "status").setdefault(field, 0)
        return
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        for field, rules in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
            given = {name: value for name, value in (behavior.get(field) or {}).items() if value is not None}
            policies = given.get("policies") or [dict(policy) for policy in rules["policies"]]  # type: ignore[attr-defined]
            behavior[field] = {**rules, **given, "policies": policies}
    status = part(autoscaler, "status")
    status.setdefault("desiredReplicas", 0)
    status.setdefault("currentMetrics", None)


def set_pod_disruption_budget_defaults(budget: Obj) -> None:
    """The counts are always printed."""
    part(budget, "spec")
    status = part(budget, "status")
    for field in _BUDGET_COUNTS:
        status.setdefault(field, 0)
