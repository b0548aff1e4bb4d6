"""What the proxy tells users: load balancer addresses, moved ports, and events about what has no effect."""

import asyncio
import logging
from collections.abc import Mapping

from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.domain import routing
from drumroll.domain.configuration import Configuration, Edges
from drumroll.domain.envoy.types import LISTENER, SECRET
from drumroll.domain.gateway.translate import INGRESS_HTTP
from drumroll.domain.ingress import Complaint, is_ours
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import INGRESS, SERVICE, Kind
from drumroll.objects.meta import Obj, annotations_of, key_of
from drumroll.proxy.world import World

log = logging.getLogger("drumroll.proxy")

PUBLISHED_PORTS = "drumroll.dev/published-ports"


class Reports:
    """Keeps the users' objects truthful. Call `look` when the configuration or what Envoy holds has changed."""

    def __init__(self, client: Client, world: World, edges: Edges, recorder: EventRecorder) -> None:
        self._client = client
        self._world = world
        self._edges = edges
        self._recorder = recorder
        self._bell = asyncio.Event()
        self._told: frozenset[Complaint] = frozenset()
        self._listening: set[str] = set()
        self._configuration = Configuration()

    def look(self, configuration: Configuration) -> None:
        """Take note of what should be served now; events go out, statuses follow in `run`."""
        self._configuration = configuration
        self._listening &= configuration.owners.keys()
        complaints = frozenset(configuration.complaints)
        for complaint in sorted(complaints - self._told, key=lambda c: (c.kind, c.key, c.message)):
            informer = self._world.services if complaint.kind == SERVICE.name else self._world.ingresses
            obj = informer.get(complaint.key)
            if obj is not None:
                self._warn(obj, complaint.reason, complaint.message)
        self._told = complaints
        self._bell.set()

    def accepted(self, type_url: str, versions: Mapping[str, str]) -> None:
        """Envoy took these: listeners among them listen."""
        if type_url == LISTENER:
            self._listening.update(name for name in versions if name in self._configuration.owners)
            self._bell.set()

    def refused(self, type_url: str, name: str, message: str) -> None:
        """Envoy refused a resource: whoever asked for it hears why."""
        for obj in self._asked_for(type_url, name):
            if type_url == LISTENER:
                text = message.rpartition(name + ": ")[2]
                self._warn(obj, "ListenerRefused", f"cannot serve {name.partition('/')[2]}: {text}")
            else:
                self._warn(obj, "ConfigurationRefused", message)

    def _asked_for(self, type_url: str, name: str) -> list[Obj]:
        if type_url == SECRET or name.startswith("ingress/"):
            return self._ingresses()
        owner = self._configuration.owners.get(name)
        upstream = self._configuration.upstreams.get(name)
        if type_url == LISTENER and owner and owner.kind != SERVICE.name:
            return []
        key = owner.key if type_url == LISTENER and owner else upstream.service if upstream else None
        service = self._world.services.get(key) if key else None
        return [service] if service else []

    def _ingresses(self) -> list[Obj]:
        classes = self._world.classes.items()
        return [ingress for ingress in self._world.ingresses.items() if is_ours(ingress, classes)]

    def _warn(self, obj: Obj, reason: str, message: str) -> None:
        log.warning("no_effect kind=%s key=%s reason=%s", obj.get("kind"), key_of(obj), reason)
        self._recorder.record(obj, "Warning", reason, message[:1000])

    async def run(self) -> None:
        """Write statuses and annotations until cancelled."""
        self._world.services.subscribe(self._touched)
        self._world.ingresses.subscribe(self._touched)
        while True:
            await self._bell.wait()
            self._bell.clear()
            for service in self._world.services.items():
                await self._report_service(service)
            if INGRESS_HTTP in self._listening:
                for ingress in self._ingresses():
                    await self._report_address(INGRESS, ingress, [{"ip": self._address()}])

    def _touched(self, _old: Obj | None, _new: Obj | None) -> None:
        self._bell.set()

    def _address(self) -> str:
        return "127.0.0.1" if self._edges.listen in {"0.0.0.0", "::"} else self._edges.listen

    async def _report_service(self, service: Obj) -> None:
        ports = routing.published_ports(service, self._edges)
        if ports != annotations_of(service).get(PUBLISHED_PORTS, ""):
            await self._patch(SERVICE, service, {"metadata": {"annotations": {PUBLISHED_PORTS: ports or None}}})
        if service["spec"].get("type") == "LoadBalancer":
            wanted = {
                f"host/{self._edges.listen}:{self._edges.published(p['port'])}" for p in routing.proxied_ports(service)
            }
            if wanted and wanted <= self._listening:
                await self._report_address(SERVICE, service, [{"ip": self._address(), "ipMode": "VIP"}])

    async def _report_address(self, kind: Kind, obj: Obj, addresses: list[Obj]) -> None:
        if ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") != addresses:
            await self._patch(kind, obj, {"status": {"loadBalancer": {"ingress": addresses}}}, "status")

    async def _patch(self, kind: Kind, obj: Obj, patch: Obj, subresource: str = "") -> None:
        key = key_of(obj)
        try:
            await self._client.patch(kind, key.namespace, key.name, patch, subresource=subresource)
        except ApiError as error:
            if error.code != 404:
                log.warning("status_not_written kind=%s key=%s message=%s", kind.name, key, error.message)
