"""What Envoy should serve, from Services and Ingresses: clusters, listeners, routes. Endpoints: `endpoint_life`."""

from collections.abc import Iterable

from drumroll.domain.comparison.copies import Copies
from drumroll.domain.configuration import Configuration, Edges, Inputs, Owner, Upstream
from drumroll.domain.edge import add_own_ports, add_shared_ports
from drumroll.domain.endpoint_life import Address, SliceEndpoint
from drumroll.domain.envoy import clusters, copies, listeners, routes, types
from drumroll.domain.envoy.carrying import carrying
from drumroll.domain.envoy.consumers import with_consumers
from drumroll.domain.envoy.gateway_routes import table_configuration
from drumroll.domain.envoy.listeners import Place
from drumroll.domain.gateway.model import Table
from drumroll.domain.ingress import Backend, Complaint, complaint, ingress_rules
from drumroll.domain.protocol import Protocol, protocol_of
from drumroll.domain.splits import shares_of
from drumroll.objects.kinds import COMPARISON, SERVICE
from drumroll.objects.meta import Key, Obj, annotations_of, key_of

REFUSE_COPIES = "drumroll.dev/refuse-copies"
"""A Service with this annotation, "true", takes no copies of requests, nor what programs ask on account of them."""


def configure(inputs: Inputs) -> Configuration:
    """All clusters, listeners and routes. Equal inputs give equal outputs, whatever their order."""
    found = Configuration()
    rules = ingress_rules(inputs.ingresses, inputs.services, shares_of(inputs.gateways.tables))
    add_shared_ports(found, rules, inputs)
    found.complaints.extend(rules.complaints)
    found.parts = rules.parts
    routed = [Backend(t.service, t.port, t.cluster, http2=t.http2) for t in inputs.gateways.targets]
    backends: dict[tuple[Key, str], list[Backend]] = {}
    for backend in (*rules.backends, *routed):
        backends.setdefault((backend.service, backend.port), []).append(backend)
    for service in sorted(inputs.services.values(), key=_age):
        found.complaints.extend(_unserved(service))
        for port in _tcp_ports(service):
            used = backends.get((key_of(service), str(port.get("name") or port["port"])), [])
            if used or has_address(service):
                _add_port(found, service, port, used, inputs)
    add_own_ports(found, inputs)
    for way in inputs.copies:
        _add_copies(found, way, inputs.edges)
    return found


def _add_copies(found: Configuration, way: Copies, edges: Edges) -> None:
    name, socket = way.name, f"{edges.sockets}/{way.socket}"
    found.resources[types.CLUSTER][name] = copies.copies_cluster(name, socket)
    found.resources[types.ROUTES][name] = copies.copies_routes(name, way.target.cluster)
    found.add_listener(copies.copies_listener(name, socket), Owner(COMPARISON.name, way.wish.key))


def proxied_ports(service: Obj) -> list[Obj]:
    """The TCP ports that Envoy serves for a Service: none for headless and external ones."""
    return _tcp_ports(service) if has_address(service) else []


def has_address(service: Obj) -> bool:
    """False for headless and external Services."""
    return service["spec"].get("clusterIP") not in {None, "", "None"}


def _tcp_ports(service: Obj) -> list[Obj]:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return []
    return [port for port in spec.get("ports") or () if port.get("protocol", "TCP") == "TCP"]


def _unserved(service: Obj) -> Iterable[Complaint]:
    if not has_address(service):
        return
    for port in service["spec"].get("ports") or ():
        if port.get("protocol", "TCP") != "TCP":
            text = f"port {port['port']} is {port['protocol']}: only TCP is served"
            yield complaint(service, SERVICE.name, SERVICE.api_version, "ProtocolNotSupported", text)


def published_ports(service: Obj, edges: Edges) -> str:
    """The annotation `drumroll.dev/published-ports`: `80=20080,…` for ports that had to move, else empty."""
    moved = [(p["port"], edges.published(p["port"])) for p in proxied_ports(service)]
    return ",".join(f"{port}={there}" for port, there in moved if port != there)


def _age(obj: Obj) -> tuple[str, Key]:
    return obj["metadata"].get("creationTimestamp") or "", key_of(obj)


def _add_port(found: Configuration, service: Obj, port: Obj, used: list[Backend], inputs: Inputs) -> None:
    key = key_of(service)
    sticky = service["spec"].get("sessionAffinity") == "ClientIP"
    name = clusters.cluster_name(key.namespace, key.name, port)
    table = inputs.gateways.tables.get(name)
    protocol: Protocol = protocol_of(port, routed=bool(used) or table is not None)
    if any(backend.http2 and not backend.tls for backend in used):
        protocol = "http2"
    upstream = Upstream(key, port.get("name") or "")
    found.resources[types.CLUSTER][name] = clusters.cluster(name, protocol, sticky=sticky)
    found.upstreams[name] = upstream
    for backend in used:
        if backend.tls:
            variant = clusters.cluster(backend.cluster, "http2" if backend.http2 else "http", tls=True, sticky=sticky)
            found.resources[types.CLUSTER][backend.cluster] = variant
            found.upstreams[backend.cluster] = upstream
    if protocol != "tcp" and has_address(service):
        found.resources[types.ROUTES][name] = _own_routes(service, name, table, inputs)
    for listener, place in _places(service, port, inputs.edges):
        resource = listeners.service_listener(listener, place, protocol, name, name)
        if not found.add_listener(resource, Owner(SERVICE.name, key)):
            text = f"port {place.port} of {place.address} belongs to {found.owners[listener].key} already"
            found.complaints.append(complaint(service, SERVICE.name, SERVICE.api_version, "PortTaken", text))


def _own_routes(service: Obj, name: str, table: Table | None, inputs: Inputs) -> Obj:
    """What the Service's own address answers by: its routes, else its pods; before them, who has rules of its own."""
    published = inputs.edges.gateway_ports().published
    if table is not None and table.hosts:
        made = table_configuration(table, published)
    else:
        made = routes.service_routes(name, name, sticky=service["spec"].get("sessionAffinity") == "ClientIP")
        if inputs.gateways.carried:
            made["typed_per_filter_config"] = carrying(inputs.gateways.carried)
    made = with_consumers(made, table, inputs.callers, published) if table is not None else made
    return copies.refusing_copies(made) if annotations_of(service).get(REFUSE_COPIES) == "true" else made


def _places(service: Obj, port: Obj, edges: Edges) -> Iterable[tuple[str, Place]]:
    spec = service["spec"]
    if not has_address(service):
        return
    number = edges.published(port["port"])
    yield f"service/{spec['clusterIP']}:{number}", Place(spec["clusterIP"], number)
    if spec.get("type") == "LoadBalancer":
        yield f"host/{edges.listen}:{number}", Place(edges.listen, number, edges.host_namespace)
    if spec.get("type") in {"LoadBalancer", "NodePort"} and port.get("nodePort"):
        node_port = port["nodePort"]
        yield f"host/{edges.listen}:{node_port}", Place(edges.listen, node_port, edges.host_namespace)


def slice_endpoints(slices: Iterable[Obj], port_name: str) -> list[tuple[SliceEndpoint, str]]:
    """Every endpoint of a Service's slices for one port, with the uid of its pod (empty when there is none).

    Absent conditions count as ready, serving, not terminating. Source: k8s.io/api/discovery/v1 types.go.
    """
    found = []
    for piece in slices:
        numbers = [p["port"] for p in piece.get("ports") or () if (p.get("name") or "") == port_name and p.get("port")]
        for endpoint in piece.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            ready = conditions.get("ready") is not False
            serving = conditions["serving"] if isinstance(conditions.get("serving"), bool) else ready
            target = endpoint.get("targetRef") or {}
            uid = target.get("uid", "") if target.get("kind") == "Pod" else ""
            for number in numbers:
                for ip in (endpoint.get("addresses") or ())[:1]:
                    address = Address(ip, number)
                    terminating = bool(conditions.get("terminating"))
                    found.append((SliceEndpoint(address, ready, serving, terminating), uid))
    return found
