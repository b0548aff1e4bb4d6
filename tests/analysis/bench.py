"""The AnalysisRun controller at work: a real API server in this process, and real HTTP servers that providers ask."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from aiohttp import web

from drumroll.apiserver import ApiServer
from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.client.inprocess import InProcessTransport
from drumroll.domain.analysis.names import COMPLETED
from drumroll.objects.clock import now
from drumroll.objects.kinds import ANALYSIS_RUN, EVENT
from drumroll.objects.meta import Obj
from drumroll.objects.metrics import Metrics
from drumroll.objects.wire import User
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, run_controller
from drumroll.reconcile.perform import Performer
from drumroll.rollouts.analysis import analysis_controller
from drumroll.rollouts.providers.asking import Asked, Web
from drumroll.rollouts.providers.registry import measure
from drumroll.store.memory import MemoryStore

SECONDS = 30


@dataclass
class Served:
    """A real HTTP server on a free port, what it was asked, and what it answers to the next request."""

    url: str = ""
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    def always(self, body: Any, status: int = 200) -> None:
        """Answer every request with this JSON, or text."""

        async def give(_: web.Request) -> web.Response:
            if isinstance(body, str):
                return web.Response(text=body, status=status)
            return web.json_response(body, status=status)

        self.answer = give

    def in_turn(self, *bodies: Any) -> None:
        """Answer with these, one after the other; the last one stays."""
        left = list(bodies)

        async def give(_: web.Request) -> web.Response:
            return web.json_response(left.pop(0) if len(left) > 1 else left[0])

        self.answer = give


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Served]:
    """A server that is gone when the block ends."""
    served = Served()

    async def handle(request: web.Request) -> web.StreamResponse:
        served.requests.append(request)
        served.bodies.append(await request.text())
        assert served.answer is not None
        return await served.answer(request)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, **options)
    await site.start()
    port = runner.addresses[0][1]
    served.url = f"{'https' if options else 'http'}://127.0.0.1:{port}"
    try:
        yield served
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def api() -> AsyncIterator[Client]:
    """A client of a real API server, on a memory store."""
    server = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=now, installs=True)
    await server.prepare()
    async with asyncio.TaskGroup() as group:
        housekeeping = group.create_task(server.run())
        yield Client(InProcessTransport(server.handle, User("admin", ("system:masters",))))
        housekeeping.cancel()


@contextlib.asynccontextmanager
async def asked(client: Client | None = None, run: Obj | None = None) -> AsyncIterator[Asked]:
    """What a provider is given."""
    nobody = client or Client(InProcessTransport(_nobody, User("nobody", ())))
    async with Web(nobody) as open_web:
        yield Asked(run or {"metadata": {"namespace": "default", "name": "run"}}, nobody, open_web, now)


async def _nobody(request: Any) -> Any:
    raise AssertionError(f"nobody is to be asked: {request}")


Make = Callable[[Caches, Client, Web], tuple[Controller, ...]]


def analyses(caches: Caches, client: Client, open_web: Web) -> tuple[Controller, ...]:
    """The AnalysisRun controller alone."""
    return (analysis_controller(caches, client, open_web, now),)


async def control(client: Client, make: Make = analyses) -> None:
    """Run controllers until cancelled."""
    caches = Caches(client)
    async with Web(client) as open_web, asyncio.TaskGroup() as group:
        for controller in make(caches, client, open_web):
            recorder = EventRecorder(client, controller.component, now)
            group.create_task(recorder.run())
            performer = Performer(client, recorder)
            group.create_task(run_controller(controller, caches, performer, now, Metrics()))
        group.create_task(caches.run())


@dataclass
class Bench:
    """A cluster with the controllers running."""

    client: Client
    group: asyncio.TaskGroup
    make: Make = analyses
    task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = self.group.create_task(control(self.client, self.make))

    async def stop(self) -> None:
        """End the controllers wherever they are."""
        assert self.task is not None
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def run(self, name: str = "run") -> Obj:
        return await self.client.get(ANALYSIS_RUN, "default", name)

    async def ended(self, name: str = "run") -> Obj:
        """The run's status, once it has ended."""

        async def status() -> Obj | None:
            found = (await self.run(name)).get("status") or {}
            return found if found.get("phase") in COMPLETED else None

        return await eventually(status)

    async def events(self, reason: str) -> list[str]:
        """The messages of Events with that reason, once there is one."""

        async def found() -> list[str]:
            listed = (await self.client.list(EVENT, "default")).items
            return [event["message"] for event in listed if event["reason"] == reason]

        return await eventually(found)


@contextlib.asynccontextmanager
async def bench(make: Make = analyses, *, starts: bool = True) -> AsyncIterator[Bench]:
    async with api() as client, asyncio.TaskGroup() as group:
        made = Bench(client, group, make)
        if starts:
            made.start()
        yield made
        await made.stop()


async def eventually(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The first truthy answer."""
    answer = None
    try:
        async with asyncio.timeout(SECONDS):
            while not (answer := await ask()):
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never true; the last answer was {answer!r}") from None
    return answer


def analysis_run(*metrics: Obj, name: str = "run", **spec: Any) -> Obj:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"metrics": list(metrics), **spec},
    }


def secret(name: str, namespace: str = "default", **values: str) -> Obj:
    meta = {"name": name, "namespace": namespace}
    data = {key.replace("_", "-"): value for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data}


async def read(provider, settings, given):
    """What that provider measures, given where and for whom."""
    return await measure({"name": "m", "provider": {provider: settings}}, given)
