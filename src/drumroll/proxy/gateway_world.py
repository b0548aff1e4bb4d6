"""Copies of the Gateway API's objects, on servers that may not have these kinds, or get them later."""

import asyncio
import logging

from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import (
    COMPARISON,
    GATEWAY,
    GATEWAY_CLASS,
    GRPC_ROUTE,
    HTTP_ROUTE,
    NAMESPACE,
    REFERENCE_GRANT,
    TRAFFIC_SPLIT,
    Kind,
)

log = logging.getLogger("drumroll.proxy")

ABSENT_SECONDS = 3.0
"""Between two looks for a kind that the server does not have."""


class GatewayWorld:
    """The informers, empty while their kinds are not served."""

    def __init__(self, client: Client) -> None:
        self.classes = Informer(client, GATEWAY_CLASS)
        self.gateways = Informer(client, GATEWAY)
        self.http_routes = Informer(client, HTTP_ROUTE)
        self.grpc_routes = Informer(client, GRPC_ROUTE)
        self.grants = Informer(client, REFERENCE_GRANT)
        self.splits = Informer(client, TRAFFIC_SPLIT)
        self.comparisons = Informer(client, COMPARISON)
        self.namespaces = Informer(client, NAMESPACE)
        routes = (self.http_routes, self.grpc_routes, self.splits, self.comparisons)
        self.all = (self.classes, self.gateways, *routes, self.grants, self.namespaces)
        self._client = client
        self._known = {informer.kind: asyncio.Event() for informer in self.all}

    async def wait_known(self) -> None:
        """Return when every copy is a real past state, or its kind is known not to be served."""
        await asyncio.gather(*(event.wait() for event in self._known.values()))

    async def run(self) -> None:
        """Follow the server until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self.all:
                tasks.create_task(self._follow(informer))

    async def _follow(self, informer: Informer) -> None:
        known = self._known[informer.kind]
        while not await self._is_served(informer.kind):
            known.set()
            await asyncio.sleep(ABSENT_SECONDS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(informer.run())
            await informer.wait_synced()
            known.set()

    async def _is_served(self, kind: Kind) -> bool:
        """False when the server says that it has no such kind; any other trouble is the informer's."""
        try:
            await self._client.raw(kind.path(), {"limit": "1"})
        except ApiError as error:
            if error.code == 404:
                return False
        return True
