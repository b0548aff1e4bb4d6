"""exec and attach over SPDY/3.1: one SPDY stream for each of error, stdin, stdout, stderr and resize.

Source: kubernetes staging/src/k8s.io/kubelet/pkg/cri/streaming/remotecommand, client-go/tools/remotecommand.
"""

import asyncio
from collections.abc import Mapping, Sequence

from drumroll.apiserver import spdy
from drumroll.apiserver.gate import LISTED
from drumroll.apiserver.streams_node import NodeConnection
from drumroll.apiserver.streams_websocket import elder_error
from drumroll.objects import stream
from drumroll.objects.wire import Request

PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
VERSION_HEADER = "x-stream-protocol-version"
_CHANNELS = {
    "stdin": stream.STDIN,
    "stdout": stream.STDOUT,
    "stderr": stream.STDERR,
    "error": stream.ERROR,
    "resize": stream.RESIZE,
}
_STREAM_SECONDS = 30.0
_GOODBYE_SECONDS = 5.0
_OUR_PING = 2  # pings of a server have even numbers, its client's odd ones (SPDY/3.1, 2.6.5)


def accept(writer: asyncio.StreamWriter, request: Request, supported: Sequence[str]) -> str:
    """Switch to SPDY with the first protocol that both speak; empty after a refusal.

    A client that names none is taken for the oldest.
    """
    header = request.headers.get(VERSION_HEADER, "")
    asked = [name.strip() for name in header.replace(LISTED, ",").split(",") if name.strip()] or [supported[-1]]
    chosen = next((name for name in supported if name in asked), "")
    if chosen:
        head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        head += f"{VERSION_HEADER}: {chosen}"
        writer.write(f"{head}\r\n\r\n".encode())
    else:
        body = f"unable to negotiate protocol: client supports {asked}, server accepts {list(supported)}"
        head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
        writer.write(f"{head}\r\n\r\n{body}".encode())
    return chosen


async def serve_command(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: Request,
    node: NodeConnection,
    wanted: Mapping[str, bool],
) -> None:
    """Carry one exec or attach until it ends or the client goes."""
    protocol = accept(writer, request, PROTOCOLS)
    if not protocol:
        return
    needed = {"error", *(name for name in ("stdin", "stdout", "stderr") if wanted[name])}
    if wanted["tty"] and protocol[:3] in ("v3.", "v4."):
        needed.add("resize")
    command = _Command(Connection(reader, writer), node, frozenset(_CHANNELS[name] for name in needed))
    taking = asyncio.create_task(command.take())
    giving = asyncio.create_task(command.give(speaks_status=protocol.startswith("v4.")))
    gone = asyncio.create_task(stream.wait_hung_up(writer, nudge=command.nudge))
    try:
        await asyncio.wait({taking, giving, gone}, return_when=asyncio.FIRST_COMPLETED)
        if giving.done() and not giving.cancelled():
            await asyncio.wait({taking}, timeout=_GOODBYE_SECONDS)
    finally:
        for task in (taking, giving, gone):
            task.cancel()
        await asyncio.wait({taking, giving, gone})


class Connection:
    """The connection to a client; one that is gone reads empty, and what is sent to it is dropped."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_reading = False

    async def read(self) -> bytes:
        """What has come; empty when the client has gone."""
        self._is_reading = True
        try:
            return await self._reader.read(65536)
        except OSError:
            return b""
        finally:
            self._is_reading = False

    def nudge(self, ping: bytes) -> None:
        """Send a ping while input is held up."""
        if not self._is_reading:
            self._writer.write(ping)

    async def write(self, data: bytes) -> None:
        """Send; returns when there is room for more."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            return


class _Command:
    """One exec or attach: SPDY streams on the client's side, channels on the node's."""

    def __init__(self, client: Connection, node: NodeConnection, needed: frozenset[int]) -> None:
        self._client = client
        self._node = node
        self._needed = needed
        self._framer = spdy.Framer()
        self._stream_of: dict[int, int] = {}  # channel → SPDY stream
        self._channel_of: dict[int, int] = {}
        self._complete = asyncio.Event()

    async def give(self, *, speaks_status: bool) -> None:
        """What the node sends goes to the client; ends all streams after the end of the command."""
        async with asyncio.timeout(_STREAM_SECONDS):
            await self._complete.wait()
        while (received := await self._node.receive()) is not None:
            channel, data = received
            if channel == stream.ERROR and not speaks_status:
                data = elder_error(data)
            if channel in self._stream_of and data:
                await self._client.write(self._framer.data(self._stream_of[channel], data))
        for channel in (stream.STDOUT, stream.STDERR, stream.ERROR):
            if channel in self._stream_of:
                await self._client.write(self._framer.data(self._stream_of[channel], b"", is_last=True))

    async def take(self) -> None:
        """What the client sends goes to the node; returns when the client has gone."""
        while data := await self._client.read():
            try:
                events = self._framer.receive(data)
            except spdy.SpdyError:
                return
            for event in events:
                await self._on(event)

    def nudge(self) -> None:
        """Ping the client while its input is held up: see `stream.wait_hung_up`."""
        self._client.nudge(self._framer.ping(_OUR_PING))

    async def _on(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened(number, headers):
                channel = _CHANNELS.get(headers.get("streamtype", "").lower(), -1)
                if channel not in self._needed or channel in self._stream_of:
                    await self._client.write(self._framer.reset(number))
                    return
                self._stream_of[channel], self._channel_of[number] = number, channel
                await self._client.write(self._framer.accept(number))
                if self._needed <= self._stream_of.keys():
                    self._complete.set()
            case spdy.Data(number, data, is_last):
                channel = self._channel_of.get(number, -1)
                if channel in (stream.STDIN, stream.RESIZE) and data:
                    await self._node.send(channel, data)
                if channel == stream.STDIN and is_last:
                    await self._node.send(stream.CLOSE, bytes((channel,)))
            case spdy.Ping(number) if number % 2:  # the others are answers
                await self._client.write(self._framer.ping(number))
