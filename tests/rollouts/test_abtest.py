"""A/B tests by their controller, with a real API server and a figure server that speaks HTTP."""

import asyncio
import contextlib
from copy import deepcopy
from ipaddress import IPv4Network

import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from drumroll.apiserver import ApiServer
from drumroll.client.client import Client
from drumroll.client.inprocess import InProcessTransport
from drumroll.objects.clock import now
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import AB_TEST, HTTP_ROUTE
from drumroll.objects.wire import User
from drumroll.rollouts.run import run_rollouts
from drumroll.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio

ROUTE = {
    "apiVersion": HTTP_ROUTE.api_version,
    "kind": "HTTPRoute",
    "metadata": {"namespace": "default", "name": "web"},
    "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{"name": "web-a", "port": 80}]}]},
}


def abtest(url, **fields):
    goal = {"minimumEffect": 0.05, "interval": "1s", "provider": {"web": {"url": url}}}
    return {
        "apiVersion": AB_TEST.api_version,
        "kind": "ABTest",
        "metadata": {"namespace": "default", "name": "button"},
        "spec": {
            "routeRef": {"name": "web"},
            "control": {"service": "web-a"},
            "treatment": {"service": "web-b"},
            "goal": goal,
            **fields,
        },
    }


class Plane:
    """The API, the figures that the provider gives, and short questions."""

    def __init__(self, client, url, figures):
        self.client, self.url, self.figures = client, url, figures

    async def test(self):
        return await self.client.get(AB_TEST, "default", "button")

    async def rules(self):
        return (await self.client.get(HTTP_ROUTE, "default", "web"))["spec"]["rules"]

    async def phase(self, *wanted):
        async with asyncio.timeout(30):
            while (found := await self.test()).get("status", {}).get("phase") not in wanted:
                await asyncio.sleep(0.02)
        return found["status"]


@pytest_asyncio.fixture
async def plane():
    api = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=now, installs=True)
    await api.prepare()
    client = Client(InProcessTransport(api.handle, User("admin", ("system:masters",))))
    figures = {"control": {"count": 0, "total": 0}, "treatment": {"count": 0, "total": 0}}

    async def tell(request):
        return web.Response(body=orjson.dumps(figures), content_type="application/json")

    application = web.Application()
    application.router.add_get("/figures", tell)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    tasks = [asyncio.create_task(api.run()), asyncio.create_task(run_rollouts(client, now=now))]
    try:
        yield Plane(client, f"http://127.0.0.1:{port}/figures", figures)
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)
        await runner.cleanup()


async def test_a_test_runs_to_its_success_and_promotes(plane):
    await plane.client.create(deepcopy(ROUTE))
    await plane.client.create(abtest(plane.url, onSuccess="Promote"))
    await plane.phase("Running")
    assert [rule.get("name", "") for rule in await plane.rules()] == [
        "abtest-button-control-0", "abtest-button-treatment-0", "abtest-button-assign-0", "",
    ]  # fmt: skip
    plane.figures.update(control={"count": 2000, "total": 200}, treatment={"count": 2010, "total": 400})
    status = await plane.phase("Success")
    assert status["interval"]["low"] > 0
    assert status["pValue"] < 0.05
    assert await plane.rules() == [
        {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
         "backendRefs": [{"group": "", "kind": "Service", "name": "web-b", "port": 80, "weight": 1}]},
    ]  # fmt: skip


async def test_what_is_lacking_is_said_and_noticed_when_it_comes(plane):
    await plane.client.create(abtest(plane.url))
    status = await plane.phase("Pending")
    assert status["message"] == "HTTPRoute 'web' does not exist"
    await plane.client.create(deepcopy(ROUTE))
    await plane.phase("Running")


async def test_a_provider_that_fails_is_told_and_a_deleted_test_leaves_the_route_as_it_was(plane):
    before = (await plane.client.create(deepcopy(ROUTE)))["spec"]["rules"]
    await plane.client.create(abtest(plane.url.replace("figures", "nowhere")))
    await plane.phase("Running")
    async with asyncio.timeout(30):
        while "nowhere answered 404" not in (await plane.test())["status"]["message"]:
            await asyncio.sleep(0.02)
    await plane.client.delete(AB_TEST, "default", "button")
    async with asyncio.timeout(30):
        with contextlib.suppress(NotFound):
            while True:
                await plane.test()
                await asyncio.sleep(0.02)
    assert await plane.rules() == before
