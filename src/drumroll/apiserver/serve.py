"""The API over TLS on uvicorn. Only this file knows uvicorn."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from drumroll.apiserver.asgi import Application
from drumroll.apiserver.authentication import certificate_user
from drumroll.apiserver.certificates import Certificates
from drumroll.apiserver.server import ApiServer

if TYPE_CHECKING:
    from uvicorn.server import ServerState

log = logging.getLogger("drumroll.apiserver")

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 120
_HANDSHAKE_SECONDS = 10.0
_GRACE_SECONDS = 1.0
_IDLE_SECONDS = 30  # before a taken-over connection is asked whether the client is still there
_STREAM_BUFFER = 128 * 1024


def bind(address: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one. Raises OSError (address in use, not permitted)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


async def serve(
    api: ApiServer, sock: socket.socket, certificates: Certificates, *, ready: Callable[[], None] | None = None
) -> None:
    """Answer requests on `sock` until cancelled; `ready` is called when the first one can be answered.

    Open watches end when it is cancelled. The socket is closed.
    """
    import uvicorn
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    from uvicorn.server import ServerState

    class Protocol(HttpToolsProtocol):
        """Adds to what the application sees: the user of a verified client certificate, and a way to upgrade."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            tls = transport.get_extra_info("ssl_object")
            subject = (tls.getpeercert() or {}).get("subject", ()) if tls is not None else ()
            self.app_state = {"user": certificate_user(subject), "take_over": self.take_over}

        def take_over(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            """The connection as a pair of streams, after a request to upgrade it. HTTP is over on it."""
            self.connections.discard(self)
            self.cycle.disconnected = True  # so that nobody expects an answer
            self.flow.resume_reading()
            return take_streams(self.transport, self.loop)

        def _unsupported_upgrade_warning(self) -> None:
            """Upgrades reach the application as requests; it knows which ones it supports."""

    application = Application(api)
    config = uvicorn.Config(
        application,
        http=Protocol,
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        interface="asgi3",
    )
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()

    def connected() -> asyncio.Protocol:
        return Protocol(config, state, {}, loop)

    context = server_context(certificates)
    server = await loop.create_server(connected, sock=sock, ssl=context, ssl_handshake_timeout=_HANDSHAKE_SECONDS)
    try:
        if ready is not None:
            ready()
        await asyncio.get_running_loop().create_future()
    finally:
        server.close()
        application.closing.set()
        await _close_all(state)


def take_streams(
    transport: asyncio.Transport, loop: asyncio.AbstractEventLoop
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Streams on a connection that another protocol has served until now. A client that vanishes is noticed."""
    sock: socket.socket = transport.get_extra_info("socket")
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_SECONDS)
    reader = asyncio.StreamReader(limit=_STREAM_BUFFER, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def server_context(certificates: Certificates) -> ssl.SSLContext:
    """TLS 1.2 or newer with the server's certificate; clients may show one of the cluster's CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificates.server, certificates.server_key)
    context.load_verify_locations(certificates.authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _close_all(state: "ServerState") -> None:
    """Let requests that were begun end; connections that do not close by themselves are cut."""
    if state.tasks:
        await asyncio.wait(list(state.tasks), timeout=_GRACE_SECONDS)
    for connection in list(state.connections):
        connection.transport.abort()
