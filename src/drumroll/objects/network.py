"""Where a cluster listens and which addresses it hands out."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Literal

Isolation = Literal["container", "loopback"]


@dataclass(frozen=True, slots=True)
class ClusterNetwork:
    """The addresses of one cluster.

    `namespace` is the path of the cluster's network namespace (container isolation) or None: then pods and
    Services live on the host's loopback. `low_port_offset` is added to Service ports below 1024 that this
    process may not bind (20000 in loopback isolation without root, else 0). `listen` is the host's address for
    Ingress, LoadBalancer and NodePort listeners; `http_port` and `https_port` are the Ingress's.
    """

    isolation: Isolation
    pod_cidr: IPv4Network
    service_cidr: IPv4Network
    listen: str
    http_port: int
    https_port: int
    namespace: Path | None = None
    low_port_offset: int = 0

    @property
    def dns_address(self) -> str:
        """The cluster DNS's Service address: the tenth of the Service range, as kubeadm chooses it."""
        return str(self.service_cidr.network_address + 10)


CONTAINER_PODS = IPv4Network("10.244.0.0/16")
CONTAINER_SERVICES = IPv4Network("10.96.0.0/16")
LOOPBACK_PODS = IPv4Network("127.244.0.0/16")
LOOPBACK_SERVICES = IPv4Network("127.96.0.0/16")
