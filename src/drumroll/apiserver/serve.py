"""The API over TLS: a listening socket, certificates, and an orderly end."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from drumroll.apiserver.asgi import Application
from drumroll.apiserver.certificates import Certificates
from drumroll.apiserver.server import ApiServer

if TYPE_CHECKING:
    from uvicorn.server import ServerState

log = logging.getLogger("drumroll.apiserver")

_BACKLOG = 2048
_HANDSHAKE_SECONDS = 10.0
_GRACE_SECONDS = 1.0


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
    from uvicorn.server import ServerState

    from drumroll.apiserver.uvicorn_protocol import Protocol, configuration

    application = Application(api)
    config = configuration(application)
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
