"""Keeps a Service's EndpointSlices true with as few changes as possible.

Source: kubernetes staging/src/k8s.io/endpointslice/reconciler.go. One difference: a pod whose Node object is missing
stays in, as leaving it out would cut traffic to a working program over a matter of book-keeping.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drumroll.domain.actions import NOTHING, Action, Create, Delete, Plan, Update
from drumroll.domain.endpoints_of_pods import Port
from drumroll.domain.roster import Roster
from drumroll.objects.kinds import ENDPOINT_SLICE
from drumroll.objects.meta import Obj, is_deleting, key_of, labels_of, owner_reference, uid_of

MAXIMUM = 100
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"


@dataclass(frozen=True, slots=True)
class Held:
    """A slice, read once per state of it: its ports, and its endpoints by the uids of their pods."""

    slice: Obj
    ports: tuple[Port, ...]
    uids: tuple[str, ...]
    endpoints: list[Obj]


def held_of(one: Obj, roster: Roster) -> Held:
    """The slice as it is now. An endpoint that is as it should be is the roster's own object, quick to compare."""
    ports, found = _ports_of(one), one.get("endpoints") or []
    wanted = roster.endpoints.get(ports, {})
    uids = tuple(one_uid(endpoint) for endpoint in found)
    endpoints = [
        known if (known := wanted.get(uid)) is not None and known == endpoint else endpoint
        for uid, endpoint in zip(uids, found, strict=True)
    ]
    return Held(one, ports, uids, endpoints)


@dataclass(frozen=True, slots=True)
class World:
    """What a decision about one Service's slices needs: who is behind it, and the slices that we manage for it."""

    service: Obj
    roster: Roster
    slices: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """The endpoints that share their ports, and the slices that hold such ports already."""

    ports: tuple[Port, ...]
    wanted: Mapping[str, Obj]
    slices: tuple[Held, ...]


def reconcile(world: World) -> Plan:
    """Creations before deletions, so that no endpoint is ever missing that was there."""
    spec = world.service["spec"]
    if is_deleting(world.service) or not spec.get("selector") or spec.get("type") == "ExternalName":
        return NOTHING  # its slices are somebody else's, or go with it
    groups = _groups(world)
    writes: list[Action] = []
    removals: list[Delete] = []
    kept = 0
    for group in groups:
        changed, empty = _fill(world.service, group)
        writes += changed
        removals += [Delete(ENDPOINT_SLICE, key_of(one.slice), uid_of(one.slice)) for one in empty]
        kept += len(group.slices) - len(empty) + sum(1 for action in changed if isinstance(action, Create))
    if kept == 0:  # consumers tell "no endpoints" from "not looked at yet" by an empty slice
        if removals:
            spared, removals = removals[0], removals[1:]
            placeholder = next(one for one in world.slices if uid_of(one.slice) == spared.uid)
            writes += _rewritten(world.service, placeholder, [])
        else:
            writes.append(Create(_slice(world.service, (), [])))
    return Plan((*writes, *removals))


def _groups(world: World) -> list[_Group]:
    wanted = world.roster.endpoints
    slices: dict[tuple[Port, ...], list[Held]] = {}
    for one in sorted(world.slices, key=lambda held: str(held.slice["metadata"]["name"])):
        if not is_deleting(one.slice):
            slices.setdefault(one.ports, []).append(one)
    return [_Group(ports, wanted.get(ports, {}), tuple(slices.get(ports, ()))) for ports in sorted({*wanted, *slices})]


def _fill(service: Obj, group: _Group) -> tuple[list[Action], list[Held]]:
    """Writes for one group, and its slices that end up empty. An endpoint stays in the slice where it is."""
    left = dict(group.wanted)
    contents = [[left.pop(uid) for uid in one.uids if uid in left] for one in group.slices]
    pending = sorted(left.values(), key=lambda endpoint: str(endpoint["targetRef"]["name"]))
    pending = _spread(group.slices, contents, pending)
    actions: list[Action] = []
    empty: list[Held] = []
    for one, endpoints in zip(group.slices, contents, strict=True):
        if endpoints:
            actions += _rewritten(service, one, endpoints)
        else:
            empty.append(one)
    creates: list[Action] = [
        Create(_slice(service, group.ports, pending[at : at + MAXIMUM])) for at in range(0, len(pending), MAXIMUM)
    ]
    return [*creates, *actions], empty


def _spread(slices: Sequence[Held], contents: list[list[Obj]], pending: list[Obj]) -> list[Obj]:
    """Put new endpoints where there is room: first into slices that change anyway, then into the fullest that fits.

    Returns what needs new slices.
    """
    for at, one in enumerate(slices):
        if pending and contents[at] and contents[at] != one.endpoints:
            room = MAXIMUM - len(contents[at])
            contents[at] += pending[:room]
            pending = pending[room:]
    fitting = [at for at in range(len(slices)) if len(contents[at]) + len(pending) <= MAXIMUM]
    if pending and fitting:
        fullest = max(fitting, key=lambda at: (len(contents[at]), -at))
        contents[fullest] += pending
        return []
    return pending


def one_uid(endpoint: Obj) -> str:
    """The uid of the pod behind an endpoint."""
    uid: str = (endpoint.get("targetRef") or {}).get("uid", "")
    return uid


def _slice(service: Obj, ports: Iterable[Port], endpoints: list[Obj]) -> Obj:
    meta = service["metadata"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": _labels(service),
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [_port(port) for port in ports],
    }


def _labels(service: Obj) -> dict[str, str]:
    labels = {**labels_of(service), SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: MANAGER}
    labels.pop(HEADLESS, None)
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS] = ""
    return labels


def _port(port: Port) -> Obj:
    found: Obj = {"name": port.name, "port": port.port, "protocol": port.protocol}
    if port.app_protocol:
        found["appProtocol"] = port.app_protocol
    return found


def _ports_of(one: Obj) -> tuple[Port, ...]:
    ports = (
        Port(
            port.get("name") or "", port.get("port") or 0, port.get("protocol") or "TCP", port.get("appProtocol") or ""
        )
        for port in one.get("ports") or ()
    )
    return tuple(sorted(ports))


def _rewritten(service: Obj, one: Held, endpoints: list[Obj]) -> list[Action]:
    labels = _labels(service)
    if one.endpoints == endpoints and labels_of(one.slice) == labels:
        return []
    return [Update({**one.slice, "metadata": {**one.slice["metadata"], "labels": labels}, "endpoints": endpoints})]
