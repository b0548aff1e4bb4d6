"""uvicorn as this API server runs it: who a client certificate names, and connections that stop speaking HTTP.

Nothing but this module and `serve` knows uvicorn. Importing it costs 80 ms, so `serve` does that late.
"""

import asyncio
import socket

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from drumroll.apiserver.asgi import Application
from drumroll.apiserver.authentication import certificate_user

_KEEP_ALIVE_SECONDS = 120
_IDLE_SECONDS = 30  # before a taken-over connection is asked whether the client is still there
_STREAM_BUFFER = 128 * 1024


class Protocol(HttpToolsProtocol):
    """Adds to what the application sees: the user of a verified client certificate, and a way to upgrade."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the loop."""
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


def configuration(application: Application) -> uvicorn.Config:
    """uvicorn without what we do ourselves or not at all: sockets, logs, WebSockets, headers of its own."""
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
    return config


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
