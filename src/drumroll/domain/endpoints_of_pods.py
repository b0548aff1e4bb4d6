"""Which pods stand behind a Service, at which ports, and in what condition.

Source: kubernetes staging/src/k8s.io/endpointslice, pkg/api/v1/endpoints, section 3.1's table.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drumroll.domain.pod import is_finished
from drumroll.domain.replicaset import ready_since
from drumroll.objects.meta import Obj, is_deleting, key_of, labels_of, uid_of

ZONE = "topology.kubernetes.io/zone"


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
    """A pod with an address behind a Service. `endpoint` is how an EndpointSlice tells of it."""

    name: str
    uid: str
    address: str
    ports: tuple[Port, ...]
    conditions: Conditions
    endpoint: Obj


def backend_of(service: Obj, pod: Obj, zones: Mapping[str, str]) -> Backend | None:
    """The pod behind the Service; None when it is not selected, has no address or has ended. `zones` are by node."""
    spec = service["spec"]
    selector: dict[str, str] = spec.get("selector") or {}
    if not selector or not selector.items() <= labels_of(pod).items() or is_finished(pod):
        return None
    address = address_of(pod)
    if not address:
        return None
    conditions = conditions_of(pod, bool(spec.get("publishNotReadyAddresses")))
    endpoint = _endpoint(service["metadata"]["name"], pod, address, conditions, zones)
    return Backend(pod["metadata"]["name"], uid_of(pod), address, resolved_ports(spec, pod), conditions, endpoint)


def _endpoint(service: str, pod: Obj, address: str, state: Conditions, zones: Mapping[str, str]) -> Obj:
    endpoint: Obj = {
        "addresses": [address],
        "conditions": {"ready": state.ready, "serving": state.serving, "terminating": state.terminating},
        "targetRef": _target_reference(pod),
    }
    spec = pod["spec"]
    if node := spec.get("nodeName"):
        endpoint["nodeName"] = node
        if zone := zones.get(node):
            endpoint["zone"] = zone
    if spec.get("hostname") and spec.get("subdomain") == service:
        endpoint["hostname"] = spec["hostname"]
    return endpoint


def zones_of(nodes: Iterable[Obj]) -> dict[str, str]:
    """The zone of each node that has one."""
    return {node["metadata"]["name"]: zone for node in nodes if (zone := labels_of(node).get(ZONE))}


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


def _target_reference(pod: Obj) -> Obj:
    """How an endpoint names its pod."""
    key = key_of(pod)
    return {"kind": "Pod", "namespace": key.namespace, "name": key.name, "uid": uid_of(pod)}
