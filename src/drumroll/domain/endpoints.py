"""The legacy Endpoints object of a Service, which older kubectl still reads.

Source: kubernetes pkg/controller/endpoint/endpoints_controller.go, pkg/api/v1/endpoints/util.go.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from drumroll.domain.actions import NOTHING, Create, Delete, Plan, Update
from drumroll.domain.endpoints_of_pods import Backend, Port
from drumroll.objects.kinds import ENDPOINTS
from drumroll.objects.meta import Key, Obj, annotations_of, is_deleting, labels_of, uid_of

MAXIMUM = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"


def reconcile(key: Key, service: Obj | None, backends: Sequence[Backend], current: Obj | None) -> Plan:
    """Make the Endpoints say what the backends are, given in order of their names; terminating pods are not in it."""
    if service is None or is_deleting(service):
        is_ours = current is not None and MANAGED_BY in labels_of(current)
        return Plan((Delete(ENDPOINTS, key, uid_of(current)),)) if current is not None and is_ours else NOTHING
    spec = service["spec"]
    if not spec.get("selector") or spec.get("type") == "ExternalName":
        return NOTHING
    listed = [one for one in backends if spec.get("publishNotReadyAddresses") or not one.conditions.terminating]
    subsets = _subsets(service, _first(listed))
    labels = {**labels_of(service), MANAGED_BY: "endpoint-controller"}
    if spec.get("clusterIP") == "None":
        labels[HEADLESS] = ""
    annotations = {name: value for name, value in annotations_of(current or _EMPTY).items() if name != OVER_CAPACITY}
    if len(listed) > MAXIMUM:
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


def _first(listed: Sequence[Backend]) -> Sequence[Backend]:
    """Those that the object has room for, ready ones first."""
    if len(listed) <= MAXIMUM:
        return listed
    ready = list(islice((one for one in listed if one.conditions.ready), MAXIMUM))
    others = (one for one in listed if not one.conditions.ready)
    return [*ready, *islice(others, MAXIMUM - len(ready))]


def _subsets(service: Obj, found: Iterable[Backend]) -> list[Obj]:
    groups: dict[tuple[Port, ...], list[Backend]] = {}
    for backend in found:
        if backend.ports or not service["spec"].get("ports"):
            groups.setdefault(backend.ports, []).append(backend)
    return [_subset(ports, groups[ports]) for ports in sorted(groups)]


def _subset(ports: tuple[Port, ...], found: list[Backend]) -> Obj:
    ordered = sorted(found, key=lambda one: (_octets(one.address), one.name))
    ready = [_address(one) for one in ordered if one.conditions.ready]
    not_ready = [_address(one) for one in ordered if not one.conditions.ready]
    subset: Obj = {"addresses": ready, "notReadyAddresses": not_ready, "ports": [_port(port) for port in ports]}
    return {name: value for name, value in subset.items() if value}


def _octets(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split(".") if part.isdigit())


def _address(backend: Backend) -> Obj:
    endpoint = backend.endpoint
    address: Obj = {"ip": backend.address, "targetRef": endpoint["targetRef"]}
    if "nodeName" in endpoint:
        address["nodeName"] = endpoint["nodeName"]
    return address


def _port(port: Port) -> Obj:
    fields: Obj = {"name": port.name, "port": port.port, "protocol": port.protocol, "appProtocol": port.app_protocol}
    return {name: value for name, value in fields.items() if value}
