"""The whole way: from Gateways and routes to what is served where, and to a verdict on each of them.

One bad object spoils nobody else's: its own rules are left out, and its verdict says why.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from drumroll.domain.envoy.clusters import cluster_name
from drumroll.domain.gateway.attachment import Attachment, Claims, Parents, age, attach
from drumroll.domain.gateway.carrying import with_carried
from drumroll.domain.gateway.hostnames import EVERYBODY, narrowest
from drumroll.domain.gateway.listeners import Gateway, Listener, Ports, read_gateways
from drumroll.domain.gateway.model import Consumer, RouteId, Rule, Table, VirtualHost, precedence
from drumroll.domain.gateway.references import MALFORMED, Fault, References, Target
from drumroll.domain.gateway.rules import Reading, read_route
from drumroll.objects.meta import Key, Obj, uid_of

INGRESS_HTTP, INGRESS_HTTPS = "ingress/http", "ingress/https"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Envoy's words about a generation of a route."""

    generation: int
    words: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """Gateways of our classes, all routes and grants; `usable` Secrets hold certificates that Envoy takes.

    `stand_ins` by uid are what is served in a route's place, None for nothing: what Envoy took of it before.
    `has_callers` says that every pod calls from an address of its own.
    """

    ports: Ports
    gateways: tuple[Obj, ...] = ()
    routes: tuple[Obj, ...] = ()
    grants: tuple[Obj, ...] = ()
    services: Mapping[Key, Obj] = field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    usable: frozenset[Key] = frozenset()
    stand_ins: Mapping[str, Obj | None] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    has_callers: bool = True


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificates that a TLS socket presents for a host, and the table that answers then."""

    host: str
    secrets: tuple[Key, ...]
    table: str


@dataclass(frozen=True, slots=True)
class Socket:
    """A port of the host: one table for plain HTTP, chains by host name for TLS."""

    port: int
    scheme: str
    table: str = ""
    chains: tuple[Chain, ...] = ()
    gateways: tuple[Key, ...] = ()

    @property
    def name(self) -> str:
        """The Envoy listener's name."""
        return self.table if self.table == INGRESS_HTTP else f"gateway/{self.port}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a route is told about one of its parents. `tables` and `clusters` are what Envoy must acknowledge."""

    owner: RouteId
    parent: Obj
    refused: Fault | None = None
    dropped: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    tables: frozenset[str] = frozenset()
    clusters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Translation:
    """Everything that Gateways and routes ask for. `served` are the route objects that the tables are made of."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    sockets: tuple[Socket, ...] = ()
    targets: frozenset[Target] = frozenset()
    gateways: tuple[Gateway, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    attached: Mapping[tuple[Key, str], int] = field(default_factory=dict)
    served: Mapping[str, Obj] = field(default_factory=dict)

    @property
    def carried(self) -> tuple[str, ...]:
        """The headers to note in the baggage of every request: the same for all tables."""
        return next((table.carried for table in self.tables.values()), ())


def translate(inputs: Inputs) -> Translation:
    """Equal inputs give equal outputs, whatever their order."""
    references = References(inputs.services, inputs.grants)
    gateways = read_gateways(inputs.gateways, inputs.ports, references, inputs.usable)
    builder = _Builder(inputs, gateways)
    for route in sorted(inputs.routes, key=age):
        with suppress(*MALFORMED):  # no server with the kinds' schemas lets it come so far
            builder.take(route, references)
    sockets, tables = builder.sockets()
    return Translation(
        with_carried({**tables, **builder.mesh_tables()}),
        sockets,
        frozenset(builder.targets),
        tuple(gateways),
        tuple(builder.verdicts),
        builder.attached,
        builder.served,
    )


def _elsewhere(socket: Socket, table: str, known: Collection[str]) -> Iterator[VirtualHost]:
    """The hosts of the port's other TLS listeners: browsers reuse connections where a certificate would do.

    A listener for everybody has the hosts that no other has.
    """
    for chain in socket.chains:
        if chain.table != table and chain.host not in known:
            yield VirtualHost(chain.host, is_elsewhere=True)


def table_name(ports: Ports, listener: Listener) -> str:
    """The route configuration that a listener's requests are answered by."""
    if listener.scheme == "http":
        return INGRESS_HTTP if listener.socket == ports.http else f"gateway/{listener.socket}"
    if listener.socket == ports.https and listener.host == EVERYBODY:
        return INGRESS_HTTPS
    return f"gateway/{listener.socket}/{listener.host}"


class _Builder:
    """Gathers the routes' rules by listener and by Service port, oldest route first."""

    def __init__(self, inputs: Inputs, gateways: list[Gateway]) -> None:
        self.targets: set[Target] = set()
        self.verdicts: list[Verdict] = []
        self.attached: dict[tuple[Key, str], int] = {}
        self.served: dict[str, Obj] = {}
        self._inputs = inputs
        known = {found.key: found for found in gateways}
        self._parents = Parents(known, inputs.services, inputs.namespaces, inputs.has_callers)
        self._listeners = [
            listener
            for gateway in gateways
            if not gateway.rejected and not gateway.unplaced
            for listener in gateway.listeners
            if listener.is_served()
        ]
        self._claims = Claims()
        self._rules: dict[tuple[str, str], list[Rule]] = {}  # (table, domain)
        self._mesh: dict[str, dict[str, list[Rule]]] = {}  # by Service port and consumers' namespace

    def take(self, route: Obj, references: References) -> None:
        """Judge a route, and serve it or what stands in for it. Raises one of MALFORMED before anything is done."""
        attachments = attach(route, self._parents)
        if not attachments:
            return
        readings = _read(route, attachments, references)
        uid = uid_of(route)
        refusal = self._inputs.refusals.get(uid)
        is_current = uid not in self._inputs.stand_ins
        for found in attachments:
            reading = readings[found.is_mesh]
            refused = self._refused(route, found, reading, refusal)
            tables = self._serve(found, reading, count=True) if not refused and is_current else frozenset()
            clusters = frozenset(target.cluster for target in reading.targets)
            verdict = Verdict(reading.owner, found.parent, refused, reading.dropped, reading.faults, tables, clusters)
            self.verdicts.append(verdict)
            if tables:
                self.served[uid] = route
        stand_in = self._inputs.stand_ins.get(uid)
        if not is_current and stand_in is not None:
            self._stand_in(stand_in, references)

    def _stand_in(self, route: Obj, references: References) -> None:
        attachments = attach(route, self._parents)
        readings = _read(route, attachments, references)
        for found in attachments:
            reading = readings[found.is_mesh]
            if not self._refused(route, found, reading, None) and self._serve(found, reading, count=True):
                self.served[uid_of(route)] = route

    def _refused(self, route: Obj, found: Attachment, reading: Reading, refusal: Refusal | None) -> Fault | None:
        if found.refused:
            return found.refused
        if refusal is not None and refusal.generation == reading.owner.generation:
            return Fault("UnsupportedValue", f"Envoy refuses it: {refusal.words}")
        if reading.dropped and not reading.rules:
            return Fault("UnsupportedValue", "; ".join(reading.dropped))
        if found.hosts and all(self._claims.clash(route["kind"], one, hosts) for one, hosts in found.hosts):
            return Fault("HostnameConflict", "an older route of another kind has its host names")
        return None

    def _serve(self, found: Attachment, reading: Reading, *, count: bool) -> frozenset[str]:
        """Put the rules where the attachment says; the tables that they are in."""
        tables = set()
        self.targets |= reading.targets
        for listener, hosts in found.hosts:
            if self._claims.clash(reading.owner.kind, listener, hosts):
                continue
            self._claims.add(reading.owner.kind, listener, hosts)
            place = (listener.gateway, listener.name)
            self.attached[place] = self.attached.get(place, 0) + int(count)
            tables |= self._add(listener, hosts, reading)
        for service, number in found.services:
            port = next(p for p in self._inputs.services[service]["spec"]["ports"] if p["port"] == number)
            name = cluster_name(service.namespace, service.name, port)
            self._mesh.setdefault(name, {}).setdefault(found.consumer, []).extend(reading.rules)
            tables.add(name)
        return frozenset(tables)

    def _add(self, listener: Listener, hosts: Iterable[str], reading: Reading) -> set[str]:
        if listener not in self._listeners:
            return set()
        name = table_name(self._inputs.ports, listener)
        rivals = [other.host for other in self._listeners if table_name(self._inputs.ports, other) == name]
        own = [host for host in hosts if narrowest(host, rivals) == listener.host]
        for host in own:  # a more specific listener has the requests of the others
            self._rules.setdefault((name, host), []).extend(reading.rules)
        return {name} if own else set()

    def sockets(self) -> tuple[tuple[Socket, ...], dict[str, Table]]:
        """The host's ports and the tables behind them."""
        ports: dict[int, list[Listener]] = {}
        for listener in self._listeners:
            ports.setdefault(listener.socket, []).append(listener)
            self._rules.setdefault((table_name(self._inputs.ports, listener), listener.host), [])
        found, tables = [], {}
        for port, listeners in sorted(ports.items()):
            socket = self._socket(port, listeners)
            found.append(socket)
            for name in {socket.table, *(chain.table for chain in socket.chains)} - {""}:
                hosts = [
                    VirtualHost(domain, tuple(sorted(dict.fromkeys(rules), key=precedence)))
                    for (table, domain), rules in sorted(self._rules.items())
                    if table == name
                ]
                elsewhere = _elsewhere(socket, name, {host.domain for host in hosts})
                tables[name] = Table(name, (*hosts, *elsewhere), socket.scheme, port)
        return tuple(found), tables

    def _socket(self, port: int, listeners: list[Listener]) -> Socket:
        gateways = tuple(dict.fromkeys(listener.gateway for listener in listeners))
        first = listeners[0]
        if first.scheme == "http":
            return Socket(port, "http", table_name(self._inputs.ports, first), (), gateways)
        chains = {
            one.host: Chain(one.host, one.secrets, table_name(self._inputs.ports, one)) for one in reversed(listeners)
        }
        return Socket(port, "https", "", tuple(chains[host] for host in sorted(chains)), gateways)

    def mesh_tables(self) -> dict[str, Table]:
        """What stands in the place of Services' own routes."""
        return {name: _mesh_table(name, groups) for name, groups in sorted(self._mesh.items())}


def _read(route: Obj, attachments: Iterable[Attachment], references: References) -> dict[bool, Reading]:
    """The route as its parents read it, by whether they are Services. Raises one of MALFORMED."""
    readings = {
        is_mesh: read_route(route, references.within_mesh() if is_mesh else references)
        for is_mesh in {found.is_mesh for found in attachments}
    }
    hash(tuple(readings.values()))
    return readings


def _mesh_table(name: str, groups: Mapping[str, Iterable[Rule]]) -> Table:
    ordered = {group: tuple(sorted(dict.fromkeys(rules), key=precedence)) for group, rules in sorted(groups.items())}
    hosts = (VirtualHost(EVERYBODY, ordered[""]),) if "" in ordered else ()
    consumers = tuple(Consumer(group, rules) for group, rules in ordered.items() if group)
    return Table(name, hosts, consumers=consumers)
