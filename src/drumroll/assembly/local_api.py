"""The API as this process reaches it: our own server, or the one that another process of the same home runs."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from drumroll.assembly.home import Home, Refusal
from drumroll.assembly.settings import Settings
from drumroll.objects.clock import now
from drumroll.objects.metrics import Metrics
from drumroll.objects.wire import User

if TYPE_CHECKING:
    from drumroll.apiserver.certificates import Certificates
    from drumroll.assembly.control_plane import ApiAccess

log = logging.getLogger("drumroll.assembly")

ADMIN = User("system:drumroll", ("system:masters",))


@contextlib.asynccontextmanager
async def serve_api(
    home: Home, settings: Settings, services: IPv4Network, listener: socket.socket
) -> AsyncIterator["ApiAccess"]:
    """Open the store and serve the API on `listener` for as long as the block runs."""
    from drumroll.apiserver.certificates import ensure_certificates
    from drumroll.apiserver.serve import serve
    from drumroll.apiserver.server import ApiServer
    from drumroll.assembly.control_plane import ApiAccess
    from drumroll.client.client import Client
    from drumroll.client.inprocess import InProcessTransport
    from drumroll.store.interface import StoreError
    from drumroll.store.sqlite import SqliteStore

    started = time.monotonic()
    try:
        store = SqliteStore.open(home.store)
    except (StoreError, OSError) as error:
        raise Refusal(f"the store {home.store} cannot be used: {error}") from error
    try:
        certificates = ensure_certificates(home.pki, hosts=("localhost", "127.0.0.1", settings.api_listen))
        metrics = Metrics()
        port: int = listener.getsockname()[1]
        api = ApiServer(store, service_cidr=services, now=now, address=f"{settings.api_listen}:{port}", metrics=metrics)
        await api.prepare()
        _write_kubeconfig(home, certificates, f"https://{settings.api_listen}:{port}")
        async with asyncio.TaskGroup() as group:
            answering = asyncio.Event()
            tasks = [
                group.create_task(serve(api, listener, certificates, ready=answering.set), name="https"),
                group.create_task(api.run(), name="housekeeping"),
            ]
            await answering.wait()
            log.info("api_ready port=%d ms=%d", port, (time.monotonic() - started) * 1000)
            client = Client(InProcessTransport(api.handle, ADMIN))
            yield ApiAccess(client, port, certificates.authority.read_text(), metrics)
            for task in tasks:
                task.cancel()
    finally:
        await store.close()


def _write_kubeconfig(home: Home, certificates: "Certificates", server: str) -> None:
    from drumroll.client.kubeconfig import Connection, write_kubeconfig

    connection = Connection(
        server=server,
        authority=certificates.authority.read_bytes(),
        certificate=certificates.admin.read_bytes(),
        key=certificates.admin_key.read_bytes(),
    )
    write_kubeconfig(home.kubeconfig, "drumroll", connection)


@contextlib.asynccontextmanager
async def connect_api(home: Home) -> AsyncIterator["ApiAccess"]:
    """Reach the API server that another process runs, by the home's kubeconfig."""
    from drumroll.assembly.control_plane import ApiAccess
    from drumroll.client.client import Client
    from drumroll.client.http import HttpTransport
    from drumroll.client.kubeconfig import KubeconfigError, load_kubeconfig

    try:
        connection = load_kubeconfig(home.kubeconfig)
    except KubeconfigError as error:
        raise Refusal(f"{error}. Start the API server of this home first: drumroll up --parts apiserver.") from error
    async with HttpTransport(connection) as transport:
        port = int(connection.server.rsplit(":", 1)[-1])
        yield ApiAccess(Client(transport), port, connection.authority.decode(), Metrics())
