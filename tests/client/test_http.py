"""The HTTPS transport against the real API server on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from drumroll.apiserver import ApiServer
from drumroll.apiserver.certificates import ensure_certificates
from drumroll.apiserver.serve import bind, serve
from drumroll.client.client import Client
from drumroll.client.http import HttpTransport
from drumroll.client.informer import Informer
from drumroll.client.kubeconfig import Connection, load_kubeconfig, write_kubeconfig
from drumroll.objects.clock import now
from drumroll.objects.errors import ApiError, NotFound, ServiceUnavailable
from drumroll.objects.kinds import CONFIG_MAP, NAMESPACE
from drumroll.objects.meta import Key, Obj
from drumroll.objects.wire import User
from drumroll.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Connection]:
    """The connection of an API server that answers until the block ends."""
    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]
    certificates = ensure_certificates(folder / "pki", hosts=("127.0.0.1",))
    tokens = {"secret": User("robot", ("system:masters",))}
    api = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=now, tokens=tokens)
    await api.prepare()
    ready = asyncio.Event()
    task = asyncio.create_task(serve(api, sock, certificates, ready=ready.set))
    path = folder / "kubeconfig"
    pems = (certificates.authority, certificates.admin, certificates.admin_key)
    write_kubeconfig(path, "drumroll", Connection(f"https://127.0.0.1:{port}", *(pem.read_bytes() for pem in pems)))
    try:
        async with asyncio.timeout(10):
            await ready.wait()
        yield load_kubeconfig(path)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def config_map(name: str, **data: str) -> Obj:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


async def test_objects_come_and_go_with_a_client_certificate(tmp_path: Path) -> None:
    async with served(tmp_path) as connection, HttpTransport(connection) as transport:
        client = Client(transport)
        created = await client.create(config_map("a", x="ä"))
        assert await client.get(CONFIG_MAP, "default", "a") == created
        await client.delete(CONFIG_MAP, "default", "a")
        with pytest.raises(NotFound, match='configmaps "a" not found'):
            await client.get(CONFIG_MAP, "default", "a")


async def test_a_token_can_be_renewed_and_one_in_a_file_is_read_there(tmp_path: Path) -> None:
    async with served(tmp_path) as connection:
        bearer = replace(connection, certificate=b"", key=b"", token="old")
        async with HttpTransport(bearer) as transport:
            with pytest.raises(ApiError):
                await Client(transport).list(NAMESPACE)
            await transport.renew(replace(bearer, token="secret"))
            assert (await Client(transport).list(NAMESPACE)).items
        (tmp_path / "token").write_text("secret\n")
        async with HttpTransport(replace(bearer, token="", token_file=tmp_path / "token")) as transport:
            assert (await Client(transport).list(NAMESPACE)).items


async def test_a_token_will_do_and_a_wrong_one_will_not(tmp_path: Path) -> None:
    async with served(tmp_path) as connection:
        bearer = replace(connection, certificate=b"", key=b"", token="secret")
        async with HttpTransport(bearer) as transport:
            assert (await Client(transport).list(NAMESPACE)).items
        async with HttpTransport(replace(bearer, token="wrong")) as transport:
            with pytest.raises(ApiError) as refused:
                await Client(transport).list(NAMESPACE)
            assert refused.value.code == 401


async def test_an_informer_follows_lines_of_any_length(tmp_path: Path) -> None:
    async with served(tmp_path) as connection, HttpTransport(connection) as transport:
        client = Client(transport)
        informer = Informer(client, CONFIG_MAP, "default")
        task = asyncio.create_task(informer.run())
        async with asyncio.timeout(20):
            await informer.wait_synced()
            await client.create(config_map("big", x="y" * 900_000))
            await informer.wait_until(lambda: informer.get(Key("default", "big")) is not None)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_no_server_and_a_foreign_one_are_unavailable_and_the_message_names_it(tmp_path: Path) -> None:
    free = bind("127.0.0.1", 0)
    address = f"127.0.0.1:{free.getsockname()[1]}"
    free.close()
    async with HttpTransport(Connection(f"https://{address}")) as transport:
        with pytest.raises(ServiceUnavailable, match=address):
            await Client(transport).list(NAMESPACE)
    async with served(tmp_path) as connection, HttpTransport(replace(connection, authority=b"")) as transport:
        with pytest.raises(ServiceUnavailable, match="certificate"):
            await Client(transport).list(NAMESPACE)
