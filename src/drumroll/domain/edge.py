"""The host's HTTP ports: the Ingress's two, which Gateways may share, and those that Gateways have of their own."""

from collections.abc import Iterable

from drumroll.domain.configuration import Configuration, Inputs, Owner
from drumroll.domain.envoy import listeners, routes, types
from drumroll.domain.envoy.gateway_routes import table_configuration
from drumroll.domain.envoy.listeners import Certificate, Place, TlsHost
from drumroll.domain.gateway.model import Table
from drumroll.domain.gateway.translate import INGRESS_HTTP, INGRESS_HTTPS, Socket
from drumroll.domain.ingress import IngressRules, complaint
from drumroll.objects.meta import Key

INGRESS, GATEWAY = "Ingress", "Gateway"


def add_shared_ports(found: Configuration, rules: IngressRules, inputs: Inputs) -> None:
    """The two ports that Ingresses and Gateways share."""
    edges, sockets = inputs.edges, {socket.port: socket for socket in inputs.gateways.sockets}
    plain, secure = sockets.get(edges.http_port), sockets.get(edges.https_port)
    has_ingress = bool(inputs.ingresses)
    if has_ingress or plain:
        place = Place(edges.listen, edges.http_port, edges.host_namespace)
        http = listeners.ingress_http_listener(INGRESS_HTTP, place, INGRESS_HTTP)
        found.add_listener(http, _owner(plain, has_ingress=has_ingress))
        _add_table(found, INGRESS_HTTP, rules, inputs)
    if has_ingress or secure:
        _add_tls(found, INGRESS_HTTPS, secure, rules, inputs)
    _complain(found, inputs)


def add_own_ports(found: Configuration, inputs: Inputs) -> None:
    """The ports that only Gateways have. What Services have already stays theirs."""
    for socket in inputs.gateways.sockets:
        if socket.port not in {inputs.edges.http_port, inputs.edges.https_port}:
            _add_socket(found, socket, inputs)


def _owner(socket: Socket | None, *, has_ingress: bool) -> Owner:
    if has_ingress or socket is None:
        return Owner(INGRESS, Key("", ""))
    return Owner(GATEWAY, socket.gateways[0])


def _add_table(found: Configuration, name: str, rules: IngressRules, inputs: Inputs) -> None:
    """A table of the Ingress's ports, with whatever Gateways have there."""
    edges = inputs.edges
    is_plain = name == INGRESS_HTTP
    port = edges.http_port if is_plain else edges.https_port
    hosts = routes.ingress_hosts(rules.hosts, edges.https_port if is_plain else None)
    table = inputs.gateways.tables.get(name) or Table(
        name, (), "http" if is_plain else "https", port, inputs.gateways.carried
    )
    found.resources[types.ROUTES][name] = table_configuration(table, edges.gateway_ports().published, hosts)
    found.shared_tables.add(name)


def _add_tls(found: Configuration, name: str, socket: Socket | None, rules: IngressRules, inputs: Inputs) -> None:
    """The Ingress's TLS port: the Ingress's certificates by host, and the chains of Gateways, which come first."""
    edges = inputs.edges
    presented = [
        Certificate(host, pair.chain, pair.key, secret_name(secret))
        for host, secret in rules.secrets.items()
        if host and (pair := inputs.certificates.get(secret)) is not None
    ]
    certificates = [inputs.default_certificate, *presented] if inputs.ingresses or socket else []
    hosts = {c.host: TlsHost(c.host, (c.secret,), name) for c in certificates}
    for certificate in certificates:
        found.resources[types.SECRET][certificate.secret] = listeners.tls_secret(certificate)
    _add_table(found, name, rules, inputs)
    for host in _chains(found, socket, inputs):
        hosts[host.host] = host
        if host.routes != name:
            _add_table(found, host.routes, rules, inputs)
    place = Place(edges.listen, edges.https_port, edges.host_namespace)
    owner = _owner(socket, has_ingress=bool(inputs.ingresses))
    found.add_listener(listeners.https_listener(name, place, list(hosts.values())), owner)


def _chains(found: Configuration, socket: Socket | None, inputs: Inputs) -> Iterable[TlsHost]:
    for chain in socket.chains if socket else ():
        names = []
        for secret in chain.secrets:
            pair = inputs.certificates[secret]
            named = Certificate(chain.host, pair.chain, pair.key, secret_name(secret))
            found.resources[types.SECRET][named.secret] = listeners.tls_secret(named)
            names.append(named.secret)
        yield TlsHost("" if chain.host == "*" else chain.host, tuple(names), chain.table)


def secret_name(secret: Key) -> str:
    """The name under which Envoy knows a Secret's certificate."""
    return f"secret/{secret.namespace}/{secret.name}"


def _add_socket(found: Configuration, socket: Socket, inputs: Inputs) -> None:
    """A port that only Gateways have."""
    edges, owner = inputs.edges, Owner(GATEWAY, socket.gateways[0])
    place = Place(edges.listen, socket.port, edges.host_namespace)
    name = f"host/{edges.listen}:{socket.port}"
    if socket.scheme == "http":
        listener = listeners.ingress_http_listener(name, place, socket.table)
    else:
        listener = listeners.https_listener(name, place, list(_chains(found, socket, inputs)))
    if not found.add_listener(listener, owner):
        return
    for table in {socket.table, *(chain.table for chain in socket.chains)} - {""}:
        made = table_configuration(inputs.gateways.tables[table], edges.gateway_ports().published)
        found.resources[types.ROUTES][table] = made


def _complain(found: Configuration, inputs: Inputs) -> None:
    for ingress in inputs.ingresses:
        for entry in ingress["spec"].get("tls") or ():
            name = entry.get("secretName")
            if name and Key(ingress["metadata"]["namespace"], name) not in inputs.certificates:
                text = f"secret {name!r} holds no usable certificate: a self-signed one is presented instead"
                found.complaints.append(
                    complaint(ingress, INGRESS, ingress.get("apiVersion", ""), "SecretUnusable", text)
                )
