"""Chooses how pods run on this machine, and builds what that choice needs: network, runtime, node, proxy."""

import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drumroll.assembly.home import Home, Refusal
from drumroll.assembly.loopback_range import choose_range, part_of
from drumroll.assembly.settings import Settings, load_settings
from drumroll.objects.clock import now
from drumroll.objects.network import (
    CONTAINER_PODS,
    CONTAINER_SERVICES,
    LOOPBACK_PODS,
    LOOPBACK_SERVICES,
    ClusterNetwork,
    Isolation,
)

if TYPE_CHECKING:
    from drumroll.client.client import Client
    from drumroll.node.network import PodNetwork
    from drumroll.node.runtime import Runtime

LOW_PORT_OFFSET = 20000  # traffic.md, section 4


def container_refusal(pods: Path | None = None) -> str | None:
    """Why container isolation cannot work here, as a sentence; None when it can.

    `pods` is the folder that will hold the pods: not every file system takes an overlay.
    """
    from drumroll.node.containers_check import check

    return check(pods) if pods else check()


def low_port_offset() -> int:
    """What is added to Service ports below 1024 in loopback isolation: nothing for root, who may bind them."""
    return 0 if os.geteuid() == 0 else LOW_PORT_OFFSET


def choose_ground(home: Home, settings: Settings) -> "Ground":
    """The isolation asked for, else the best one that works. Raises Refusal when the one asked for does not."""
    stored = load_settings(home).isolation if any(home.pods.iterdir()) else None
    refusal = container_refusal(home.pods) if settings.isolation != "loopback" else None
    if settings.isolation == "container" and refusal:
        raise Refusal(f"container isolation does not work here: {refusal} `--isolation loopback` works anywhere.")
    isolation: Isolation = settings.isolation or ("loopback" if refusal else "container")
    if stored is not None and stored != isolation:
        raise Refusal(
            f"the pods in {home.folder} run in {stored} isolation. Stop them with `drumroll down` before changing it."
        )
    why = refusal or ("runc under conmon works here." if isolation == "container" else "asked for.")
    if isolation == "loopback" and settings.loopback_range is None:
        chosen = choose_range(home.identity, LOOPBACK_SERVICES, low_port_offset())
        settings = replace(settings, loopback_range=chosen)
    return ground_for(home, replace(settings, isolation=isolation), isolation, why)


def ground_for(home: Home, settings: Settings, isolation: Isolation, why: str) -> "Ground":
    """The ground of a given isolation; nothing is created yet."""
    container = isolation == "container"
    part = settings.loopback_range or 0
    network = ClusterNetwork(
        isolation=isolation,
        pod_cidr=CONTAINER_PODS if container else part_of(LOOPBACK_PODS, part),
        service_cidr=CONTAINER_SERVICES if container else part_of(LOOPBACK_SERVICES, part),
        listen=settings.listen,
        http_port=settings.http_port,
        https_port=settings.https_port,
        namespace=Path("/run/netns") / f"drumroll-{home.identity}" if container else None,
        low_port_offset=0 if container else low_port_offset(),
    )
    return Ground(home, settings, network, why)


@dataclass(frozen=True, slots=True)
class Ground:
    """What pods stand on: an isolation, its addresses, and the parts built for it."""

    home: Home
    settings: Settings
    network: ClusterNetwork
    why: str

    @property
    def api_address(self) -> str:
        """Where pods find the API: the gateway of their network, or where everybody finds it."""
        if self.network.namespace is None:
            return "127.0.0.1" if self.settings.api_listen == "0.0.0.0" else self.settings.api_listen
        return str(self.network.pod_cidr.network_address + 1)

    async def prepare(self) -> None:
        """Make the cluster's network and enter it with this process. Loopback isolation needs neither."""
        if self.network.namespace is None:
            return
        from drumroll.node.network_namespace import enter, is_current

        await self.make_network()
        if not is_current(self.network.namespace):
            enter(self.network.namespace)

    async def make_network(self) -> None:
        """Make or repair the cluster's network. Container isolation only."""
        await self._pod_network().ensure()

    async def run_node(self, client: "Client", node_name: str) -> None:
        """Be the cluster's node until cancelled."""
        from drumroll.node.agent import run_node
        from drumroll.node.images import ImageStore

        await run_node(
            client,
            runtime=self.runtime(),
            images=ImageStore(self.home.images),
            folder=self.home.pods,
            network=self.network,
            node_name=node_name,
            server_socket=self.home.run / "node.sock",
            now=now,
        )

    async def run_proxy(self, client: "Client", queries: socket.socket | None) -> None:
        """Steer Envoy until cancelled; figures may be asked for on the host's socket `queries`."""
        from drumroll.proxy.run import run_proxy

        await run_proxy(
            client,
            network=self.network,
            folder=self.home.proxy,
            run_folder=self.home.run,
            host_namespace=self._host_namespace(),
            now=now,
            queries=queries,
        )

    def runtime(self) -> "Runtime":
        """The runtime of this isolation."""
        if self.network.isolation == "container":
            from drumroll.node.containers import ContainerRuntime

            return ContainerRuntime(self.home.pods, self.home.run, self._pod_network())
        from drumroll.node.processes import LoopbackRuntime

        return LoopbackRuntime(self.home.pods, self.network)

    def is_there(self) -> bool:
        """False when nothing can run on it, since its network namespace was never made or went with a reboot."""
        return self.network.namespace is None or self.network.namespace.exists()

    async def stop_pods(self) -> None:
        """End every pod of this home."""
        runtime = self.runtime()
        for sandbox in await runtime.list_sandboxes():
            await runtime.remove_sandbox(sandbox.uid)

    def remove_network(self) -> None:
        """Take the cluster's network away."""
        if self.network.namespace is not None:
            self._pod_network().remove()

    def _pod_network(self) -> "PodNetwork":
        from drumroll.node.network import PodNetwork

        return PodNetwork(f"drumroll-{self.home.identity}", self.network, self.home.run)

    def _host_namespace(self) -> Path | None:
        """Where Envoy finds the host's network namespace; None when it runs there anyway."""
        return None if self.network.namespace is None else self.home.run / "host.netns"
