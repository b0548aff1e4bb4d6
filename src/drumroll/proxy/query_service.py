"""The Service `prometheus` in `drumroll-system`, behind which the mesh's figures are asked for."""

import asyncio
import logging

from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.objects.errors import AlreadyExists, ApiError, Conflict, NotFound
from drumroll.objects.kinds import ENDPOINT_SLICE, NAMESPACE, SERVICE, Kind
from drumroll.objects.meta import Key, Obj, key_of
from drumroll.proxy.mesh import SYSTEM

log = logging.getLogger("drumroll.proxy")

NAME, PORT = "prometheus", 9090
RETRY_SECONDS = 1.0
_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "drumroll"}


class QueryService:
    """Keeps the Service and its endpoint, `address` and `port`, as long as somebody serves there."""

    def __init__(self, client: Client, services: Informer, address: str, port: int) -> None:
        self._client = client
        self._services = services
        self._address = address
        self._port = port
        self._bell = asyncio.Event()

    async def run(self) -> None:
        """Make them, and make them again when somebody deletes the Service, until cancelled."""
        self._services.subscribe(self._changed)
        while True:
            self._bell.clear()
            try:
                await self._ensure()
            except ApiError as error:
                log.warning("query_service_not_written message=%s", error.message)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._bell.wait()
            await asyncio.sleep(RETRY_SECONDS)  # a namespace that is being deleted takes no objects yet

    def _changed(self, old: Obj | None, new: Obj | None) -> None:
        if new is None and old is not None and key_of(old) == Key(SYSTEM, NAME):
            self._bell.set()

    async def _ensure(self) -> None:
        await self._create(NAMESPACE, {"metadata": {"name": SYSTEM}})
        service = {
            "metadata": {"name": NAME, "namespace": SYSTEM, "labels": _LABELS},
            "spec": {"ports": [{"name": "http", "port": PORT, "targetPort": self._port}]},
        }
        await self._create(SERVICE, service)
        wanted: Obj = {
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self._address], "conditions": {"ready": True}}],
            "ports": [{"name": "http", "port": self._port, "protocol": "TCP"}],
        }
        try:
            found = await self._client.get(ENDPOINT_SLICE, SYSTEM, NAME)
        except NotFound:
            labels = {**_LABELS, "kubernetes.io/service-name": NAME}
            metadata = {"name": NAME, "namespace": SYSTEM, "labels": labels}
            await self._create(ENDPOINT_SLICE, {**wanted, "metadata": metadata})
            return
        if any(found.get(part) != wanted[part] for part in ("endpoints", "ports")):
            await self._client.patch(ENDPOINT_SLICE, SYSTEM, NAME, wanted)

    async def _create(self, kind: Kind, obj: Obj) -> None:
        try:
            await self._client.get(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        except NotFound:
            try:
                await self._client.create({"apiVersion": kind.api_version, "kind": kind.name, **obj})
            except (AlreadyExists, Conflict):
                log.debug("query_service_exists kind=%s", kind.name)
