"""Pods are killed without mercy as soon as they count as drained; nobody who asks may notice."""

import asyncio
import os
import signal

import aiohttp
import pytest

from drumroll.objects.kinds import POD, SERVICE
from tests.proxy.cluster import eventually
from tests.proxy.load import Load
from tests.proxy.test_services import answers, ask

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


async def served(cluster, **options):
    ip = await cluster.service(**options)
    url = f"http://{ip}:20080/"
    return url


async def test_replacing_every_pod_loses_no_request(cluster):
    url = await served(cluster)
    old = [await cluster.pod() for _ in range(3)]
    await answers(url)
    async with Load(url + "?ms=20").running() as load:
        for program in old:
            await cluster.pod()
            assert await cluster.terminate(program) == "Idle"
        await asyncio.sleep(0.3)
    assert load.failures == []
    assert load.answers.total() > 100
    assert set(load.answers) == {*(p.pod for p in old), *cluster.programs}


async def test_posts_survive_an_update_of_a_single_replica(cluster):
    url = await served(cluster)
    current = await cluster.pod()
    await answers(url)
    async with Load(url + "?ms=10", method="POST").running() as load:
        for _ in range(2):
            following = await cluster.pod()
            assert await cluster.terminate(current) == "Idle"
            current = following
    assert load.failures == []


async def test_a_single_pod_serves_until_its_replacement_is_ready(cluster):
    url = await served(cluster)
    old = await cluster.pod()
    await answers(url)
    async with Load(url).running() as load:
        await cluster.pod(ready=False)  # a replacement on its way: the old one falls back
        ending = asyncio.create_task(cluster.terminate(old))
        await asyncio.sleep(1)
        assert not ending.done()
        replacement = next(p for p in cluster.programs.values() if p is not old)
        replacement.ready = True
        await cluster.publish()
        assert await ending == "Idle"
    assert load.failures == []
    assert set(load.answers) == {old.pod, replacement.pod}


async def test_with_no_replacement_coming_a_pod_does_not_linger(cluster):
    url = await served(cluster)
    program = await cluster.pod()
    await answers(url)
    began = asyncio.get_running_loop().time()
    assert await cluster.terminate(program) == "Idle"
    assert asyncio.get_running_loop().time() - began < 5
    found = await eventually(lambda: ask(url))
    assert found[0] == 503


async def test_a_pod_that_never_was_ready_is_not_served(cluster):
    url = await served(cluster)
    await cluster.pod()
    never = await cluster.pod(ready=False)
    await answers(url)
    assert await cluster.terminate(never) == "NotServed"


async def test_a_running_request_is_waited_for(cluster):
    url = await served(cluster)
    program = await cluster.pod()
    await answers(url)
    slow = asyncio.create_task(ask(url + "?ms=2000"))
    await asyncio.sleep(0.3)
    await cluster.pod()
    assert await cluster.terminate(program) == "Idle"
    status, body = await slow
    assert (status, body["name"]) == (200, program.pod)


async def test_a_websocket_delays_a_pod_until_the_budget_ends(cluster):
    url = await served(cluster)
    program = await cluster.pod(grace=6)
    await answers(url)
    async with aiohttp.ClientSession() as session, session.ws_connect(url + "ws") as socket:
        await socket.send_str("hi")
        assert (await socket.receive_str()).startswith(program.pod)
        await cluster.pod()
        ending = asyncio.create_task(cluster.terminate(program))
        await asyncio.sleep(1.5)
        assert not ending.done()
        await socket.send_str("still")
        assert (await socket.receive_str()) == f"{program.pod} still"
        assert (await answers(url))["name"] != program.pod
        assert await ending == "BudgetSpent"


async def test_a_websocket_that_ends_lets_the_pod_go(cluster):
    url = await served(cluster)
    program = await cluster.pod()
    await answers(url)
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(url + "ws")
        await cluster.pod()
        ending = asyncio.create_task(cluster.terminate(program))
        await asyncio.sleep(1)
        assert not ending.done()
        await socket.close()
        assert await ending == "Idle"


async def test_a_tcp_connection_is_waited_for(cluster):
    ip = await cluster.service(ports=[{"name": "tcp-echo", "port": 9000, "targetPort": 9000}])
    program = await cluster.pod()

    async def connect():
        try:
            reader, writer = await asyncio.open_connection(ip, 9000)
            writer.write(b"hello\n")
            return (reader, writer) if await reader.readline() else None
        except OSError:
            return None

    reader, writer = await eventually(connect)
    await cluster.pod()
    ending = asyncio.create_task(cluster.terminate(program))
    await asyncio.sleep(1)
    assert not ending.done()
    writer.write(b"more\n")
    assert await reader.readline() == f"{program.pod} more\n".encode()
    writer.close()
    assert await ending == "Idle"


async def test_a_selector_switched_by_hand_loses_no_request(cluster):
    url = await served(cluster)
    blue = [await cluster.pod(), await cluster.pod()]
    await answers(url)
    async with Load(url + "?ms=20").running() as load:
        green = [await cluster.pod(), await cluster.pod()]
        await cluster.publish(programs=green)
        await eventually(lambda: load.answers[green[0].pod] and load.answers[green[1].pod])
        for program in blue:
            await cluster.client.delete(POD, "default", program.pod)
            program.terminating = True
            assert await cluster.drained(program) in {"Idle", "NotServed"}
            program.kill()
        await asyncio.sleep(0.2)
    assert load.failures == []


async def test_a_deleted_service_lets_its_requests_end(cluster):
    url = await served(cluster)
    program = await cluster.pod()
    await answers(url)
    slow = asyncio.create_task(ask(url + "?ms=1500"))
    await asyncio.sleep(0.3)
    await cluster.client.delete(SERVICE, "default", "web")
    assert (await slow)[1]["name"] == program.pod
    await eventually(lambda: gone(url))


async def gone(url):
    return await ask(url) is None


async def test_the_control_plane_may_die_in_the_middle(cluster):
    url = await served(cluster)
    old = await cluster.pod()
    await answers(url)
    pid = cluster.envoy_pid()
    async with Load(url + "?ms=20").running() as load:
        await cluster.pod()
        await cluster.stop_proxy()
        await cluster.client.delete(POD, "default", old.pod)
        old.terminating = True
        await cluster.publish()
        await asyncio.sleep(0.5)
        cluster.start_proxy()
        assert await cluster.drained(old) == "Idle"
        old.kill()
        await asyncio.sleep(0.3)
    assert load.failures == []
    assert cluster.envoy_pid() == pid


async def test_a_service_deleted_while_the_control_plane_was_away_is_taken_down(cluster):
    url = await served(cluster)
    await cluster.pod()
    await answers(url)
    await cluster.stop_proxy()
    await cluster.client.delete(SERVICE, "default", "web")
    assert (await ask(url))[0] == 200
    cluster.start_proxy()
    await eventually(lambda: gone(url))


async def test_a_pod_that_crashes_costs_no_get(cluster):
    url = await served(cluster)
    programs = [await cluster.pod() for _ in range(3)]
    await answers(url)
    async with Load(url + "?ms=20").running() as load:
        await eventually(lambda: load.answers.total() > 50)
        programs[0].kill()
        before = load.answers.total()
        await eventually(lambda: load.answers.total() > before + 200)
    assert load.failures == []


async def test_envoy_comes_back_by_itself(cluster):
    url = await served(cluster)
    await cluster.pod()
    await answers(url)
    pid = cluster.envoy_pid()
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: cluster.envoy_pid() not in (None, pid))
    await answers(url)
    assert await eventually(lambda: cluster.events("EnvoyDied"))
