"""Defaults of limits, quotas, priorities, network policies and storage.

Source: pkg/apis/{core,scheduling,networking,storage,flowcontrol}/v1/defaults.go.
"""

from drumroll.domain.defaults.absent import part
from drumroll.objects.meta import Obj


def set_limit_range_defaults(limit_range: Obj) -> None:
    """What a container's limit is when only a maximum is given, and its request when only a limit or minimum is."""
    spec = part(limit_range, "spec")
    spec.setdefault("limits", [])
    for limit in spec["limits"] or ():
        if limit.get("type") != "Container":
            continue
        default = {**(limit.get("max") or {}), **(limit.get("default") or {})}
        request = {**(limit.get("min") or {}), **default, **(limit.get("defaultRequest") or {})}
        _put(limit, "default", default)
        _put(limit, "defaultRequest", request)


def set_resource_quota_defaults(quota: Obj) -> None:
    """The parts are always there."""
    part(quota, "spec")
    part(quota, "status")


def set_priority_class_defaults(priority_class: Obj) -> None:
    """It preempts what is lower."""
    if not priority_class.get("preemptionPolicy"):
        priority_class["preemptionPolicy"] = "PreemptLowerPriority"
    priority_class.setdefault("value", 0)


def set_network_policy_defaults(policy: Obj) -> None:
    """About incoming traffic, and outgoing when it has such rules; ports are TCP."""
    spec = part(policy, "spec")
    part(spec, "podSelector")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                if port.get("protocol") is None:
                    port["protocol"] = "TCP"


def set_persistent_volume_defaults(volume: Obj) -> None:
    """Kept when released; a file system."""
    spec = part(volume, "spec")
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    if spec.get("volumeMode") is None:
        spec["volumeMode"] = "Filesystem"
    if spec.get("hostPath") is not None and spec["hostPath"].get("type") is None:
        spec["hostPath"]["type"] = ""
    status = part(volume, "status")
    if not status.get("phase"):
        status["phase"] = "Pending"


def set_storage_class_defaults(storage_class: Obj) -> None:
    """Deleted when released, bound at once."""
    if storage_class.get("reclaimPolicy") is None:
        storage_class["reclaimPolicy"] = "Delete"
    if storage_class.get("volumeBindingMode") is None:
        storage_class["volumeBindingMode"] = "Immediate"


def set_csi_driver_defaults(driver: Obj) -> None:
    """Needs attaching, tells nothing of the pod, lives as long as its volume."""
    spec = part(driver, "spec")
    values = {
        "attachRequired": True, "podInfoOnMount": False, "storageCapacity": False, "requiresRepublish": False,
        "seLinuxMount": False, "fsGroupPolicy": "ReadWriteOnceWithFSType",
    }  # fmt: skip
    for field, value in values.items():
        if spec.get(field) is None:
            spec[field] = value
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def set_flow_schema_defaults(schema: Obj) -> None:
    """In the middle of the precedences."""
    spec = part(schema, "spec")
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000
    part(schema, "status")


def set_priority_level_defaults(level: Obj) -> None:
    """Thirty shares; queues of fifty."""
    spec = part(level, "spec")
    limited, exempt = spec.get("limited"), spec.get("exempt")
    if limited is not None:
        for field, value in (("nominalConcurrencyShares", 30), ("lendablePercent", 0)):
            if limited.get(field) is None:
                limited[field] = value
        queuing = (limited.get("limitResponse") or {}).get("queuing")
        if queuing is not None:
            for field, value in (("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)):
                queuing[field] = queuing.get(field) or value
    if exempt is not None:
        for field in ("nominalConcurrencyShares", "lendablePercent"):
            if exempt.get(field) is None:
                exempt[field] = 0
    part(level, "status")


def _put(obj: Obj, field: str, value: Obj) -> None:
    if value:
        obj[field] = value
