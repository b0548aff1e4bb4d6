"""Gateways while things come and go: a port that is taken, an Ingress beside them, restarts, a deleted Gateway."""

import asyncio
import contextlib
import os
import signal
import socket

import grpc.aio
import pytest
import pytest_asyncio

from drumroll.objects.kinds import ENDPOINT_SLICE, GATEWAY, GRPC_ROUTE, HTTP_ROUTE
from drumroll.proxy.admin import read_clusters
from tests.proxy.cluster import eventually
from tests.proxy.gateways import (
    Front,
    acknowledged,
    backend,
    cluster_with_gateway,
    conditions,
    gateway,
    route,
    rule,
    told,
)
from tests.proxy.load import Load
from tests.proxy.test_ingress import ingress
from tests.proxy.test_ingress import rule as ingress_rule

pytestmark = [pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster():
    async with cluster_with_gateway() as found:
        yield found


async def status(here, name):
    found = await here.client.get(GATEWAY, "default", name)
    return found.get("status") or {}


async def test_a_port_that_somebody_else_has_is_told_and_taken_when_it_is_free(cluster):
    with socket.socket() as taken:
        taken.bind((cluster.network.listen, 0))
        taken.listen()
        port = taken.getsockname()[1]
        await gateway(cluster, "late", {"name": "http", "protocol": "HTTP", "port": port})

        async def refused():
            listeners = (await status(cluster, "late")).get("listeners") or [{}]
            return conditions(listeners[0]).get("Accepted", ("",))[:2] == ("False", "PortUnavailable")

        await eventually(refused)
        assert conditions(await status(cluster, "late"))["Programmed"][:2] == ("False", "Invalid")
        events = await eventually(lambda: cluster.events("ListenerRefused"))
        assert {event["involvedObject"]["name"] for event in events} == {"late"}

    async def programmed():
        return conditions(await status(cluster, "late"))["Programmed"][0] == "True"

    await eventually(programmed)


async def test_an_ingress_and_a_gateway_share_a_host(cluster):
    await ingress(cluster, "shared", ingress_rule("shared.test", ("/", "Prefix", "one")))
    await route(cluster, "shared", rule(backend("two"), path="/two"))
    await acknowledged(cluster, "shared")
    front = Front(cluster, "shared.test")

    async def both():
        return await front.served("/two/x") == "two" and await front.served("/else") == "one"

    await eventually(both)


async def test_a_call_reaches_a_service_whose_endpoints_are_written_by_hand(cluster):
    address = f"{cluster.pods_prefix}.200"
    ports = [{"name": "grpc", "port": 80, "targetPort": 8080}]
    await cluster.service("rpc", ports=ports, selector=None)
    await cluster.client.create(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"namespace": "default", "name": "rpc", "labels": {"kubernetes.io/service-name": "rpc"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address]}],
            "ports": [{"name": "grpc", "port": 8080, "protocol": "TCP"}],
        }
    )
    match = {"matches": [{"method": {"service": "test.Echo", "method": "Say"}}]}
    await route(cluster, "rpc", {**match, "backendRefs": [backend("rpc")]}, kind="GRPCRoute")
    await acknowledged(cluster, "rpc", kind=GRPC_ROUTE)
    async with calls_answered(f"{address}:8080"), channel(cluster, "rpc.test") as opened:
        assert await opened.unary_unary("/test.Echo/Say")(b"hello", timeout=20, wait_for_ready=True) == b"hello"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await opened.unary_unary("/test.Echo/Shout")(b"hello", timeout=20)
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    await cluster.client.delete(ENDPOINT_SLICE, "default", "rpc")


@contextlib.asynccontextmanager
async def calls_answered(address):
    async def say(request, _context):
        return request

    server = grpc.aio.server()
    methods = {name: grpc.unary_unary_rpc_method_handler(say) for name in ("Say", "Shout")}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", methods),))
    server.add_insecure_port(address)
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


def channel(here, host):
    place = f"{here.network.listen}:{here.network.http_port}"
    return grpc.aio.insecure_channel(place, options=[("grpc.default_authority", host)])


async def test_a_restarted_control_plane_and_a_killed_envoy_come_back_to_the_same_routes(cluster):
    await cluster.service("headless", clusterIP="None")
    await cluster.pod("headless")
    await route(cluster, "stay", rule(backend("one"), backend("headless")))
    await acknowledged(cluster, "stay")
    url = f"http://{cluster.network.listen}:{cluster.network.http_port}/"
    async with Load(url, headers={"Host": "stay.test"}).running() as load:
        await cluster.stop_proxy()
        found = await cluster.client.patch(HTTP_ROUTE, "default", "stay", {"spec": {"rules": [rule(backend("two"))]}})
        await load.more(20)
        cluster.start_proxy()
        await acknowledged(cluster, "stay", found["metadata"]["generation"])
        await load.more(100)
    assert load.failures == []
    assert {await Front(cluster, "stay.test").served() for _ in range(10)} == {"two"}

    def gone():
        return "default/headless/http" not in (read_clusters(cluster.run_folder / "envoy-admin.sock") or {"": 0})

    await eventually(lambda: asyncio.to_thread(gone))
    os.kill(cluster.envoy_pid(), signal.SIGKILL)

    async def back():
        return await Front(cluster, "stay.test").served() == "two"

    await eventually(back)
    await acknowledged(cluster, "stay", found["metadata"]["generation"])


async def test_routes_that_are_no_longer_ours_are_no_longer_told_of(cluster):
    await gateway(cluster, "brief", {"name": "http", "protocol": "HTTP", "port": 80, "hostname": "brief.test"})
    await route(cluster, "brief", rule(backend("one")), parents=[{"name": "brief"}])
    await acknowledged(cluster, "brief")
    await cluster.client.delete(GATEWAY, "default", "brief")

    async def untold():
        return not await told(cluster, "brief")

    await eventually(untold)
    assert await Front(cluster, "brief.test").served() == 404
