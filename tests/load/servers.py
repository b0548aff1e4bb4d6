"""Servers that misbehave in one known way each."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from drumroll.load.ledger import Ledger
from drumroll.load.plan import LoadPlan, Target
from drumroll.load.run import run_load

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BODY = b'{"name":"My Shop","alive":true,"version":"0.0.1"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Pod: p1\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port of 127.0.0.1; yields the port. Handlers' connections are closed when they return."""

    async def connected(reader, writer):
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
    writer.transport.abort()


async def load(port: int, *, kind: str = "new", seconds: float = 0.5, timeout: float = 2.0, **fields) -> Ledger:
    fields = {"rate": 40.0, "path": "/status", **fields}
    target = Target("t", kind, "127.0.0.1", port, **fields)
    return await run_load(LoadPlan((target,), seconds=seconds, timeout=timeout), asyncio.Event())
