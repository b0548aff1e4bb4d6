"""The API over real TLS: who is let in, how large a body may be, and how streams end."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from drumroll.apiserver import ApiServer
from drumroll.apiserver.asgi import _headers
from drumroll.apiserver.certificates import Certificates, ensure_certificates
from drumroll.apiserver.serve import bind, serve
from drumroll.objects.clock import now
from drumroll.objects.wire import Response, User
from drumroll.store.memory import MemoryStore
from tests.apiserver.server import CONFIG_MAPS, PODS, config_map, pod

pytestmark = pytest.mark.asyncio
TOKENS = {"secret-token": User("robot", ("system:masters",)), "weak-token": User("visitor")}


@dataclass(frozen=True)
class Served:
    """A server on a port of its own."""

    port: int
    certificates: Certificates
    store: MemoryStore

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def client(self, *, certified: bool = True, token: str = "") -> AsyncIterator[aiohttp.ClientSession]:
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        if certified:
            context.load_cert_chain(self.certificates.admin, self.certificates.admin_key)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(self.url, connector=connector, headers=headers) as session:
            yield session


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    store = MemoryStore()
    api = ApiServer(store, service_cidr=IPv4Network("10.96.0.0/16"), now=now, tokens=TOKENS)
    await api.prepare()
    sock, ready = bind("127.0.0.1", 0), asyncio.Event()
    certificates = ensure_certificates(tmp_path / "pki", hosts=("127.0.0.1", "localhost"))
    port = sock.getsockname()[1]
    task = asyncio.create_task(serve(api, sock, certificates, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    yield Served(port, certificates, store)
    task.cancel()
    await asyncio.wait([task])
    await store.close()


async def test_the_admins_certificate_may_do_everything(served):
    async with served.client() as client:
        async with client.post(CONFIG_MAPS, json=config_map("a")) as answer:
            assert answer.status == 201
        async with client.get(f"{CONFIG_MAPS}/a") as answer:
            assert (await answer.json())["data"] == {"k": "v"}


async def test_a_token_is_as_good_as_its_user(served):
    async with served.client(certified=False, token="secret-token") as client, client.get(CONFIG_MAPS) as answer:
        assert answer.status == 200
    async with served.client(certified=False, token="weak-token") as client:
        async with client.get(CONFIG_MAPS) as answer:
            message = (await answer.json())["message"]
        assert answer.status == 403
        expected = 'User "visitor" cannot list resource "configmaps" in API group "" in the namespace "default"'
        assert expected in message
        async with client.get("/apis") as answer:
            assert answer.status == 200
    async with served.client(certified=False, token="wrong") as client, client.get(CONFIG_MAPS) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (401, "Unauthorized")


async def test_anybody_may_ask_for_health_and_version_and_for_nothing_else(served):
    found = {}
    async with served.client(certified=False) as client:
        for path in ("/version", "/healthz", "/livez", "/readyz", "/api", "/metrics", CONFIG_MAPS, "/openapi/v2"):
            async with client.get(path) as answer:
                found[path] = answer.status
    allowed = {"/version", "/healthz", "/livez", "/readyz"}
    assert found == {path: 200 if path in allowed else 403 for path in found}


async def test_a_certificate_of_another_authority_is_no_admission(served, tmp_path):
    other = ensure_certificates(tmp_path / "other", hosts=("127.0.0.1",))
    context = ssl.create_default_context(cafile=str(served.certificates.authority))
    context.load_cert_chain(other.admin, other.admin_key)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get(served.url + CONFIG_MAPS)


@pytest.mark.parametrize("announced", [True, False], ids=["with its length", "in chunks"])
async def test_a_huge_body_is_refused_before_it_is_sent(served, announced):
    """A hundred megabytes are on offer; the server must answer long before it has taken them."""
    piece, pieces, sent = b"x" * 65536, 1600, 0
    reader, writer = await _connect(served)
    length = f"content-length: {len(piece) * pieces}" if announced else "transfer-encoding: chunked"
    writer.write(
        f"POST {CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{length}\r\n\r\n".encode()
    )
    answer = asyncio.create_task(reader.readuntil(b"}"))
    try:
        for _ in range(pieces):
            if answer.done():
                break
            writer.write(piece if announced else b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            sent += len(piece)
    except ConnectionError:
        pass
    text = (await asyncio.wait_for(answer, 10)).decode()
    assert text.startswith("HTTP/1.1 413")
    assert sent < 40_000_000
    writer.close()


async def _connect(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context(cafile=str(served.certificates.authority))
    context.load_cert_chain(served.certificates.admin, served.certificates.admin_key)
    return await asyncio.open_connection("127.0.0.1", served.port, ssl=context)


async def test_a_watch_streams_line_by_line_and_is_forgotten_when_the_client_goes(served):
    readers = served.store._state.collection("configmaps").readers
    async with served.client() as client, client.get(f"{CONFIG_MAPS}?watch=true") as watch:
        async with client.post(CONFIG_MAPS, json=config_map("a")) as answer:
            assert answer.status == 201
        event = json.loads(await asyncio.wait_for(watch.content.readline(), 5))
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
        assert len(readers) == 1
    async with asyncio.timeout(5):
        while readers:
            await asyncio.sleep(0.01)


async def test_nonsense_is_answered_with_400_and_the_server_goes_on(served):
    reader, writer = await _connect(served)
    writer.write(b"\x00\x01nonsense\r\n\r\n")
    assert b"400" in await asyncio.wait_for(reader.read(100), 5)
    writer.close()
    async with served.client() as client, client.get("/healthz") as answer:
        assert await answer.text() == "ok"


async def test_logs_come_from_the_node_and_its_errors_too(served, tmp_path):
    async with _node(tmp_path / "node.sock") as asked, served.client() as client:
        annotations = {"drumroll.dev/node-socket": str(tmp_path / "node.sock")}
        await _post(client, "/api/v1/nodes", {"metadata": {"name": "n1", "annotations": annotations}})
        await _post(client, PODS, pod("p", nodeName="n1"))
        async with client.get(f"{PODS}/p/log?follow=true&tailLines=5&container=c") as answer:
            assert answer.content_type == "text/plain"
            assert await answer.text() == "one\ntwo\n"
        async with client.get(f"{PODS}/p/log?previous=true") as answer:
            body = await answer.json()
        assert (answer.status, body["message"]) == (400, "no previous container")
        async with client.get(f"{PODS}/p/log?container=zz") as answer:
            assert (await answer.json())["message"] == "container zz is not valid for pod p"
    assert asked == [
        "/containerLogs/default/p/c?follow=true&tailLines=5",
        "/containerLogs/default/p/c?previous=true",
    ]
    async with served.client() as client, client.get(f"{PODS}/p/log") as answer:
        assert answer.status == 503


async def _post(client: aiohttp.ClientSession, path: str, body: object) -> None:
    async with client.post(path, json=body) as answer:
        assert answer.status == 201, await answer.text()


@asynccontextmanager
async def _node(path: Path) -> AsyncIterator[list[str]]:
    """A node that has one log, and refuses the previous one."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split()[1].decode())
        if "previous" in asked[-1]:
            text = b"no previous container"
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\none\n\r\n")
            await writer.drain()
            writer.write(b"4\r\ntwo\n\r\n0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, path)
    try:
        yield asked
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def test_a_pod_without_a_node_has_no_log(served):
    async with served.client() as client:
        await _post(client, PODS, pod("p"))
        async with client.get(f"{PODS}/p/log") as answer:
            body = await answer.json()
    assert (answer.status, body["message"]) == (400, "pod p does not have a host assigned")


async def test_stopping_the_server_ends_open_watches_in_order(tmp_path, caplog):
    store = MemoryStore()
    api = ApiServer(store, service_cidr=IPv4Network("10.96.0.0/16"), now=now)
    await api.prepare()
    sock, ready = bind("127.0.0.1", 0), asyncio.Event()
    certificates = ensure_certificates(tmp_path / "pki", hosts=("127.0.0.1",))
    served = Served(sock.getsockname()[1], certificates, store)
    task = asyncio.create_task(serve(api, sock, certificates, ready=ready.set))
    await ready.wait()
    async with served.client() as client, client.get(f"{CONFIG_MAPS}?watch=true") as watch:
        task.cancel()
        assert await asyncio.wait_for(watch.content.readline(), 5) == b""
    await asyncio.wait_for(asyncio.wait([task]), 5)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_unknown_field_that_no_header_can_name_is_no_fault_of_ours(served):
    body = {**config_map("a"), "odd\x7ffield": 1, "line\nfeed": 1, "plain": 1}
    async with served.client() as client, client.post(CONFIG_MAPS, json=body) as answer:
        assert answer.status == 201
        assert answer.headers.getall("Warning") == ['299 - "unknown field \\"plain\\""']


async def test_a_header_of_an_answer_holds_nothing_that_http_refuses():
    value = "".join(map(chr, range(128)))
    sent = dict(_headers(Response(200, headers=(("Odd", value),)), None))[b"odd"]
    assert sent == b"\t" + bytes(range(32, 127))
