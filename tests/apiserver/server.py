"""A server in this process and short words for talking to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from typing import Any

from drumroll.apiserver import ApiServer
from drumroll.objects.wire import JSON, MERGE_PATCH, Request, Response, User
from drumroll.store.interface import Store
from drumroll.store.memory import MemoryStore

ADMIN = User("admin", ("system:masters",))
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Server:
    """`call` answers with (status, body); `made` insists on success and gives the body."""

    def __init__(self, store: Store | None = None, services: str = "10.96.0.0/16", **more: Any) -> None:
        self.clock = Clock()
        self.store = store or MemoryStore()
        self.api = ApiServer(self.store, service_cidr=IPv4Network(services), now=self.clock, **more)

    async def send(
        self, method: str, path: str, body: Any = None, *, user: User = ADMIN, content_type: str = "", **headers: str
    ) -> Response:
        path, _, query = path.partition("?")
        parameters = tuple(tuple(part.split("=", 1)) for part in query.split("&") if part)
        found = {"accept": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if data:
            found["content-type"] = content_type or (MERGE_PATCH if method == "PATCH" else JSON)
        return await self.api.handle(Request(method, path, parameters, found, data, user))  # type: ignore[arg-type]

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        response = await self.send(method, path, body, **more)
        assert response.stream is None
        try:
            return response.status, json.loads(response.body)
        except ValueError:
            return response.status, response.body.decode()

    async def made(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        status, answer = await self.call(method, path, body, **more)
        assert status < 300, answer
        return answer

    async def refused(self, code: int, method: str, path: str, body: Any = None, **more: Any) -> str:
        """The message of an error with that code."""
        status, answer = await self.call(method, path, body, **more)
        assert status == code, answer
        return answer["message"]

    def watching(self, path: str, **headers: str) -> "Watching":
        return Watching(self, path, headers)


class Watching:
    """`async with server.watching(path) as watch: await watch.next()`."""

    def __init__(self, server: Server, path: str, headers: dict[str, str]) -> None:
        self._server, self._path, self._headers = server, path, headers
        self._pending: list[Any] = []

    async def __aenter__(self) -> "Watching":
        joint = "&" if "?" in self._path else "?"
        response = await self._server.send("GET", f"{self._path}{joint}watch=true", **self._headers)
        assert response.status == 200, response.body
        self._closing = aclosing(_lines(response))
        self._stream = await self._closing.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._closing.__aexit__(*failure)

    async def next(self) -> Any:
        """The next event. Raises TimeoutError, StopAsyncIteration."""
        async with asyncio.timeout(5):
            return await anext(self._stream)

    async def named(self, count: int) -> list[tuple[str, str]]:
        """The next `count` events as (type, name)."""
        found = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in found]


async def _lines(response: Response) -> AsyncIterator[Any]:
    async def once() -> AsyncIterator[bytes]:
        yield response.body

    source = response.stream if response.stream is not None else once()
    try:
        async for chunk in source:
            for line in chunk.splitlines():
                yield json.loads(line)
    finally:
        await source.aclose()


def config_map(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "data": {"k": "v"}}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i:1"}], **spec}}


def deployment(name: str, replicas: int = 1) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"app": "x"}, **spec}}
