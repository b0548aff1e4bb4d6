"""Port forwarding: every connection that a client's kubectl accepts is a pair of streams here, data and error.

Three forms: SPDY/3.1 on the connection itself, the same frames inside WebSocket messages
(`SPDY/3.1+portforward.k8s.io`, kubectl since 1.31), and plain WebSocket channels for ports named in the URL, which
libraries use. Source: kubernetes staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward, KEP-4006.
"""

import asyncio
import struct
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from drumroll.apiserver import spdy
from drumroll.apiserver.streams_node import NodeConnection, NodeRefusal, open_node
from drumroll.apiserver.streams_spdy import Connection, accept
from drumroll.apiserver.streams_websocket import WebSocket
from drumroll.objects import stream
from drumroll.objects.errors import ApiError
from drumroll.objects.wire import Request

TUNNEL = "SPDY/3.1+portforward.k8s.io"
SPDY_PROTOCOLS = ("portforward.k8s.io",)
_WEBSOCKET_PROTOCOLS = (TUNNEL, "v5.channel.k8s.io", "v4.channel.k8s.io", "portforward.k8s.io")
_WAITING = 64  # pieces of a connection's data that may wait for a slow program


@dataclass(frozen=True, slots=True)
class Destination:
    """A pod, seen from here: its node's socket, the path to ask for there, and its name in messages."""

    socket: str
    path: str
    pod: str

    async def connect(self, port: int) -> NodeConnection:
        """Bytes to and from a port of the pod. Raises ApiError and NodeRefusal."""
        return await open_node(self.socket, f"{self.path}?port={port}")

    def complaint(self, port: int, error: ApiError | NodeRefusal) -> bytes:
        """What the client shows."""
        return f"error forwarding port {port} to pod {self.pod}: {error.message}".encode()


class Carrier(Protocol):
    """What carries SPDY frames: the connection itself, or WebSocket messages."""

    async def read(self) -> bytes:
        """What has come; empty when the client has gone."""
        ...

    async def write(self, data: bytes) -> None:
        """Send; returns when there is room for more."""
        ...


async def serve_forward(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: Request,
    destination: Destination,
    *,
    is_websocket: bool,
) -> None:
    """Forward connections until the client goes."""
    if not is_websocket:
        if not accept(writer, request, SPDY_PROTOCOLS):
            return
        await _until_gone(_Forwarder(Connection(reader, writer), destination).run(), writer)
        return
    socket = WebSocket(reader, writer)
    if not await socket.accept(request, _WEBSOCKET_PROTOCOLS):
        return
    if socket.protocol == TUNNEL:
        await _until_gone(_Forwarder(_Tunnel(socket), destination).run(), writer)
    else:
        ports = [int(port) for key, value in request.query if key == "ports" for port in value.split(",")]
        await _until_gone(_serve_channels(socket, destination, ports), writer)
    await socket.close()


async def _until_gone(work: Coroutine[Any, Any, None], writer: asyncio.StreamWriter) -> None:
    """Cancels the work when the client goes while it is held up."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(stream.wait_hung_up(writer))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class _Tunnel:
    """WebSocket messages. Their borders mean nothing."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while (message := await self._socket.receive()) == b"":
            pass
        return message or b""

    async def write(self, data: bytes) -> None:
        await self._socket.send(data)


@dataclass(slots=True)
class _Pair:
    """One forwarded connection. `arrived` holds what the client sent, then None for its end."""

    port: int
    data: int = 0
    error: int = 0
    arrived: "asyncio.Queue[bytes | None]" = field(default_factory=lambda: asyncio.Queue(_WAITING))
    task: "asyncio.Task[None] | None" = None


class _Forwarder:
    """The SPDY streams of one client, in pairs."""

    def __init__(self, carrier: Carrier, destination: Destination) -> None:
        self._carrier = carrier
        self._destination = destination
        self._framer = spdy.Framer()
        self._pairs: dict[str, _Pair] = {}  # by requestID
        self._of_data: dict[int, _Pair] = {}

    async def run(self) -> None:
        """Serve until the client goes; its connections end with it."""
        async with asyncio.TaskGroup() as group:
            while data := await self._carrier.read():
                try:
                    events = self._framer.receive(data)
                except spdy.SpdyError:
                    break
                for event in events:
                    await self._on(event, group)
            for pair in self._pairs.values():
                if pair.task is not None:
                    pair.task.cancel()

    async def _on(self, event: spdy.Event, group: asyncio.TaskGroup) -> None:
        match event:
            case spdy.Opened(number, headers):
                await self._opened(number, headers, group)
            case spdy.Data(number, data, is_last):
                pair = self._of_data.get(number)
                if pair is not None and data:
                    await pair.arrived.put(data)
                if pair is not None and is_last:
                    await pair.arrived.put(None)
            case spdy.Reset(number):
                pair = self._of_data.get(number)
                if pair is not None and pair.task is not None:
                    pair.task.cancel()
            case spdy.Ping(number):
                await self._carrier.write(self._framer.ping(number))

    async def _opened(self, number: int, headers: Mapping[str, str], group: asyncio.TaskGroup) -> None:
        kind, port = headers.get("streamtype", ""), headers.get("port", "")
        if kind not in ("data", "error") or not port.isdigit() or not 0 < int(port) < 65536:
            await self._carrier.write(self._framer.reset(number))
            return
        name = headers.get("requestid") or port
        pair = self._pairs.setdefault(name, _Pair(int(port)))
        if kind == "data":
            pair.data = number
            self._of_data[number] = pair
        else:
            pair.error = number
        await self._carrier.write(self._framer.accept(number))
        if pair.data and pair.error and pair.task is None:
            pair.task = group.create_task(self._forward(pair))
            pair.task.add_done_callback(lambda _: self._forget(name, pair))

    def _forget(self, name: str, pair: _Pair) -> None:
        """What still comes for it is dropped; a reader that waits for room in its queue goes on."""
        self._pairs.pop(name, None)
        self._of_data.pop(pair.data, None)
        while not pair.arrived.empty():
            pair.arrived.get_nowait()

    async def _forward(self, pair: _Pair) -> None:
        complaint = b""
        try:
            node = await self._destination.connect(pair.port)
        except (ApiError, NodeRefusal) as error:
            complaint = self._destination.complaint(pair.port, error)
        else:
            try:
                await self._exchange(pair, node)
            finally:
                node.close()
                await asyncio.shield(self._end(pair, b""))
            return
        await self._end(pair, complaint)

    async def _exchange(self, pair: _Pair, node: NodeConnection) -> None:
        """Until the program has said everything; what the client still sends after that goes nowhere."""
        sending = asyncio.create_task(_send_arrived(pair, node))
        try:
            while data := await _read(node):
                await self._carrier.write(self._framer.data(pair.data, data))
        finally:
            sending.cancel()
            await asyncio.wait({sending})

    async def _end(self, pair: _Pair, complaint: bytes) -> None:
        if complaint:
            await self._carrier.write(self._framer.data(pair.error, complaint))
        await self._carrier.write(self._framer.data(pair.error, b"", is_last=True))
        await self._carrier.write(self._framer.data(pair.data, b"", is_last=True))


async def _send_arrived(pair: _Pair, node: NodeConnection) -> None:
    try:
        while (data := await pair.arrived.get()) is not None:
            node.writer.write(data)
            await node.writer.drain()
        node.writer.write_eof()
    except OSError:
        while True:  # the program does not listen any more: the client must not be held up
            await pair.arrived.get()


async def _read(node: NodeConnection) -> bytes:
    try:
        return await node.reader.read(stream.CHUNK)
    except OSError:
        return b""


async def _serve_channels(socket: WebSocket, destination: Destination, ports: list[int]) -> None:
    """Channel 2n carries the n-th port's data, 2n+1 its errors; both begin with the port, little-endian."""
    pairs = [_Pair(port, data=2 * index, error=2 * index + 1) for index, port in enumerate(ports)]

    async def forward(pair: _Pair) -> None:
        for channel in (pair.data, pair.error):
            await socket.send(bytes((channel,)) + struct.pack("<H", pair.port))
        try:
            node = await destination.connect(pair.port)
        except (ApiError, NodeRefusal) as error:
            await socket.send(bytes((pair.error,)) + destination.complaint(pair.port, error))
            return
        sending = asyncio.create_task(_send_arrived(pair, node))
        try:
            while data := await _read(node):
                await socket.send(bytes((pair.data,)) + data)
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            node.close()

    async def take() -> None:
        while (message := await socket.receive()) is not None:
            if message and message[0] % 2 == 0 and message[0] // 2 < len(pairs):
                await pairs[message[0] // 2].arrived.put(message[1:])

    tasks = [asyncio.create_task(forward(pair)) for pair in pairs]
    taking, waiting = asyncio.create_task(take()), set(tasks)
    try:
        while waiting and not taking.done():
            done, _ = await asyncio.wait({*waiting, taking}, return_when=asyncio.FIRST_COMPLETED)
            waiting -= done
    finally:
        for task in (*tasks, taking):
            task.cancel()
        await asyncio.wait({*tasks, taking})
