"""The API as this process reaches it: our own server, or the one that another process of the same home runs."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drumroll.assembly.home import Home, Refusal
from drumroll.assembly.settings import Settings
from drumroll.objects.clock import now
from drumroll.objects.errors import ApiError
from drumroll.objects.metrics import Metrics
from drumroll.objects.network import ClusterNetwork
from drumroll.objects.wire import User

if TYPE_CHECKING:
    from drumroll.apiserver.certificates import Certificates
    from drumroll.apiserver.gate import Security
    from drumroll.apiserver.server import ApiServer
    from drumroll.client.client import Client
    from drumroll.store.sqlite import SqliteStore

log = logging.getLogger("drumroll.assembly")

ADMIN = User("system:drumroll", ("system:masters",))


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """How this process reaches the API, and the port on which everybody else does."""

    client: "Client"
    port: int
    root_ca: str
    metrics: "Metrics"
    open_to_pods: Callable[[str], Awaitable[None]]


@contextlib.asynccontextmanager
async def serve_api(
    home: Home, settings: Settings, network: ClusterNetwork, listener: socket.socket
) -> AsyncIterator[ApiAccess]:
    """Open the store and serve the API on `listener` for as long as the block runs."""
    from drumroll.apiserver.certificates import ensure_certificates
    from drumroll.apiserver.serve import serve
    from drumroll.client.client import Client
    from drumroll.client.inprocess import InProcessTransport

    started = time.monotonic()
    store = _open_store(home)
    try:
        certificates = ensure_certificates(home.pki, hosts=_names(settings, network))
        metrics = Metrics()
        port: int = listener.getsockname()[1]
        address = f"{settings.api_listen}:{port}"
        api = _api_server(home, settings, network, store, address, metrics)
        await api.prepare()
        _write_kubeconfig(home, certificates, f"https://{address}")
        async with asyncio.TaskGroup() as group:
            answering = asyncio.Event()
            tasks = [
                group.create_task(serve(api, listener, certificates, ready=answering.set), name="https"),
                group.create_task(api.run(), name="housekeeping"),
            ]
            await answering.wait()
            log.info("api_ready port=%d ms=%d", port, (time.monotonic() - started) * 1000)
            client = Client(InProcessTransport(api.handle, ADMIN))
            inside = _Inside(api, certificates, listener, group)
            yield ApiAccess(client, port, certificates.authority.read_text(), metrics, inside.open)
            for task in (*tasks, *inside.tasks):
                task.cancel()
    finally:
        await store.close()


def _api_server(
    home: Home, settings: Settings, network: ClusterNetwork, store: "SqliteStore", address: str, metrics: Metrics
) -> "ApiServer":
    from drumroll.apiserver.server import ApiServer

    return ApiServer(
        store,
        service_cidr=network.service_cidr,
        now=now,
        address=address,
        metrics=metrics,
        security=_security(home, settings),
        installs=not settings.bare,
    )


def _open_store(home: Home) -> "SqliteStore":
    """The home's store. Raises Refusal when it cannot be used."""
    from drumroll.store.interface import Damaged, StoreError
    from drumroll.store.sqlite import SqliteStore

    try:
        return SqliteStore.open(home.store)
    except Damaged as error:
        raise Refusal(
            f"the store cannot be used: {error}; `drumroll down --delete` begins anew, without its data."
        ) from error
    except StoreError as error:
        raise Refusal(f"the store cannot be used: {error}.") from error
    except OSError as error:
        raise Refusal(f"the store {home.store} cannot be used: {error.strerror}.") from error


@dataclass(slots=True)
class _Inside:
    """The API as pods reach it, in the network that this process enters after its first socket is open."""

    api: "ApiServer"
    certificates: "Certificates"
    listener: socket.socket
    group: asyncio.TaskGroup
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def open(self, address: str) -> None:
        """Serve at `address` too, and let the Service `kubernetes` lead there.

        A cluster whose pods cannot reach the API is still a cluster: what goes wrong is logged.
        """
        from drumroll.apiserver.serve import serve
        from drumroll.assembly.ports import open_listener

        known, port = self.listener.getsockname()
        try:
            if address != known:
                listener = open_listener(address, port, "--api-port")
                self.tasks.append(
                    self.group.create_task(serve(self.api, listener, self.certificates), name="https-pods")
                )
            await self.api.publish(address, port)
        except (Refusal, ApiError) as error:
            log.warning("api_closed_to_pods address=%s port=%d error=%s", address, port, error)


def _names(settings: Settings, network: ClusterNetwork) -> tuple[str, ...]:
    """Every name and address under which somebody reaches the API: from this machine, and from pods."""
    inside = [f"kubernetes{end}" for end in ("", ".default", ".default.svc", ".default.svc.cluster.local")]
    first = (str(network.service_cidr.network_address + 1), str(network.pod_cidr.network_address + 1))
    return ("localhost", "127.0.0.1", settings.api_listen, *inside, *first)


def _security(home: Home, settings: Settings) -> "Security":
    from drumroll.apiserver.gate import Security

    return Security(account_key=home.pki / "sa.key", audit=home.logs / "audit.log" if settings.audit else None)


def _write_kubeconfig(home: Home, certificates: "Certificates", server: str) -> None:
    from drumroll.client.kubeconfig import Connection, write_kubeconfig

    connection = Connection(
        server=server,
        authority=certificates.authority.read_bytes(),
        certificate=certificates.admin.read_bytes(),
        key=certificates.admin_key.read_bytes(),
    )
    write_kubeconfig(home.kubeconfig, "drumroll", connection)


async def _already_open(address: str) -> None:
    """The process that runs the API server says where pods find it."""


@contextlib.asynccontextmanager
async def connect_api(home: Home) -> AsyncIterator[ApiAccess]:
    """Reach the API server that another process runs, by the home's kubeconfig."""
    from drumroll.client.client import Client
    from drumroll.client.http import HttpTransport
    from drumroll.client.kubeconfig import KubeconfigError, load_kubeconfig

    try:
        connection = load_kubeconfig(home.kubeconfig)
    except KubeconfigError as error:
        raise Refusal(f"{error}. Start the API server of this home first: drumroll up --parts apiserver.") from error
    async with HttpTransport(connection) as transport:
        port = int(connection.server.rsplit(":", 1)[-1])
        yield ApiAccess(Client(transport), port, connection.authority.decode(), Metrics(), _already_open)
