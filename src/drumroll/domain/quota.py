"""What objects use of a namespace's quotas, and whether there is room for one more.

Source: pkg/quota/v1/evaluator/core, apiserver pkg/admission/plugin/resourcequota/controller.go.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeAlias

from drumroll.domain.pod_amounts import container_amounts, pod_amounts, printed
from drumroll.domain.quality_of_service import quality_of_service
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

Usage: TypeAlias = dict[str, Decimal]
_COUNTED = ("pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
            "persistentvolumeclaims")  # fmt: skip
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_MUST_SPECIFY = frozenset(("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))


def hard_of(quota: Obj) -> Mapping[str, str]:
    """What the quota allows, by resource."""
    hard: Mapping[str, str] = (quota.get("spec") or {}).get("hard") or {}
    return hard


def usage_of(kind: Kind, obj: Obj) -> Usage:
    """What one object uses, under every name by which a quota may ask for it."""
    usage: Usage = {f"count/{kind.resource}": Decimal(1)}
    if kind.group == "" and kind.plural in _COUNTED and kind.plural != "pods":
        usage[kind.plural] = Decimal(1)
    match (kind.group, kind.name):
        case ("", "Pod"):
            usage |= _pod_usage(obj)
        case ("", "Service"):
            usage |= _service_usage(obj.get("spec") or {})
        case ("", "PersistentVolumeClaim"):
            usage |= _claim_usage(obj.get("spec") or {})
    return usage


def _pod_usage(pod: Obj) -> Usage:
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return {}
    return {
        "pods": Decimal(1),
        **_compute_usage(*(pod_amounts(pod.get("spec") or {}, f) for f in ("requests", "limits"))),
    }


def _compute_usage(requests: Usage, limits: Usage) -> Usage:
    usage: Usage = {}
    for name, value in requests.items():
        usage[f"requests.{name}"] = value
        if name in _COMPUTE or name.startswith("hugepages-"):
            usage[name] = value
    for name, value in limits.items():
        usage[f"limits.{name}"] = value
    return usage


def _service_usage(spec: Obj) -> Usage:
    ports, kind = spec.get("ports") or (), spec.get("type")
    usage: Usage = {"services": Decimal(1)}
    if kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)):
        usage["services.nodeports"] = Decimal(len(ports))
    if kind == "LoadBalancer":
        usage["services.loadbalancers"] = Decimal(1)
    return usage


def _claim_usage(spec: Obj) -> Usage:
    usage: Usage = {"persistentvolumeclaims": Decimal(1)}
    amount = container_amounts(spec, "requests").get("storage")
    if amount is not None:
        usage["requests.storage"] = amount
    if spec.get("storageClassName"):
        prefix = f"{spec['storageClassName']}.storageclass.storage.k8s.io"
        usage[f"{prefix}/persistentvolumeclaims"] = Decimal(1)
        if amount is not None:
            usage[f"{prefix}/requests.storage"] = amount
    return usage


def relevant(quota: Obj, kind: Kind, obj: Obj) -> Usage:
    """What of the object's usage the quota limits; empty when the object is none of its business."""
    if not is_in_scope(quota, kind, obj):
        return {}
    hard = hard_of(quota)
    return {name: value for name, value in usage_of(kind, obj).items() if name in hard}


def is_in_scope(quota: Obj, kind: Kind, obj: Obj) -> bool:
    """Whether the quota's scopes, if it has any, let it look at the object."""
    spec = quota.get("spec") or {}
    scopes = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return not scopes or (kind.name == "Pod" and all(_matches(scope, obj) for scope in scopes))


def _matches(scope: Obj, pod: Obj) -> bool:
    spec, operator = pod.get("spec") or {}, scope.get("operator")
    match scope.get("scopeName"):
        case "Terminating":
            return spec.get("activeDeadlineSeconds") is not None
        case "NotTerminating":
            return spec.get("activeDeadlineSeconds") is None
        case "BestEffort":
            return quality_of_service(spec) == "BestEffort"
        case "NotBestEffort":
            return quality_of_service(spec) != "BestEffort"
        case "PriorityClass":
            name, values = spec.get("priorityClassName") or "", scope.get("values") or ()
            answers = {"In": name in values, "NotIn": name not in values, "Exists": bool(name)}
            return answers.get(str(operator), not name)
    return False


def missing_amounts(quota: Obj, kind: Kind, pod: Obj) -> str:
    """Which amounts the pod's containers must name because the quota limits them; empty when they do."""
    wanted = _MUST_SPECIFY & hard_of(quota).keys()
    if kind.name != "Pod" or not wanted or not is_in_scope(quota, kind, pod):
        return ""
    lacking: dict[str, list[str]] = {}
    spec = pod.get("spec") or {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        given = _compute_usage(container_amounts(container, "requests"), container_amounts(container, "limits"))
        for name in wanted - given.keys():
            lacking.setdefault(name, []).append(container.get("name", ""))
    parts = [f"{name} for: {','.join(sorted(set(lacking[name])))}" for name in sorted(lacking)]
    return f"must specify {'; '.join(parts)}" if parts else ""


def spend(quota: Obj, asked: Usage) -> tuple[dict[str, str], str]:
    """The quota's new status.used, and why there is no room (empty when there is)."""
    status = quota.get("status") or {}
    used, hard = dict(status.get("used") or {}), hard_of(quota)
    now = {name: parse_quantity(used.get(name, "0")) for name in asked}
    over = sorted(name for name, value in asked.items() if value > 0 and now[name] + value > parse_quantity(hard[name]))
    if over:
        lists = (
            ("requested", {name: printed(name, asked[name]) for name in over}),
            ("used", {name: used.get(name, "0") for name in over}),
            ("limited", {name: hard[name] for name in over}),
        )
        told = ", ".join(f"{word}: {','.join(f'{n}={v}' for n, v in values.items())}" for word, values in lists)
        return used, f"exceeded quota: {quota['metadata']['name']}, {told}"
    used |= {name: printed(name, max(now[name] + value, Decimal(0))) for name, value in asked.items()}
    return used, ""


def is_counted(quota: Obj) -> bool:
    """Whether the status is about the present spec, so that `used` can be added to."""
    status = quota.get("status") or {}
    return bool(status.get("hard") == hard_of(quota) and (status.get("used") or {}).keys() == hard_of(quota).keys())


def recount(quota: Obj, objects: Iterable[tuple[Kind, Obj]]) -> Obj:
    """The status of a quota over all objects of its namespace: what is allowed, and what is used of that."""
    hard = hard_of(quota)
    totals = dict.fromkeys(hard, Decimal(0))
    for kind, obj in objects:
        for name, value in relevant(quota, kind, obj).items():
            totals[name] += value
    return {"hard": dict(hard), "used": {name: printed(name, value) for name, value in totals.items()}}


def is_about(quota: Obj, kind: Kind) -> bool:
    """Whether objects of `kind` can use something of the quota."""
    hard = hard_of(quota)
    if f"count/{kind.resource}" in hard or (kind.group == "" and kind.plural in hard):
        return True
    match (kind.group, kind.name):
        case ("", "Pod"):
            return any(name in _COMPUTE or name.startswith(("requests.", "limits.", "hugepages-")) for name in hard)
        case ("", "Service"):
            return any(name.startswith("services.") for name in hard)
        case ("", "PersistentVolumeClaim"):
            return any("storage" in name for name in hard)
    return False
