"""EndpointSlices for Endpoints that somebody keeps by hand, for Services without a selector.

Source: kubernetes pkg/controller/endpointslicemirroring. Each subset becomes one slice per address family.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from drumroll.domain.actions import NOTHING, Action, Create, Delete, Plan, Update
from drumroll.objects.kinds import ENDPOINT_SLICE
from drumroll.objects.meta import Obj, annotations_of, is_deleting, key_of, labels_of, owner_reference, uid_of

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslicemirroring-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
MAXIMUM = 1000
"""Addresses of a subset that are mirrored."""
_LEADER = "control-plane.alpha.kubernetes.io/leader"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class World:
    """What a decision about one name needs: its Service and Endpoints, and the `slices` that mirror them."""

    service: Obj | None
    endpoints: Obj | None
    slices: tuple[Obj, ...]


def reconcile(world: World) -> Plan:
    """Make the mirroring slices what the Endpoints say; without something to mirror there are none."""
    wanted = list(_wanted(world.endpoints)) if world.endpoints is not None and _is_mirrored(world) else []
    writes: list[Action] = []
    left = [one for one in sorted(world.slices, key=key_of) if not is_deleting(one)]
    for one in wanted:
        found = next((old for old in left if _group(old) == _group(one)), None)
        if found is None:
            writes.append(Create(one))
            continue
        left.remove(found)
        if any((found.get(field) or None) != (one.get(field) or None) for field in ("endpoints", "ports")) or (
            labels_of(found) != labels_of(one)
        ):
            meta = {**found["metadata"], "labels": labels_of(one)}
            writes.append(Update({**found, "metadata": meta, "endpoints": one["endpoints"], "ports": one["ports"]}))
    removals = [Delete(ENDPOINT_SLICE, key_of(one), uid_of(one)) for one in left]
    return Plan((*writes, *removals)) if writes or removals else NOTHING


def _is_mirrored(world: World) -> bool:
    service, endpoints = world.service, world.endpoints
    if service is None or endpoints is None or is_deleting(service) or is_deleting(endpoints):
        return False
    if labels_of(endpoints).get(SKIP) == "true" or _LEADER in annotations_of(endpoints):
        return False
    return not service["spec"].get("selector")


def _group(one: Obj) -> tuple[str, tuple[tuple[Any, ...], ...]]:
    ports = (
        tuple(port.get(field) or "" for field in ("name", "port", "protocol", "appProtocol"))
        for port in one.get("ports") or ()
    )
    return one["addressType"], tuple(sorted(ports, key=str))


def _wanted(endpoints: Obj) -> Iterator[Obj]:
    for subset in endpoints.get("subsets") or ():
        found = [
            *((address, True) for address in subset.get("addresses") or ()),
            *((address, False) for address in subset.get("notReadyAddresses") or ()),
        ][:MAXIMUM]
        for family in ("IPv4", "IPv6"):
            here = [_endpoint(address, ready) for address, ready in found if _family(address) == family]
            if here:
                yield _slice(endpoints, family, here, subset.get("ports") or ())


def _family(address: Obj) -> str:
    return "IPv6" if ":" in address.get("ip", "") else "IPv4"


def _endpoint(address: Obj, ready: bool) -> Obj:
    endpoint: Obj = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for field in ("hostname", "nodeName", "targetRef"):
        if address.get(field):
            endpoint[field] = address[field]
    return endpoint


def _slice(endpoints: Obj, family: str, found: list[Obj], ports: Iterable[Obj]) -> Obj:
    meta = endpoints["metadata"]
    labels = {**labels_of(endpoints), SERVICE_NAME: meta["name"], MANAGED_BY: MANAGER}
    annotations = {name: value for name, value in annotations_of(endpoints).items() if name != _APPLIED}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": labels,
            **({"annotations": annotations} if annotations else {}),
            "ownerReferences": [owner_reference(endpoints)],
        },
        "addressType": family,
        "endpoints": found,
        "ports": [_port(port) for port in ports],
    }


def _port(port: Obj) -> Obj:
    mirrored: Obj = {
        "name": port.get("name") or "",
        "port": port.get("port"),
        "protocol": port.get("protocol") or "TCP",
    }
    if port.get("appProtocol"):
        mirrored["appProtocol"] = port["appProtocol"]
    return mirrored
