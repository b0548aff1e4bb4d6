"""A server that has no Gateway API at first."""

import copy

import pytest

from drumroll.domain.custom.installed import definitions
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import CUSTOM_RESOURCE_DEFINITION, GATEWAY, GATEWAY_CLASS, HTTP_ROUTE
from tests.proxy.cluster import eventually
from tests.proxy.gateways import Front, acknowledged, backend, conditions, gateway, route, rule
from tests.proxy.test_services import answers

pytestmark = pytest.mark.asyncio


async def define(cluster, definition):
    head = {"apiVersion": CUSTOM_RESOURCE_DEFINITION.api_version, "kind": CUSTOM_RESOURCE_DEFINITION.name}
    await cluster.client.create({**head, **definition})


async def test_kinds_that_appear_later_are_served(cluster):
    ip = await cluster.service("one")
    await cluster.pod("one")
    await answers(f"http://{ip}:20080/")
    for definition in definitions():
        if definition["spec"]["group"] == GATEWAY.group:
            await define(cluster, definition)

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


async def test_a_class_is_accepted_where_features_are_mere_names(cluster):
    """As in the definitions from before v1.2."""
    for definition in copy.deepcopy(list(definitions())):
        if definition["spec"]["group"] != GATEWAY.group:
            continue
        if definition["spec"]["names"]["kind"] == GATEWAY_CLASS.name:
            for version in definition["spec"]["versions"]:
                status = version["schema"]["openAPIV3Schema"]["properties"]["status"]
                status["properties"]["supportedFeatures"] = {"type": "array", "items": {"type": "string"}}
        await define(cluster, definition)
    made = {"apiVersion": GATEWAY_CLASS.api_version, "kind": "GatewayClass", "metadata": {"name": "older"}}
    made["spec"] = {"controllerName": "drumroll.dev/gateway"}

    async def created():
        try:
            return await cluster.client.create(made)
        except ApiError:
            return None

    await eventually(created)

    async def accepted():
        status = (await cluster.client.get(GATEWAY_CLASS, "", "older")).get("status") or {}
        return status if conditions(status)["Accepted"][0] == "True" else None

    assert "HTTPRoute" in (await eventually(accepted))["supportedFeatures"]
