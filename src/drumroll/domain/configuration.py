"""The configuration of Envoy: what it is derived from, and what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from drumroll.domain.comparison.copies import Copies
from drumroll.domain.envoy import types
from drumroll.domain.envoy.consumers import Callers
from drumroll.domain.envoy.listeners import Certificate
from drumroll.domain.gateway.listeners import Ports
from drumroll.domain.gateway.translate import Translation
from drumroll.domain.ingress import Complaint, Part
from drumroll.objects.meta import Key, Obj

FIRST_ORDINARY_PORT = 1024


@dataclass(frozen=True, slots=True)
class Edges:
    """Where listeners go. `host_namespace` is the path of the host's network namespace when Envoy lives in another;
    `sockets` the folder of Envoy's own Unix sockets."""

    listen: str
    http_port: int
    https_port: int
    low_port_offset: int = 0
    host_namespace: str = ""
    sockets: str = ""

    def published(self, port: int) -> int:
        """The port on which a Service port can be reached."""
        return port + self.low_port_offset if port < FIRST_ORDINARY_PORT else port

    def gateway_ports(self) -> Ports:
        """Where the ports of Gateways' listeners are."""
        address = "127.0.0.1" if self.listen in {"0.0.0.0", "::"} else self.listen
        return Ports(address, self.http_port, self.https_port, self.low_port_offset)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that the configuration derives from; `certificates` are PEM pairs by Secret, checked.

    `copies` are the ways of copies whose answers are compared. `callers` are addresses of pods by namespace.
    """

    services: Mapping[Key, Obj]
    ingresses: tuple[Obj, ...]
    certificates: Mapping[Key, Certificate]
    default_certificate: Certificate
    edges: Edges
    gateways: Translation = field(default_factory=Translation)
    copies: tuple[Copies, ...] = ()
    callers: Callers = field(default_factory=dict)


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
    parts: Mapping[Key, Part] = field(default_factory=dict)  # of Ingresses,
    shared_tables: set[str] = field(default_factory=set)  # all of them in each of these route tables

    def add_listener(self, resource: Obj, owner: Owner) -> bool:
        """False when another listener has the place already (its name is its place)."""
        if resource["name"] in self.owners:
            return False
        self.resources[types.LISTENER][resource["name"]] = resource
        self.owners[resource["name"]] = owner
        return True
