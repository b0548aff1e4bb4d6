"""The ADS server: delta xDS over gRPC on a Unix socket, one ACK or NACK per response, resources sent in order."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drumroll.domain.envoy.types import LISTENER
from drumroll.objects.meta import Obj
from drumroll.proxy.encode import encode, messages, version_of
from drumroll.proxy.session import KEEP, Push, Session

if TYPE_CHECKING:
    from drumroll.proxy.grpc_server import Call

log = logging.getLogger("drumroll.proxy")

_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
RETRY_REFUSED_SECONDS = 3.0

Accepted = Callable[[str, Mapping[str, str]], None]
"""Called with a type URL and the versions by name that Envoy holds from now on."""

Refused = Callable[[str, str, str, str], None]
"""Called with a type URL, a resource's name and version, and Envoy's words."""

Flown = Callable[[str, Mapping[str, str], bool], None]
"""Called with a type URL and versions by name: True when they are sent, False when Envoy did not take all of them."""


@dataclass
class Desired:
    """What Envoy should hold. `set` keeps the encoded form of what has not changed."""

    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    _resources: dict[tuple[str, str], Obj] = field(default_factory=dict)

    def set(self, type_url: str, resources: Mapping[str, Obj | None]) -> bool:
        """Replace all resources of a type; None keeps what Envoy has. False when nothing changed."""
        versions = {name: KEEP if found is None else version_of(found) for name, found in resources.items()}
        if versions == self.versions.get(type_url):
            return False
        self.versions[type_url] = versions
        for key in [key for key in self._resources if key[0] == type_url and key[1] not in resources]:
            del self._resources[key]
        self._resources.update({(type_url, name): found for name, found in resources.items() if found is not None})
        return True

    def put(self, type_url: str, name: str, resource: Obj | None) -> str:
        """Replace or (None) drop one resource; the version it has now."""
        versions = self.versions.setdefault(type_url, {})
        if resource is None:
            versions.pop(name, None)
            self._resources.pop((type_url, name), None)
            return ""
        versions[name] = version_of(resource)
        self._resources[type_url, name] = resource
        return versions[name]

    def find(self, type_url: str, name: str) -> Obj | None:
        """The resource, or None."""
        return self._resources.get((type_url, name))

    def get(self, type_url: str, name: str) -> Obj:
        """The resource. Raises KeyError when it is not there."""
        return self._resources[type_url, name]


class AdsServer:
    """Serves `desired` to every Envoy that connects. Call `changed` after a change of it."""

    def __init__(self, desired: Desired, accepted: Accepted, refused: Refused, flown: Flown) -> None:
        self._desired = desired
        self._accepted = accepted
        self._refused = refused
        self._flown = flown
        self._streams: set[_Stream] = set()
        self._met = asyncio.Event()

    def changed(self) -> None:
        """Let every stream look for what it has to send."""
        for stream in self._streams:
            stream.bell.set()

    async def wait_connected(self) -> None:
        """Return when an Envoy has connected for the first time."""
        await self._met.wait()

    async def run(self, socket: Path) -> None:
        """Serve on the Unix socket until cancelled."""
        from drumroll.proxy.grpc_server import serve_method

        await asyncio.to_thread(messages)
        await serve_method(socket, _METHOD, self._serve, lambda: log.info("ads_serving socket=%s", socket))

    async def _serve(self, call: "Call") -> None:
        stream = _Stream(call, self._desired, self._accepted, self._refused, self._flown)
        self._streams.add(stream)
        self._met.set()
        log.info("envoy_connected streams=%d", len(self._streams))
        try:
            await stream.run()
        finally:
            self._streams.discard(stream)
            log.info("envoy_disconnected streams=%d", len(self._streams))


class _Stream:
    """One Envoy's stream: a reader folds what it says into the session, the writer sends what comes next."""

    def __init__(self, call: "Call", desired: Desired, accepted: Accepted, refused: Refused, flown: Flown) -> None:
        self.bell = asyncio.Event()
        self._call = call
        self._desired = desired
        self._accepted = accepted
        self._refused = refused
        self._flown = flown
        self._session = Session()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(self._write()), group.create_task(self._retry())]
            await self._read()
            for task in others:
                task.cancel()

    async def _read(self) -> None:
        from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

        while (message := await self._call.read()) is not None:
            self._take(DeltaDiscoveryRequest.FromString(message))
            self.bell.set()

    def _take(self, request: Any) -> None:
        type_url = request.type_url
        if request.response_nonce and request.HasField("error_detail"):
            flight = self._session.in_flight(request.response_nonce)
            found = self._session.refuse(request.response_nonce)
            if flight is not None:
                self._flown(type_url, flight.versions, False)
            log.warning("envoy_refused type=%s message=%s", type_url, request.error_detail.message)
            if found is not None:
                self._refused(*found, self._session.refused_version(*found), request.error_detail.message)
        elif request.response_nonce:
            push = self._session.accept(request.response_nonce)
            if push is not None and push.versions:
                self._accepted(push.type_url, push.versions)
        initial = dict(request.initial_resource_versions)
        self._session.subscribe(type_url, request.resource_names_subscribe, request.resource_names_unsubscribe, initial)
        if initial:
            self._accepted(type_url, initial)

    async def _write(self) -> None:
        while True:
            await self.bell.wait()
            self.bell.clear()
            while (push := self._session.next_push(self._desired.versions)) is not None:
                self._flown(push.type_url, push.versions, True)
                await self._call.write(self._response(push))

    def _response(self, push: Push) -> bytes:
        from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

        response = DeltaDiscoveryResponse(type_url=push.type_url, nonce=push.nonce, removed_resources=push.removed)
        for name, version in push.versions.items():
            resource = encode(push.type_url, self._desired.get(push.type_url, name))
            response.resources.add(name=name, version=version, resource=resource)
        body: bytes = response.SerializeToString()
        return body

    async def _retry(self) -> None:
        while True:
            await asyncio.sleep(RETRY_REFUSED_SECONDS)
            if self._session.retry_refused(LISTENER):
                self.bell.set()
