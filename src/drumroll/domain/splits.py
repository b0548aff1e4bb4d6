"""SMI's TrafficSplit: the requests to one Service, shared among others by weight.

A split is read as what it amounts to, a route of the root Service with weighted backends; so matching, weights, proofs
of what Envoy holds and refusals are those of `domain/gateway`. Source: smi-spec apis/traffic-split/v1alpha4.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from drumroll.domain.gateway.model import Table
from drumroll.domain.gateway.rules import HIGHEST_WEIGHT
from drumroll.objects.kinds import TRAFFIC_SPLIT
from drumroll.objects.meta import Key, Obj, key_of, uid_of
from drumroll.objects.quantity import parse_quantity

Shares = tuple[tuple[str, int], ...]


def faults_of(split: Obj, services: Mapping[Key, Obj]) -> tuple[str, ...]:
    """Why a split, or a part of it, has no effect."""
    return tuple(_faults(split, services))


def _faults(split: Obj, services: Mapping[Key, Obj]) -> Iterable[str]:
    spec, namespace = split.get("spec") or {}, key_of(split).namespace
    root = spec.get("service") or ""
    if Key(namespace, root) not in services:
        yield f"spec.service: service {root!r} does not exist"
    if spec.get("matches"):
        yield "spec.matches: HTTPRouteGroups are not supported; use an HTTPRoute of the Gateway API"
    for index, backend in enumerate(spec.get("backends") or ()):
        name = backend.get("service") or ""
        if Key(namespace, name) not in services:
            yield f"spec.backends[{index}].service: service {name!r} does not exist; its share is answered with 500"
        try:
            if _weight(backend) < 0:
                yield f"spec.backends[{index}].weight: {backend['weight']!r} is less than 0"
        except ValueError:
            yield f"spec.backends[{index}].weight: {backend.get('weight')!r} is no quantity such as 500m or 10"


def routes_of(split: Obj, services: Mapping[Key, Obj]) -> list[Obj]:
    """The split as one route for each port of the root Service, as `gateway.translate` takes them; none when it cannot
    be served at all."""
    spec, key = split.get("spec") or {}, key_of(split)
    root = services.get(Key(key.namespace, spec.get("service") or ""))
    if root is None or spec.get("matches"):
        return []
    try:
        weights = _whole([_weight(backend) for backend in spec.get("backends") or ()])
    except ValueError:
        return []
    found = []
    for port in root["spec"].get("ports") or ():
        if port.get("protocol", "TCP") != "TCP":
            continue
        backends = [
            {"name": backend["service"], "port": _port(services, key, backend["service"], port), "weight": weight}
            for backend, weight in zip(spec.get("backends") or (), weights, strict=True)
        ]
        parent = {"group": "", "kind": "Service", "name": spec["service"], "port": port["port"]}
        meta = {**split["metadata"], "uid": f"{uid_of(split)}/{port['port']}"}
        route = {"parentRefs": [parent], "rules": [{"backendRefs": backends}]}
        found.append({"kind": TRAFFIC_SPLIT.name, "metadata": meta, "spec": route})
    return found


def _port(services: Mapping[Key, Obj], split: Key, name: str, wanted: Obj) -> int:
    """The backend's port of the same number, else of the same name, else its only one, else the root's number."""
    service: Obj = services.get(Key(split.namespace, name)) or {}
    ports: list[Obj] = (service.get("spec") or {}).get("ports") or []
    number: int = wanted["port"]
    if any(port["port"] == number for port in ports):
        return number
    named = [port["port"] for port in ports if port.get("name") and port.get("name") == wanted.get("name")]
    return next(iter(named), ports[0]["port"] if len(ports) == 1 else number)


def _weight(backend: Obj) -> Decimal:
    return parse_quantity(backend.get("weight", 0))


def _whole(weights: list[Decimal]) -> list[int]:
    """The same proportions in whole numbers that Envoy takes."""
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is less than 0")
    fractions = [Fraction(weight) for weight in weights]
    factor = 1
    while any((fraction * factor).denominator != 1 for fraction in fractions) and factor < 1000:
        factor *= 10
    scaled = [fraction * factor for fraction in fractions]
    most = max(scaled, default=Fraction(0))
    if most > HIGHEST_WEIGHT:
        scaled = [fraction * HIGHEST_WEIGHT / most for fraction in scaled]
    return [round(fraction) for fraction in scaled]


def shares_of(tables: Mapping[str, Table]) -> dict[str, Shares]:
    """Who gets which share of a Service port's requests, by the port's cluster: for an Ingress that sends there."""
    found: dict[str, Shares] = {}
    for name, table in tables.items():
        for rule in (rule for host in table.hosts for rule in host.rules):
            if rule.owner.kind == TRAFFIC_SPLIT.name and name not in found:
                backends = rule.action.backends
                found[name] = tuple((b.cluster, b.weight) for b in backends if b.cluster is not None and b.weight)
    return {name: shares for name, shares in found.items() if shares}
