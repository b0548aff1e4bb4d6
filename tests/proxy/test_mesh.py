"""The mesh's figures over HTTP: our query API, and a real Prometheus that scrapes us."""

import asyncio
import os
import signal

import aiohttp
import pytest
import pytest_asyncio

from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import ENDPOINT_SLICE, SERVICE
from drumroll.proxy import mesh
from tests.domain.promql import prometheus
from tests.proxy.cluster import eventually
from tests.proxy.test_services import answers

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(mesh, "WATCHED_STEP", 0.5)


@pytest_asyncio.fixture
async def address(cluster):
    """Where the cluster's figures are asked for."""

    async def published():
        try:
            piece = await cluster.client.get(ENDPOINT_SLICE, "drumroll-system", "prometheus")
        except NotFound:
            return None
        return f"{piece['endpoints'][0]['addresses'][0]}:{piece['ports'][0]['port']}"

    return await eventually(published)


async def asked(address, path="query", method="GET", **parameters):
    url = f"http://{address}/api/v1/{path}"
    sent = {"data": parameters} if method == "POST" else {"params": parameters}
    async with aiohttp.ClientSession() as session, session.request(method, url, **sent) as response:
        return response.status, await response.json()


async def values(address, query, label="code"):
    status, found = await asked(address, query=query)
    assert status == 200, found
    return {one["metric"].get(label, ""): float(one["value"][1]) for one in found["data"]["result"]}


async def send(url, count, query=""):
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            async with session.get(f"{url}/?{query}") as response:
                await response.read()


async def test_figures_by_revision_through_the_service_of_the_cluster(cluster, address):
    ip = await cluster.service()
    await cluster.pod(labels={"rollouts-pod-template-hash": "one"})
    url = f"http://{ip}:20080"
    await answers(url)
    await send(url, 9, "ms=120")
    await send(url, 5, "status=503")
    await send(url, 2, "goal=bought")

    async def counted():
        found = await values(address, 'drumroll_requests_total{service="web",revision="one"}')
        timed = await values(address, 'drumroll_request_duration_seconds_count{revision="one"}', "revision")
        return found.get("503") == 5 and found.get("200", 0) >= 11 and timed.get("one") == sum(found.values())

    await eventually(counted)
    errors = await values(address, 'drumroll_request_errors_total{revision="one"}', "revision")
    assert errors == {"one": 5}
    assert await values(address, "drumroll_goals_total", "goal") == {"bought": 2}
    slow = 'drumroll_request_duration_seconds_bucket{le="0.1"} / ignoring(le) drumroll_request_duration_seconds_count'
    assert 0 < (await values(address, slow, "revision"))["one"] < 1
    service = await cluster.client.get(SERVICE, "drumroll-system", "prometheus")
    inside = f"{service['spec']['clusterIP']}:9090"
    status, found = await asked(inside, method="POST", query="sum by (service) (drumroll_requests_total)")
    assert (status, [one["metric"] for one in found["data"]["result"]]) == (200, [{"service": "web"}])


async def test_answers_that_break_off_are_errors_and_running_requests_are_active(cluster, address):
    ip = await cluster.service()
    await cluster.pod(labels={"pod-template-hash": "one"})
    url = f"http://{ip}:20080"
    await answers(url)
    for _ in range(3):
        with pytest.raises(aiohttp.ClientPayloadError):
            await send(url, 1, "broken=1")

    async def broken():
        return await values(address, 'drumroll_request_errors_total{revision="one"}', "revision") == {"one": 3}

    await eventually(broken)
    running = asyncio.create_task(send(url, 1, "ms=20000"))
    try:

        async def active():
            return (await values(address, 'drumroll_requests_active{service="web"}', "revision")).get("one") == 1

        await eventually(active)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_tcp_connections_are_counted_by_revision(cluster, address):
    ports = [{"name": "tcp-echo", "port": 9000, "targetPort": 9000}]
    ip = await cluster.service(ports=ports)
    await cluster.pod(labels={"pod-template-hash": "one"})
    dead = await cluster.pod(labels={"pod-template-hash": "two"})
    dead.kill()  # and still in the slice: whoever gets it is taken by the other one
    series = ("connections_total", "connection_errors_total", "connections_active")

    async def connect():
        try:
            reader, writer = await asyncio.open_connection(ip, 9000)
            writer.write(b"hello\n")
            return await reader.readline(), writer
        except OSError:
            return None

    async def one():
        found = await connect()
        return found if found and found[0] else None

    async def are(expected):
        found = [await values(address, f'drumroll_tcp_{name}{{service="web"}}', "revision") for name in series]
        return [one.get("one") for one in found] == expected

    held = [await eventually(one) for _ in range(4)]
    await eventually(lambda: are([4, 0, 4]))
    for _, writer in held[:3]:
        writer.close()
    await eventually(lambda: are([4, 0, 1]))
    await cluster.publish(programs=[])

    async def is_refused():
        found = await connect()
        return found is None or not found[0]

    async def are_errors():
        every, failed = [await values(address, f"drumroll_tcp_{name}", "revision") for name in series[:2]]
        return failed.get("one") == 0 and failed.get("", 0) == every.get("", -1) > 0

    await eventually(is_refused)
    await eventually(are_errors)
    assert await values(address, "drumroll_requests_total") == {}
    held[3][1].close()


async def test_a_deleted_service_comes_back(cluster, address):
    before = await cluster.client.get(SERVICE, "drumroll-system", "prometheus")
    await cluster.client.delete(SERVICE, "drumroll-system", "prometheus")

    async def back():
        try:
            found = await cluster.client.get(SERVICE, "drumroll-system", "prometheus")
        except NotFound:
            return False
        return found["metadata"]["uid"] != before["metadata"]["uid"]

    assert address
    await eventually(back)


async def test_counters_go_on_when_envoy_starts_again(cluster, address):
    ip = await cluster.service()
    await cluster.pod()
    url = f"http://{ip}:20080"
    await answers(url)
    await send(url, 10)

    async def total(least):
        found = (await values(address, "sum(drumroll_requests_total)")).get("", 0)
        return found if found >= least else None

    before = await eventually(lambda: total(10))
    old = cluster.envoy_pid()
    os.kill(old, signal.SIGKILL)
    await eventually(lambda: cluster.envoy_pid() not in {None, old})
    await answers(url)
    await send(url, 3)
    assert await eventually(lambda: total(before + 3))


PATHS = [
    ("GET", "/-/healthy", 200),
    ("GET", "/-/ready", 200),
    ("HEAD", "/-/ready", 200),
    ("GET", "/metrics", 200),
    ("DELETE", "/metrics", 405),
    ("GET", "/nothing", 404),
    ("GET", "/api/v1/query?query=1", 200),
    ("GET", "/api/v1/query?query=1%2B", 400),
    ("GET", "/api/v1/query?query=label_replace(vector(1),'1','','','')", 422),
    ("POST", "/api/v1/query?query=1", 200),
    ("GET", "/api/v1/query_range?query=1&start=0&end=10&step=1", 200),
    ("GET", "/api/v1/labels", 200),
    ("GET", "/api/v1/label/service/values", 200),
    ("GET", "/api/v1/alerts", 404),
]


async def test_paths_on_one_connection(cluster, address):
    async with aiohttp.ClientSession() as session:
        for method, path, status in PATHS:
            async with session.request(method, f"http://{address}{path}") as response:
                assert response.status == status, path


async def test_what_is_no_http_harms_nobody(cluster, address):
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(b"\x00\x01 nonsense\r\n\r\n")
    async with asyncio.timeout(20):
        assert b"200" not in await reader.read()
    writer.close()
    assert (await asked(address, query="1"))[0] == 200


@prometheus.NEEDED
async def test_a_real_prometheus_scrapes_us(cluster, address, tmp_path):
    ip = await cluster.service()
    await cluster.pod(labels={"pod-template-hash": "one"})
    url = f"http://{ip}:20080"
    await answers(url)
    await send(url, 7, "status=404")
    configuration = (
        f"scrape_configs:\n- job_name: mesh\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['{address}']\n"
    )
    with prometheus.running_prometheus(tmp_path, configuration) as port:

        async def scraped():
            query = 'sum by (code, revision) (drumroll_requests_total{code="404"})'
            _, found = await asyncio.to_thread(prometheus.ask, port, "/api/v1/query", query=query)
            return found["data"]["result"]

        (one,) = await eventually(scraped, 40)
    assert (one["metric"], one["value"][1]) == ({"code": "404", "revision": "one"}, "7")
