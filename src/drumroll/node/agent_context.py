"""What every worker of the node shares: the API, the runtime, and what the node knows of the cluster."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.client.informer import Informer
from drumroll.domain.expansion_fields import PodPlace
from drumroll.node.runtime import RootImage, Runtime, Sandbox
from drumroll.node.tokens import Tokens
from drumroll.objects.meta import Key, Obj
from drumroll.objects.network import ClusterNetwork

PROXY_LEASE = Key("kube-system", "drumroll-proxy")


class Images(Protocol):
    """The part of the image store that the node needs."""

    def resolve(self, reference: str) -> RootImage | None:
        """The unpacked image, None when it is not on this machine. Raises ValueError for a bad reference."""
        ...


@dataclass(frozen=True, slots=True)
class Machine:
    """How much this machine has: cores, and memory in bytes."""

    cpu_cores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class NodeContext:
    """`served` holds the uids of pods that an EndpointSlice names or may have named.

    `found` holds the sandboxes that were there before their worker, by uid; a worker takes its own out.
    Until `patience` the node believes in a proxy that was there before this process began.
    """

    client: Client
    runtime: Runtime
    images: Images
    folder: Path
    network: ClusterNetwork
    node_name: str
    now: Callable[[], datetime]
    events: EventRecorder
    services: Informer
    leases: Informer
    machine: Machine
    patience: datetime
    served: set[str] = field(default_factory=set)
    found: dict[str, Sandbox] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=Tokens)

    @property
    def host_ip(self) -> str:
        """The address by which pods know their machine."""
        if self.network.isolation == "container":
            return str(self.network.pod_cidr.network_address + 1)
        return "127.0.0.1"

    def place(self, pod_ip: str) -> PodPlace:
        """The facts that fieldRef and resourceFieldRef may ask for."""
        return PodPlace(pod_ip, self.host_ip, self.machine.cpu_cores, self.machine.memory_bytes)

    def proxy_lease(self) -> Obj | None:
        """The Lease by which the proxy says that it drains."""
        return self.leases.get(PROXY_LEASE)
