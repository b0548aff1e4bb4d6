"""The proxy as one task: Envoy kept running, configured, drained; DNS; and what users are told of it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from time import monotonic

from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.domain.routing import Edges
from drumroll.objects.network import ClusterNetwork
from drumroll.proxy.admin import read_clusters
from drumroll.proxy.ads import AdsServer
from drumroll.proxy.certificates import self_signed
from drumroll.proxy.dns_process import DnsProcess
from drumroll.proxy.drain import Drainer
from drumroll.proxy.envoy_process import EnvoyPlace, EnvoyProcess
from drumroll.proxy.lease import hold_lease, lease
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
) -> None:
    """Serve the cluster's traffic until cancelled; Envoy and DNS run on then (see `processes`).

    `folder` keeps Envoy's files, `run_folder` its sockets (a short path). `host_namespace` is the path of the
    host's network namespace as seen from the cluster's, for listeners on the host; None without namespaces.
    """
    proxy = _Proxy(client, network, EnvoyPlace(folder, run_folder, network.namespace), host_namespace, now)
    await proxy.run()


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
        )
        place.folder.mkdir(parents=True, exist_ok=True)
        place.run_folder.mkdir(parents=True, exist_ok=True)
        self._traffic = Traffic(self._world, edges, self_signed(place.folder, now()), self._bell.set)
        self._reports = Reports(client, self._world, edges, self._recorder)
        self._ads = AdsServer(self._traffic.desired, self._accepted, self._reports.refused)
        self._envoy = EnvoyProcess(place, self._envoy_died)
        self._dns = DnsProcess(self._world, network, place.folder, host_namespace)
        self._drainer = Drainer(client, self._world, self._traffic, admin=place.admin, now=now, wake=self._bell.set)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for informer in self._world.all:
                tasks.create_task(informer.run())
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
            await self._ads.wait_connected()
            tasks.create_task(hold_lease(self._client, self._now))

    async def _learn(self) -> None:
        """What Envoy holds comes first: an empty snapshot would cut all traffic."""
        held = await asyncio.to_thread(read_clusters, self._place.admin) or {}
        self._traffic.lives.seed({name: hosts for name, hosts in held.items() if name.count("/") >= 2})
        log.info("envoy_learnt clusters=%d hosts=%d", len(held), sum(map(len, held.values())))

    async def _reconcile_forever(self) -> None:
        while True:
            try:
                timeout = FALLBACK_SECONDS if self._traffic.falling_back else None
                await asyncio.wait_for(self._bell.wait(), timeout)
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
        if self._traffic.configuration is not before:
            self._reports.look(self._traffic.configuration)

    def _accepted(self, type_url: str, versions: Mapping[str, str]) -> None:
        self._traffic.accepted(type_url, versions)
        self._reports.accepted(type_url, versions)

    def _envoy_died(self) -> None:
        self._recorder.record(lease(self._now()), "Warning", "EnvoyDied", "Envoy ended and is started again")
