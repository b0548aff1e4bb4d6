"""Rules for what is observed of objects: counts, addresses, phases. Source: pkg/apis/*/validation/validation.go."""

from collections.abc import Callable, Mapping

from drumroll.domain.validation.field import (
    Errors,
    duplicate,
    each,
    forbidden,
    invalid,
    known,
    not_negative,
    required,
    unchanged,
)
from drumroll.domain.validation.names import address_faults, qualified_faults, subdomain_faults
from drumroll.domain.validation.workload import validate_counts
from drumroll.objects.meta import Obj

_STATEFUL = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
_DAEMON = (
    "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
    "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount",
)  # fmt: skip
_JOB = ("active", "succeeded", "failed", "ready", "terminating")
_AUTOSCALER = ("currentReplicas", "desiredReplicas")
_BUDGET = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")


def validate_observed(kind: tuple[str, str], new: Obj, old: Obj) -> Errors:
    """The rules for a new status of an object of `kind`, given as group and name."""
    rule = _RULES.get(kind)
    if rule is not None:
        yield from rule(new, old)


def _status(obj: Obj) -> Obj:
    found: Obj = obj.get("status") or {}
    return found


def _validate_workload(new: Obj, old: Obj) -> Errors:
    yield from validate_counts(_status(new), _status(old))


def _counts(*fields: str) -> Callable[[Obj, Obj], Errors]:
    def rule(new: Obj, _: Obj) -> Errors:
        for field in fields:
            yield from not_negative(f"status.{field}", _status(new).get(field))

    return rule


def _validate_stateful_set(new: Obj, old: Obj) -> Errors:
    status = _status(new)
    for field in (*_STATEFUL, "observedGeneration", "collisionCount"):
        yield from not_negative(f"status.{field}", status.get(field))
    total, ready = status.get("replicas") or 0, status.get("readyReplicas") or 0
    for field in _STATEFUL[1:]:
        if (status.get(field) or 0) > total:
            yield invalid(f"status.{field}", status[field], "cannot be greater than status.replicas")
    if (status.get("availableReplicas") or 0) > ready:
        text = "cannot be greater than status.readyReplicas"
        yield invalid("status.availableReplicas", status["availableReplicas"], text)
    yield from _not_decremented(new, old)


def _validate_daemon_set(new: Obj, old: Obj) -> Errors:
    yield from _counts(*_DAEMON)(new, old)
    yield from _not_decremented(new, old)


def _not_decremented(new: Obj, old: Obj) -> Errors:
    n_before, n_after = _status(old).get("collisionCount"), _status(new).get("collisionCount") or 0
    if n_before is not None and n_after < n_before:
        yield invalid("status.collisionCount", n_after, "cannot be decremented")


def _validate_namespace(new: Obj, _: Obj) -> Errors:
    ending, phase = bool(new["metadata"].get("deletionTimestamp")), _status(new).get("phase") or ""
    if ending and phase != "Terminating":
        text = "may only be 'Terminating' if `deletionTimestamp` is not empty"
        yield invalid("status.Phase", phase, text)
    elif not ending and phase != "Active":
        yield invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")


def _validate_service(new: Obj, _: Obj) -> Errors:
    ways = (_status(new).get("loadBalancer") or {}).get("ingress") or []
    path = "status.loadBalancer.ingress"
    if ways and (new.get("spec") or {}).get("type") != "LoadBalancer":
        yield forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, way in enumerate(ways):
        where, ip, mode = f"{path}[{index}]", way.get("ip") or "", way.get("ipMode")
        if ip:
            yield from each(f"{where}.ip", ip, address_faults(ip))
        if mode is None:
            if ip:
                yield required(f"{where}.ipMode", "must be specified when `ip` is set")
        elif not ip:
            yield forbidden(f"{where}.ipMode", "may not be specified when `ip` is not set")
        else:
            yield from known(f"{where}.ipMode", mode, ("Proxy", "VIP"))
        yield from _validate_host(way.get("hostname") or "", f"{where}.hostname")


def _validate_ingress(new: Obj, _: Obj) -> Errors:
    for index, way in enumerate((_status(new).get("loadBalancer") or {}).get("ingress") or ()):
        where, ip = f"status.loadBalancer.ingress[{index}]", way.get("ip") or ""
        if ip:
            yield from each(f"{where}.ip", ip, address_faults(ip))
        yield from _validate_host(way.get("hostname") or "", f"{where}.hostname")


def _validate_host(host: str, path: str) -> Errors:
    if host:
        yield from each(path, host, subdomain_faults(host))
        if not address_faults(host):
            yield invalid(path, host, "must be a DNS name, not an IP address")


def _validate_pod(new: Obj, old: Obj) -> Errors:
    status, before = _status(new), _status(old)
    for index, condition in enumerate(status.get("conditions") or ()):
        kind = condition.get("type") or ""
        if kind not in _SYSTEM_CONDITIONS:
            yield from each(f"metadata.conditions[{index}].Type", kind, qualified_faults(kind))
    nominated = status.get("nominatedNodeName") or ""
    if nominated and nominated != before.get("nominatedNodeName"):
        yield from each("status.nominatedNodeName", nominated, subdomain_faults(nominated))
    if before.get("qosClass"):
        yield from unchanged("status.qosClass", status.get("qosClass"), before["qosClass"])
    spec = old.get("spec") or {}
    sidecars = {one.get("name") for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"}
    for field, policy, free in (
        ("containerStatuses", spec.get("restartPolicy"), set()),
        ("initContainerStatuses", spec.get("restartPolicy"), sidecars),
        ("ephemeralContainerStatuses", "Never", set()),
    ):
        if policy != "Always" and before.get(field):
            yield from _validate_ended(status, before, field, policy == "OnFailure", free)
    yield from _validate_addresses(status)


def _validate_ended(new: Obj, old: Obj, field: str, may_retry: bool, free: set[str | None]) -> Errors:
    """What has ended for good does not run again."""
    running = {one.get("name") for one in new.get(field) or () if not (one.get("state") or {}).get("terminated")}
    for index, former in enumerate(old[field]):
        ended, name = (former.get("state") or {}).get("terminated"), former.get("name")
        if ended is None or name in free or name not in running or (may_retry and ended.get("exitCode")):
            continue
        yield forbidden(f"status.{field}[{index}].state", "may not be transitioned to non-terminated state")


def _validate_addresses(status: Obj) -> Errors:
    hosts = [one.get("ip") or "" for one in status.get("hostIPs") or ()]
    if hosts and status.get("hostIP") != hosts[0]:
        yield invalid("status.hostIPs[0].ip", hosts[0], "must be equal to `hostIP`")
    for field in ("podIPs", "hostIPs"):
        addresses = [one.get("ip") or "" for one in status.get(field) or ()]
        for index, address in enumerate(addresses):
            yield from each(f"status.{field}[{index}]", address, address_faults(address))
        if len(addresses) > 1:
            if len(addresses) > 2 or len({":" in address for address in addresses}) < 2:
                shown = [{"IP": address} for address in addresses]
                yield invalid(f"status.{field}", shown, "may specify no more than one IP for each IP family")
            for index, address in enumerate(addresses):
                if address in addresses[:index]:
                    yield duplicate(f"status.{field}[{index}]", {"IP": address})


_RULES: Mapping[tuple[str, str], Callable[[Obj, Obj], Errors]] = {
    ("apps", "Deployment"): _validate_workload,
    ("apps", "ReplicaSet"): _validate_workload,
    ("", "ReplicationController"): _validate_workload,
    ("apps", "StatefulSet"): _validate_stateful_set,
    ("apps", "DaemonSet"): _validate_daemon_set,
    ("batch", "Job"): _counts(*_JOB),
    ("autoscaling", "HorizontalPodAutoscaler"): _counts(*_AUTOSCALER),
    ("policy", "PodDisruptionBudget"): _counts(*_BUDGET),
    ("", "Namespace"): _validate_namespace,
    ("", "Service"): _validate_service,
    ("networking.k8s.io", "Ingress"): _validate_ingress,
    ("", "Pod"): _validate_pod,
}
