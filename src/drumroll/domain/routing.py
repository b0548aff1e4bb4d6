"""What Envoy should serve, from Services and Ingresses: clusters, listeners, routes. Endpoints: `endpoint_life`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drumroll.domain.endpoint_life import Address, SliceEndpoint
from drumroll.domain.envoy import clusters, listeners, routes, types
from drumroll.domain.envoy.listeners import Certificate, Place
from drumroll.domain.ingress import Backend, Complaint, IngressRules, complaint, ingress_rules
from drumroll.domain.protocol import Protocol, protocol_of
from drumroll.objects.kinds import SERVICE
from drumroll.objects.meta import Key, Obj, key_of

FIRST_ORDINARY_PORT = 1024


@dataclass(frozen=True, slots=True)
class Edges:
    """Where listeners go. `host_namespace` is the path of the host's network namespace when Envoy lives in another."""

    listen: str
    http_port: int
    https_port: int
    low_port_offset: int = 0
    host_namespace: str = ""

    def published(self, port: int) -> int:
        """The port on which a Service port can be reached."""
        return port + self.low_port_offset if port < FIRST_ORDINARY_PORT else port


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that the configuration derives from; `certificates` are PEM pairs by Secret, checked."""

    services: Mapping[Key, Obj]
    ingresses: tuple[Obj, ...]
    certificates: Mapping[Key, Certificate]
    default_certificate: Certificate
    edges: Edges


@dataclass(frozen=True, slots=True)
class Upstream:
    """Whence a cluster's endpoints come: the slices of `service`, their port called `port_name`."""

    service: Key
    port_name: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose object a listener serves, for events and status."""

    kind: str
    key: Key


@dataclass
class Configuration:
    """The resources by type URL and name, and what hangs on them."""

    resources: dict[str, dict[str, Obj]] = field(
        default_factory=lambda: {types.CLUSTER: {}, types.SECRET: {}, types.LISTENER: {}, types.ROUTES: {}}
    )
    upstreams: dict[str, Upstream] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)

    def add_listener(self, resource: Obj, owner: Owner) -> bool:
        """False when another listener has the place already (its name is its place)."""
        if resource["name"] in self.owners:
            return False
        self.resources[types.LISTENER][resource["name"]] = resource
        self.owners[resource["name"]] = owner
        return True


HTTP_LISTENER, HTTPS_LISTENER = "ingress/http", "ingress/https"


def configure(inputs: Inputs) -> Configuration:
    """All clusters, listeners and routes. Equal inputs give equal outputs, whatever their order."""
    found = Configuration()
    rules = ingress_rules(inputs.ingresses, inputs.services)
    if inputs.ingresses:
        _add_ingress(found, rules, inputs)
    found.complaints.extend(rules.complaints)
    backends: dict[tuple[Key, str], list[Backend]] = {}
    for backend in rules.backends:
        backends.setdefault((backend.service, backend.port), []).append(backend)
    for service in sorted(inputs.services.values(), key=_age):
        found.complaints.extend(_unserved(service))
        for port in _tcp_ports(service):
            used = backends.get((key_of(service), str(port.get("name") or port["port"])), [])
            if used or has_address(service):
                _add_port(found, service, port, used, inputs.edges)
    return found


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


def _add_port(found: Configuration, service: Obj, port: Obj, used: list[Backend], edges: Edges) -> None:
    key = key_of(service)
    sticky = service["spec"].get("sessionAffinity") == "ClientIP"
    protocol: Protocol = protocol_of(port, routed=bool(used))
    if any(backend.http2 and not backend.tls for backend in used):
        protocol = "http2"
    name = clusters.cluster_name(key.namespace, key.name, port)
    upstream = Upstream(key, port.get("name") or "")
    found.resources[types.CLUSTER][name] = clusters.cluster(name, protocol, sticky=sticky)
    found.upstreams[name] = upstream
    for backend in used:
        if backend.tls:
            variant = clusters.cluster(backend.cluster, "http2" if backend.http2 else "http", tls=True, sticky=sticky)
            found.resources[types.CLUSTER][backend.cluster] = variant
            found.upstreams[backend.cluster] = upstream
    if protocol != "tcp" and has_address(service):
        found.resources[types.ROUTES][name] = routes.service_routes(name, name, sticky=sticky)
    for listener, place in _places(service, port, edges):
        resource = listeners.service_listener(listener, place, protocol, name, name)
        if not found.add_listener(resource, Owner(SERVICE.name, key)):
            text = f"port {place.port} of {place.address} belongs to {found.owners[listener].key} already"
            found.complaints.append(complaint(service, SERVICE.name, SERVICE.api_version, "PortTaken", text))


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


def _add_ingress(found: Configuration, rules: IngressRules, inputs: Inputs) -> None:
    edges = inputs.edges
    presented = [
        Certificate(host, pair.chain, pair.key, f"secret/{secret.namespace}/{secret.name}")
        for host, secret in rules.secrets.items()
        if host and (pair := inputs.certificates.get(secret)) is not None
    ]
    certificates = [inputs.default_certificate, *presented]
    owner = Owner("Ingress", Key("", ""))
    plain = Place(edges.listen, edges.http_port, edges.host_namespace)
    secure = Place(edges.listen, edges.https_port, edges.host_namespace)
    found.add_listener(listeners.ingress_http_listener(HTTP_LISTENER, plain, HTTP_LISTENER), owner)
    for certificate in certificates:
        found.resources[types.SECRET][certificate.secret] = listeners.tls_secret(certificate)
    https = listeners.ingress_https_listener(HTTPS_LISTENER, secure, HTTPS_LISTENER, certificates)
    found.add_listener(https, owner)
    tables = found.resources[types.ROUTES]
    tables[HTTP_LISTENER] = routes.ingress_routes(
        HTTP_LISTENER, rules.hosts, tls_port=edges.https_port, port=edges.http_port
    )
    tables[HTTPS_LISTENER] = routes.ingress_routes(HTTPS_LISTENER, rules.hosts, tls_port=None, port=edges.https_port)
    for ingress in inputs.ingresses:
        for entry in ingress["spec"].get("tls") or ():
            name = entry.get("secretName")
            if name and Key(ingress["metadata"]["namespace"], name) not in inputs.certificates:
                text = f"secret {name!r} holds no usable certificate: a self-signed one is presented instead"
                found.complaints.append(
                    complaint(ingress, "Ingress", ingress.get("apiVersion", ""), "SecretUnusable", text)
                )


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
