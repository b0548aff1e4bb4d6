"""The smallest HTTP client over TLS that measures the server and not itself."""

import asyncio
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from drumroll.client.http import tls_context
from drumroll.client.kubeconfig import load_kubeconfig


class Wire(asyncio.Protocol):
    """One connection. `ask` sends a request and waits for its answer; `follow` starts a watch."""

    def __init__(self) -> None:
        self.events = 0
        self.changed = asyncio.Event()
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._is_watch = False
        self._started: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._is_watch:
            if self._started and not self._started.done():
                self._started.set_result(None)
            if b'"type":' in data:
                self.events += data.count(b'{"type":"')
                self.changed.set()
            return
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        self._buffer.clear()
        assert self._answer is not None
        self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        for waiting in (self._answer, self._started):
            if waiting is not None and not waiting.done():
                waiting.set_exception(ConnectionError(str(error)))

    async def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
        """The answer's body. Raises RuntimeError when it is an error."""
        self._answer = asyncio.get_running_loop().create_future()
        kind = f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n" if body else ""
        self.transport.write(f"{method} {path} HTTP/1.1\r\nhost: x\r\n{kind}\r\n".encode() + body)
        status, answer = await self._answer
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        return answer

    async def follow(self, path: str) -> None:
        """Start a watch; returns when the server has accepted it."""
        self._is_watch = True
        self._started = asyncio.get_running_loop().create_future()
        self.transport.write(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        await self._started

    def close(self) -> None:
        self.transport.abort()


class Server:
    """Where to connect, and as whom."""

    def __init__(self, kubeconfig: Path) -> None:
        connection = load_kubeconfig(kubeconfig)
        address = urlsplit(connection.server)
        self._host, self._port = address.hostname or "", address.port or 443
        self._context: ssl.SSLContext = tls_context(connection)

    async def connect(self) -> Wire:
        """A new connection."""
        _, wire = await asyncio.get_running_loop().create_connection(
            Wire, self._host, self._port, ssl=self._context, ssl_handshake_timeout=120
        )
        return wire
