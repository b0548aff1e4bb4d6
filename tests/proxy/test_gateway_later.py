"""A server that has no Gateway API at first."""

import pytest

from drumroll.domain.custom.installed import definitions
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import CUSTOM_RESOURCE_DEFINITION, GATEWAY, HTTP_ROUTE
from tests.proxy.cluster import eventually
from tests.proxy.gateways import Front, acknowledged, backend, gateway, route, rule
from tests.proxy.test_services import answers

pytestmark = pytest.mark.asyncio


async def test_kinds_that_appear_later_are_served(cluster):
    ip = await cluster.service("one")
    await cluster.pod("one")
    await answers(f"http://{ip}:20080/")
    for definition in definitions():
        if definition["spec"]["group"] == "gateway.networking.k8s.io":
            head = {"apiVersion": CUSTOM_RESOURCE_DEFINITION.api_version, "kind": CUSTOM_RESOURCE_DEFINITION.name}
            await cluster.client.create({**head, **definition})

    async def served():
        try:
            return await cluster.client.list(HTTP_ROUTE) and await cluster.client.list(GATEWAY)
        except ApiError:
            return None

    await eventually(served)
    await gateway(cluster, "front", {"name": "http", "protocol": "HTTP", "port": 80})
    await route(cluster, "late", rule(backend("one")))
    await acknowledged(cluster, "late")
    assert await Front(cluster, "late.test").served() == "one"
