"""Services through a real Envoy."""

import asyncio

import aiohttp
import pytest

from drumroll.objects.kinds import LEASE, SERVICE
from tests.proxy.cluster import eventually

pytestmark = pytest.mark.asyncio


async def ask(url, **options):
    """(status, decoded body) or None when nobody answers."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None


async def answers(url, **options):
    async def served():
        found = await ask(url, **options)
        return found and found[0] == 200 and found[1]

    return await eventually(served)


async def test_a_service_reaches_its_pods_and_nobody_else(cluster):
    ip = await cluster.service()
    ready, _ = await cluster.pod(), await cluster.pod(ready=False)
    assert (await answers(f"http://{ip}:20080/"))["name"] == ready.pod
    assert {(await answers(f"http://{ip}:20080/"))["name"] for _ in range(20)} == {ready.pod}


async def test_services_and_changes_that_come_later_are_served_at_once(cluster):
    first = await cluster.service()
    await cluster.pod()
    await answers(f"http://{first}:20080/")
    began = asyncio.get_running_loop().time()
    second = await cluster.service("late")
    await cluster.client.patch(SERVICE, "default", "web", {"spec": {"sessionAffinity": "ClientIP"}})
    program = await cluster.pod("late")
    assert (await answers(f"http://{second}:20080/"))["name"] == program.pod
    await answers(f"http://{first}:20080/")
    assert asyncio.get_running_loop().time() - began < 8  # a cluster that waits for its endpoints takes 15 s


async def test_a_moved_port_is_told_in_the_annotation(cluster):
    await cluster.service()

    async def told():
        service = await cluster.client.get(SERVICE, "default", "web")
        return service["metadata"].get("annotations", {}).get("drumroll.dev/published-ports")

    assert await eventually(told) == "80=20080"


async def test_a_load_balancer_gets_the_hosts_address(cluster):
    await cluster.service(kind="LoadBalancer", ports=[{"name": "http", "port": 8888, "targetPort": 8080}])
    await cluster.pod()
    await answers(f"http://{cluster.network.listen}:8888/")

    async def address():
        service = await cluster.client.get(SERVICE, "default", "web")
        return service["status"].get("loadBalancer", {}).get("ingress")

    assert (await eventually(address))[0]["ip"] == cluster.network.listen


async def test_tcp_goes_both_ways(cluster):
    ip = await cluster.service(ports=[{"name": "tcp-echo", "port": 9000, "targetPort": 9000}])
    program = await cluster.pod()
    line = await eventually(lambda: speak(ip, 9000))
    assert line == f"{program.pod} hello\n".encode()


async def test_an_unnamed_port_speaks_http_and_tcp(cluster):
    ip = await cluster.service(ports=[{"port": 8080, "targetPort": 8080}])
    await cluster.pod()
    assert (await answers(f"http://{ip}:8080/x"))["path"] == "/x"


async def speak(ip, port):
    try:
        reader, writer = await asyncio.open_connection(ip, port)
    except OSError:
        return b""
    writer.write(b"hello\n")
    try:
        return await asyncio.wait_for(reader.readline(), 2)
    except (OSError, TimeoutError):
        return b""
    finally:
        writer.close()


async def test_the_lease_is_held_and_not_given_up_while_envoy_serves_on_alone(cluster):
    async def holder():
        leases = (await cluster.client.list(LEASE, "kube-system")).items
        return {lease["metadata"]["name"]: lease["spec"].get("holderIdentity") for lease in leases}

    await eventually(lambda: held(holder))
    await cluster.stop_proxy()
    assert await held(holder), "a node that starts now must still wait for drains"


async def held(holder):
    return (await holder()).get("drumroll-proxy")


async def test_a_port_that_is_taken_is_told_and_harms_nobody(cluster):
    server = await asyncio.start_server(lambda r, w: w.close(), cluster.network.listen, 8888)
    async with server:
        await cluster.service("bad", "LoadBalancer", [{"name": "http", "port": 8888, "targetPort": 8080}])
        ip = await cluster.service()
        await cluster.pod()
        await answers(f"http://{ip}:20080/")
        (event,) = await eventually(lambda: cluster.events("ListenerRefused"))
        assert event["involvedObject"]["name"] == "bad"
        assert "in use" in event["message"]
    await eventually(lambda: ask(f"http://{cluster.network.listen}:8888/"))
