"""What the proxy tells of Gateways, their classes and routes: statuses, moved ports, and events about refusals."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.domain.configuration import Configuration, Edges
from drumroll.domain.envoy.types import LISTENER
from drumroll.domain.gateway import ACKNOWLEDGED
from drumroll.domain.gateway.listeners import our_classes
from drumroll.domain.gateway.statuses import Listening, class_status, gateway_status, route_parents
from drumroll.domain.gateway.translate import INGRESS_HTTP, INGRESS_HTTPS, Verdict
from drumroll.domain.splits import faults_of
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import GATEWAY, GATEWAY_CLASS, TRAFFIC_SPLIT, Kind
from drumroll.objects.meta import Key, Obj, annotations_of, key_of, uid_of
from drumroll.proxy.gateways import Gateways
from drumroll.proxy.reports import PUBLISHED_PORTS
from drumroll.proxy.world import World

log = logging.getLogger("drumroll.proxy")

RETRY_SECONDS = 1.0


class GatewayReports:
    """Keeps statuses truthful. Call `look`, `accepted` and `refused` when something has changed."""

    def __init__(self, client: Client, gateways: Gateways, world: World, edges: Edges, recorder: EventRecorder) -> None:
        self._client = client
        self._gateways = gateways
        self._world = world.gateways
        self._services = world.services
        self._edges = edges
        self._recorder = recorder
        self._bell = asyncio.Event()
        self._configuration = Configuration()
        self._listening: set[str] = set()
        self._refused: dict[str, str] = {}
        self._are_plain = False
        self._told: set[tuple[str, int]] = set()
        self._written: dict[str, Obj] = {}  # by uid: what our own last write made of an object

    def look(self, configuration: Configuration) -> None:
        """The configuration is another one."""
        self._configuration = configuration
        self._listening &= configuration.owners.keys()
        self._refused = {name: words for name, words in self._refused.items() if name in configuration.owners}
        self._bell.set()

    def accepted(self, type_url: str, versions: Mapping[str, str]) -> None:
        """Envoy took these."""
        if type_url == LISTENER:
            self._listening.update(versions)
            for name in versions:
                self._refused.pop(name, None)
        self._bell.set()

    def refused(self, type_url: str, name: str, words: str) -> None:
        """Envoy refused a resource."""
        owner = self._configuration.owners.get(name)
        if type_url == LISTENER:
            text = words.rpartition(name + ": ")[2]
            if self._refused.get(name) != text and owner is not None and owner.kind == GATEWAY.name:
                self._warn(self._world.gateways.get(owner.key), "ListenerRefused", f"cannot serve {name}: {text}")
            self._refused[name] = text
        self._bell.set()

    def forget(self) -> None:
        """Envoy is another one, which listens nowhere yet."""
        self._listening.clear()
        self._bell.set()

    def _warn(self, obj: Obj | None, reason: str, message: str) -> None:
        if obj is not None:
            log.warning("no_effect kind=%s key=%s reason=%s", obj.get("kind"), key_of(obj), reason)
            self._recorder.record(obj, "Warning", reason, message[:1000])

    async def run(self, now: Callable[[], datetime]) -> None:
        """Write statuses until cancelled."""
        for informer in self._world.all:
            informer.subscribe(self._touched)
        while True:
            await self._bell.wait()
            self._bell.clear()
            if not await self._report(now()):
                await asyncio.sleep(RETRY_SECONDS)
                self._bell.set()

    def _touched(self, _old: Obj | None, new: Obj | None) -> None:
        if new is None and _old is not None:
            self._written.pop(uid_of(_old), None)
        self._bell.set()

    async def _report(self, now: datetime) -> bool:
        """False when something could not be written."""
        done = True
        for obj in self._world.classes.items():
            if obj["metadata"]["name"] in our_classes([obj]) and (obj.get("spec") or {}).get("controllerName"):
                known = self._newest(obj)
                has_callers = bool(self._edges.host_namespace)
                status = class_status(known, now, has_callers=has_callers, are_plain=self._are_plain)
                done &= await self._status(GATEWAY_CLASS, known, status)
        for obj in self._gateways.gateways():
            done &= await self._report_gateway(self._newest(obj), now)
        verdicts: dict[str, list[Verdict]] = {}
        for verdict in self._gateways.translation.verdicts:
            verdicts.setdefault(verdict.owner.uid, []).append(verdict)
        for informer in (self._world.http_routes, self._world.grpc_routes):
            for obj in informer.items():
                done &= await self._report_route(informer.kind, self._newest(obj), verdicts.get(uid_of(obj), ()), now)
        for split in self._gateways.splits():
            done &= await self._report_split(self._newest(split))
        return done

    async def _report_split(self, split: Obj) -> bool:
        """A TrafficSplit has no status: what Envoy holds of it is an annotation, what is wrong with it an event."""
        uid, generation = uid_of(split), split["metadata"].get("generation") or 0
        services = {key_of(service): service for service in self._services.items()}
        for words in faults_of(split, services):
            if (words, generation) not in self._told:
                self._told.add((words, generation))
                self._warn(split, "SplitIneffective", words)
        own = [one for one in self._gateways.translation.verdicts if one.owner.uid.partition("/")[0] == uid]
        current = [one for one in own if one.owner.generation == generation]
        if not current or not all(self._gateways.is_acknowledged(one) for one in current):
            return True
        if annotations_of(split).get(ACKNOWLEDGED) == str(generation):
            return True
        return await self._patch(
            TRAFFIC_SPLIT, split, {"metadata": {"annotations": {ACKNOWLEDGED: str(generation)}}}, ""
        )

    async def _report_route(self, kind: Kind, route: Obj, verdicts: Iterable[Verdict], now: datetime) -> bool:
        generation = route["metadata"].get("generation") or 0
        current = [one for one in verdicts if one.owner.generation == generation]
        if verdicts and not current:
            return True  # its translation is on the way
        for verdict in current:
            mark = (verdict.owner.uid, generation)
            if verdict.refused and verdict.refused.message.startswith("Envoy") and mark not in self._told:
                self._told.add(mark)
                self._warn(
                    {**route, "kind": kind.name, "apiVersion": kind.api_version},
                    "ConfigurationRefused",
                    verdict.refused.message,
                )
        parents = route_parents(route, [(one, self._gateways.is_acknowledged(one)) for one in current], now)
        if not parents and not (route.get("status") or {}).get("parents"):
            return True
        return await self._status(kind, route, {"parents": parents})

    async def _report_gateway(self, obj: Obj, now: datetime) -> bool:
        translation = self._gateways.translation
        read = next((one for one in translation.gateways if one.key == key_of(obj)), None)
        if read is None or read.generation != (obj["metadata"].get("generation") or 0):
            return True
        ports = self._edges.gateway_ports()
        moved = {(one.port, one.socket) for one in read.listeners if one.port != one.socket}
        text = ",".join(f"{port}={there}" for port, there in sorted(moved))
        if text != annotations_of(obj).get(PUBLISHED_PORTS, ""):
            await self._patch(GATEWAY, obj, {"metadata": {"annotations": {PUBLISHED_PORTS: text or None}}}, "")
            obj = self._newest(obj)
        status = gateway_status(obj, read, translation.attached, self._envoy(read.key), ports.address, now)
        return await self._status(GATEWAY, obj, status)

    def _envoy(self, gateway: Key) -> Listening:
        """What Envoy says about the sockets; one that a Service has is refused to a Gateway."""
        ports, refused = set(), {}
        for socket in self._gateways.translation.sockets:
            name = self._listener_name(socket.port)
            owner = self._configuration.owners.get(name)
            if owner is not None and owner.kind == "Service":
                refused[socket.port] = f"it is Service {owner.key}'s"
            elif name in self._refused and name not in self._listening:
                refused[socket.port] = self._refused[name]
            elif name in self._listening:
                ports.add(socket.port)
        return Listening(frozenset(ports), refused)

    def _listener_name(self, port: int) -> str:
        shared = {self._edges.http_port: INGRESS_HTTP, self._edges.https_port: INGRESS_HTTPS}
        return shared.get(port) or f"host/{self._edges.listen}:{port}"

    def _newest(self, obj: Obj) -> Obj:
        """The object as we know it: our own write may be newer than the copy."""
        mine = self._written.get(uid_of(obj))
        if mine is not None and _revision(mine) > _revision(obj):
            return mine
        return obj

    async def _status(self, kind: Kind, obj: Obj, status: Obj) -> bool:
        known = obj.get("status") or {}
        if all(known.get(name) == value or (not value and not known.get(name)) for name, value in status.items()):
            return True
        patch = {"metadata": {"resourceVersion": obj["metadata"].get("resourceVersion")}, "status": status}
        return await self._patch(kind, obj, patch, "status")

    async def _patch(self, kind: Kind, obj: Obj, patch: Obj, subresource: str) -> bool:
        key = key_of(obj)
        try:
            made = await self._client.patch(kind, key.namespace, key.name, patch, subresource=subresource)
        except ApiError as error:
            if error.code not in {404, 409}:
                log.warning("status_not_written kind=%s key=%s message=%s", kind.name, key, error.message[:1000])
            if kind is GATEWAY_CLASS and error.code == 422:  # somebody has applied definitions from before v1.2
                self._are_plain = not self._are_plain
            return error.code == 404
        self._written[uid_of(obj)] = made
        return True


def _revision(obj: Obj) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)
