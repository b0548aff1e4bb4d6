"""The legacy Endpoints object of a Service, which older kubectl still reads.

Source: kubernetes pkg/controller/endpoint/endpoints_controller.go, pkg/api/v1/endpoints/util.go.
"""

from collections.abc import Iterable

from drumroll.domain.actions import NOTHING, Create, Delete, Plan, Update
from drumroll.domain.endpoints_of_pods import Backend, Port, backends, target_reference
from drumroll.objects.kinds import ENDPOINTS
from drumroll.objects.meta import Key, Obj, annotations_of, is_deleting, key_of, labels_of, uid_of

MAXIMUM = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"


def reconcile(key: Key, service: Obj | None, pods: Iterable[Obj], current: Obj | None) -> Plan:
    """Make the Endpoints say what the pods are; terminating pods are not in it."""
    if service is None or is_deleting(service):
        is_ours = current is not None and MANAGED_BY in labels_of(current)
        return Plan((Delete(ENDPOINTS, key, uid_of(current)),)) if current is not None and is_ours else NOTHING
    spec = service["spec"]
    if not spec.get("selector") or spec.get("type") == "ExternalName":
        return NOTHING
    found = [one for one in backends(service, pods) if not is_deleting(one.pod) or spec.get("publishNotReadyAddresses")]
    ready_first = sorted(found, key=lambda one: not one.conditions.ready)
    subsets = _subsets(service, ready_first[:MAXIMUM])
    labels = {**labels_of(service), MANAGED_BY: "endpoint-controller"}
    if spec.get("clusterIP") == "None":
        labels[HEADLESS] = ""
    annotations = {name: value for name, value in annotations_of(current or _EMPTY).items() if name != OVER_CAPACITY}
    if len(found) > MAXIMUM:
        annotations[OVER_CAPACITY] = "truncated"
    if current is None:
        meta: Obj = {"name": key.name, "namespace": key.namespace, "labels": labels}
        if annotations:
            meta["annotations"] = annotations
        return Plan((Create({"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": subsets}),))
    if (current.get("subsets") or []) == subsets and labels_of(current) == labels:
        return NOTHING
    meta = {**current["metadata"], "labels": labels, "annotations": annotations}
    return Plan((Update({**current, "metadata": meta, "subsets": subsets}),))


_EMPTY: Obj = {"metadata": {}}


def _subsets(service: Obj, found: Iterable[Backend]) -> list[Obj]:
    groups: dict[tuple[Port, ...], list[Backend]] = {}
    for backend in found:
        if backend.ports or not service["spec"].get("ports"):
            groups.setdefault(backend.ports, []).append(backend)
    return [_subset(ports, groups[ports]) for ports in sorted(groups)]


def _subset(ports: tuple[Port, ...], found: list[Backend]) -> Obj:
    ordered = sorted(found, key=lambda one: (_octets(one.address), key_of(one.pod)))
    ready = [_address(one) for one in ordered if one.conditions.ready]
    not_ready = [_address(one) for one in ordered if not one.conditions.ready]
    subset: Obj = {"addresses": ready, "notReadyAddresses": not_ready, "ports": [_port(port) for port in ports]}
    return {name: value for name, value in subset.items() if value}


def _octets(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split(".") if part.isdigit())


def _address(backend: Backend) -> Obj:
    address: Obj = {"ip": backend.address, "targetRef": target_reference(backend.pod)}
    if node := backend.pod["spec"].get("nodeName"):
        address["nodeName"] = node
    return address


def _port(port: Port) -> Obj:
    fields: Obj = {"name": port.name, "port": port.port, "protocol": port.protocol, "appProtocol": port.app_protocol}
    return {name: value for name, value in fields.items() if value}
