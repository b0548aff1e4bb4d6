"""The proxy as one task: Envoy kept running, configured, drained; DNS; and what users are told of it."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from time import monotonic

from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.domain.configuration import Edges
from drumroll.domain.envoy.types import CLUSTER, ROUTES
from drumroll.objects.network import ClusterNetwork
from drumroll.proxy.admin import read_clusters
from drumroll.proxy.ads import AdsServer
from drumroll.proxy.certificates import self_signed
from drumroll.proxy.comparisons import Comparisons
from drumroll.proxy.dns_process import DnsProcess
from drumroll.proxy.drain import Drainer
from drumroll.proxy.envoy_process import EnvoyPlace, EnvoyProcess
from drumroll.proxy.gateway_reports import GatewayReports
from drumroll.proxy.ingress_reports import IngressReports
from drumroll.proxy.lease import hold_lease, lease
from drumroll.proxy.mesh import Mesh
from drumroll.proxy.query_server import serve_queries
from drumroll.proxy.query_service import PORT, QueryService
from drumroll.proxy.reports import Reports
from drumroll.proxy.traffic import Traffic
from drumroll.proxy.world import World

log = logging.getLogger("drumroll.proxy")

FALLBACK_SECONDS = 0.05
REST_FACTOR, LONGEST_REST_SECONDS = 4, 0.25


async def run_proxy(
    client: Client,
    *,
    network: ClusterNetwork,
    folder: Path,
    run_folder: Path,
    host_namespace: Path | None,
    now: Callable[[], datetime],
    queries: socket.socket | None = None,
) -> None:
    """Serve the cluster's traffic until cancelled; Envoy and DNS run on then (see `processes`).

    `folder` keeps Envoy's files, `run_folder` its sockets (a short path). `host_namespace` is the path of the
    host's network namespace as seen from the cluster's, for listeners on the host; None without namespaces.
    `queries` is a listening socket of the host's, on which the mesh's figures may be asked for.
    """
    proxy = _Proxy(client, network, EnvoyPlace(folder, run_folder, network.namespace), host_namespace, now)
    await proxy.run(queries)


def _inside_listener(network: ClusterNetwork) -> socket.socket:
    """A socket that pods can reach: at the gateway of their network, or on the loopback that they share with us."""
    if network.namespace is None:
        return socket.create_server(("127.0.0.1", 0))
    return socket.create_server((str(network.pod_cidr.network_address + 1), PORT))


class _Proxy:
    """The parts and how they wake each other."""

    def __init__(
        self,
        client: Client,
        network: ClusterNetwork,
        place: EnvoyPlace,
        host_namespace: Path | None,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._place = place
        self._now = now
        self._bell = asyncio.Event()
        self._recorder = EventRecorder(client, "drumroll-proxy", now)
        self._world = World(client)
        edges = Edges(
            network.listen,
            network.http_port,
            network.https_port,
            network.low_port_offset,
            str(host_namespace) if host_namespace else "",
            str(place.run_folder),
        )
        place.folder.mkdir(parents=True, exist_ok=True)
        place.run_folder.mkdir(parents=True, exist_ok=True)
        self._traffic = Traffic(self._world, edges, self_signed(place.folder, now()), self._bell.set)
        self._reports = Reports(client, self._world, edges, self._recorder)
        self._gateway_reports = GatewayReports(client, self._traffic.gateways, self._world, edges, self._recorder)
        self._ingress_reports = IngressReports(client, self._world, self._traffic.gateways)
        self._ads = AdsServer(self._traffic.desired, self._accepted, self._refused, self._traffic.gateways.flown)
        self._envoy = EnvoyProcess(place, self._envoy_died)
        self._dns = DnsProcess(self._world, network, place.folder, host_namespace)
        self._network = network
        self._mesh = Mesh(place.admin, self._world, self._traffic, now)
        self._drainer = Drainer(client, self._world, self._traffic, admin=place.admin, now=now, wake=self._bell.set)

        comparisons = self._world.gateways.comparisons
        self._comparisons = Comparisons(client, self._traffic.gateways, comparisons, place.admin)

    async def run(self, queries: socket.socket | None) -> None:
        async with asyncio.TaskGroup() as tasks:
            for informer in self._world.all:
                tasks.create_task(informer.run())
            tasks.create_task(self._world.gateways.run())
            tasks.create_task(self._recorder.run())
            adopted = await self._envoy.adopt()
            tasks.create_task(self._envoy.run())
            await self._world.wait_synced()
            if adopted:
                await self._learn()
            tasks.create_task(self._dns.run())
            self._traffic.watch()
            self._drainer.watch()
            self._reconcile()
            tasks.create_task(self._ads.run(self._place.ads))
            tasks.create_task(self._reconcile_forever())
            tasks.create_task(self._drainer.run())
            tasks.create_task(self._reports.run())
            tasks.create_task(self._gateway_reports.run(self._now))
            tasks.create_task(self._ingress_reports.run())
            tasks.create_task(self._comparisons.run())
            await self._ads.wait_connected()
            tasks.create_task(hold_lease(self._client, self._now))
            tasks.create_task(self._mesh.run())
            await self._answer_queries(queries)

    async def _answer_queries(self, given: socket.socket | None) -> None:
        """On the host's socket and in the cluster's network, until cancelled. Loopback isolation has one for both."""
        async with contextlib.AsyncExitStack() as stack:
            sockets = [given] if given is not None else []
            inside = given if self._network.namespace is None and given is not None else None
            try:
                inside = inside or stack.enter_context(_inside_listener(self._network))
            except OSError as error:
                log.warning("queries_not_served_inside message=%s", error)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(serve_queries(self._mesh, list({*sockets, *([inside] if inside else [])})))
                if inside is not None:
                    address, port = inside.getsockname()
                    tasks.create_task(QueryService(self._client, self._world.services, address, port).run())

    async def _learn(self) -> None:
        """What Envoy holds comes first: an empty snapshot would cut all traffic."""
        held = await asyncio.to_thread(read_clusters, self._place.admin) or {}
        self._traffic.learn({name: hosts for name, hosts in held.items() if name.count("/") >= 2})
        log.info("envoy_learnt clusters=%d hosts=%d", len(held), sum(map(len, held.values())))

    async def _reconcile_forever(self) -> None:
        while True:
            try:
                timeout = FALLBACK_SECONDS if self._traffic.falling_back else None
                async with asyncio.timeout(timeout):
                    await self._bell.wait()
            except TimeoutError:
                pass
            self._bell.clear()
            began = monotonic()
            self._reconcile()
            # Many changes, one turn: in a large cluster this may take a fifth of the loop, not all of it.
            await asyncio.sleep(min(LONGEST_REST_SECONDS, REST_FACTOR * (monotonic() - began)))

    def _reconcile(self) -> None:
        before = self._traffic.configuration
        if self._traffic.reconcile(self._now()):
            self._ads.changed()
        self._drainer.look()
        self._comparisons.look()
        if self._traffic.configuration is not before:
            self._reports.look(self._traffic.configuration)
            self._gateway_reports.look(self._traffic.configuration)
            self._ingress_reports.look()

    def _accepted(self, type_url: str, versions: Mapping[str, str]) -> None:
        self._traffic.accepted(type_url, versions)
        self._reports.accepted(type_url, versions)
        self._gateway_reports.accepted(type_url, versions)
        if type_url in {CLUSTER, ROUTES}:
            self._ingress_reports.look()

    def _refused(self, type_url: str, name: str, version: str, words: str) -> None:
        self._traffic.refused(type_url, name, version, words)
        self._reports.refused(type_url, name, words)
        self._gateway_reports.refused(type_url, name, words)

    def _envoy_died(self) -> None:
        self._traffic.gateways.forget()
        self._gateway_reports.forget()
        self._recorder.record(lease(self._now()), "Warning", "EnvoyDied", "Envoy ended and is started again")
