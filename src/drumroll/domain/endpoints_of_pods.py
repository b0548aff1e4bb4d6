"""Which pods stand behind a Service, at which ports, and in what condition.

Source: kubernetes staging/src/k8s.io/endpointslice, pkg/api/v1/endpoints, section 3.1's table.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from drumroll.domain.pod import is_finished
from drumroll.domain.replicaset import ready_since
from drumroll.objects.meta import Obj, is_deleting, key_of, labels_of, uid_of


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A Service's port as it is on a pod."""

    name: str
    port: int
    protocol: str = "TCP"
    app_protocol: str = ""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What consumers of an endpoint must know."""

    ready: bool
    serving: bool
    terminating: bool


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod with an address behind a Service."""

    pod: Obj
    address: str
    ports: tuple[Port, ...]
    conditions: Conditions


def backends(service: Obj, pods: Iterable[Obj]) -> list[Backend]:
    """The pods that the Service selects, have an address and have not ended; in order of their names."""
    found: list[Backend] = []
    spec = service["spec"]
    selector: dict[str, str] = spec.get("selector") or {}
    publishes_all = bool(spec.get("publishNotReadyAddresses"))
    for pod in pods:
        address = address_of(pod)
        if not address or is_finished(pod) or not selector.items() <= labels_of(pod).items():
            continue
        found.append(Backend(pod, address, resolved_ports(spec, pod), conditions_of(pod, publishes_all)))
    return sorted(found, key=lambda backend: key_of(backend.pod))


def address_of(pod: Obj) -> str:
    """The pod's IPv4 address; empty when it has none yet."""
    status = pod.get("status") or {}
    addresses = [one.get("ip") or "" for one in status.get("podIPs") or ()] or [status.get("podIP") or ""]
    return next((address for address in addresses if address and ":" not in address), "")


def conditions_of(pod: Obj, publishes_all: bool) -> Conditions:
    """A terminating pod may still serve, and is never ready; `publishes_all` makes every pod count as ready."""
    serving, terminating = ready_since(pod) is not None, is_deleting(pod)
    return Conditions(publishes_all or (serving and not terminating), serving, terminating)


def resolved_ports(spec: Obj, pod: Obj) -> tuple[Port, ...]:
    """The Service's ports on this pod, sorted; a named target port that the pod does not have is left out."""
    found: list[Port] = []
    for port in spec.get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        number = _target(port, protocol, pod)
        if number:
            found.append(Port(port.get("name") or "", number, protocol, port.get("appProtocol") or ""))
    return tuple(sorted(found))


def _target(port: Obj, protocol: str, pod: Obj) -> int:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    pod_spec = pod["spec"]
    sidecars = (one for one in pod_spec.get("initContainers") or () if one.get("restartPolicy") == "Always")
    for container in (*(pod_spec.get("containers") or ()), *sidecars):
        for declared in container.get("ports") or ():
            if declared.get("name") == target and (declared.get("protocol") or "TCP") == protocol:
                return int(declared["containerPort"])
    return int(target) if target.isdigit() else 0


def target_reference(pod: Obj) -> Obj:
    """How an endpoint names its pod."""
    key = key_of(pod)
    return {"kind": "Pod", "namespace": key.namespace, "name": key.name, "uid": uid_of(pod)}
