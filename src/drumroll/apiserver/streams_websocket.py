"""Streams over WebSocket: `v5.channel.k8s.io` and its elders. Each message begins with the number of its channel.

v5 adds the closing of a channel (255 and its number), which ends a command's input. Source: kubernetes
staging/src/k8s.io/apiserver/pkg/util/proxy/websocket.go, KEP-4006.
"""

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from drumroll.apiserver.streams_node import NodeConnection
from drumroll.objects import stream
from drumroll.objects.wire import Request

if TYPE_CHECKING:
    from websockets.server import ServerProtocol

BINARY = ("v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io")
BASE64 = ("v4.base64.channel.k8s.io", "base64.channel.k8s.io")
_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_LARGEST = 16 * 1024 * 1024
_CLOSE_SECONDS = 5.0


class WebSocket:
    """One connection after the client's upgrade request. `protocol` is the subprotocol that was chosen."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames: ServerProtocol | None = None
        self._part = b""
        self._ready: list[bytes] = []
        self._is_reading = False
        self.protocol = ""

    async def accept(self, request: Request, supported: Sequence[str]) -> bool:
        """Answer the handshake; False when it was refused (and the answer said so).

        A client that asks for no subprotocol gets none and is understood as `channel.k8s.io`.
        """
        asked = [name.strip() for name in request.headers.get("sec-websocket-protocol", "").split(",") if name.strip()]
        chosen = next((name for name in supported if name in asked), "")
        key = request.headers.get("sec-websocket-key", "")
        if not key or request.headers.get("sec-websocket-version") != "13" or (asked and not chosen):
            self._writer.write(_refusal(f"none of the subprotocols {asked} is spoken here" if key else "no WebSocket"))
            return False
        from websockets.protocol import OPEN
        from websockets.server import ServerProtocol

        self._frames = ServerProtocol(state=OPEN, max_size=_LARGEST)
        self.protocol = chosen
        answer = base64.b64encode(hashlib.sha1(key.encode() + _KEY_SUFFIX, usedforsecurity=False).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines.append(f"Sec-WebSocket-Accept: {answer}")
        if chosen:
            lines.append(f"Sec-WebSocket-Protocol: {chosen}")
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return True

    async def receive(self) -> bytes | None:
        """The next message; None when the client has closed or gone."""
        from websockets.frames import Frame, Opcode

        frames = self._open()
        while not self._ready:
            self._is_reading = True
            try:
                data = await self._reader.read(65536)
            except OSError:
                return None
            finally:
                self._is_reading = False
            if not data:
                return None
            frames.receive_data(data)
            await self._flush()
            for event in frames.events_received():
                if not isinstance(event, Frame):
                    continue
                if event.opcode is Opcode.CLOSE:
                    return None
                if event.opcode in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
                    self._part += event.data
                    if event.fin:
                        self._ready.append(self._part)
                        self._part = b""
            if frames.parser_exc is not None:
                return None
        return self._ready.pop(0)

    async def send(self, message: bytes, *, text: bool = False) -> None:
        """Send one message; returns when there is room for more. A client that has gone is fine."""
        frames = self._open()
        if frames.state.name != "OPEN":
            return
        (frames.send_text if text else frames.send_binary)(message)
        await self._flush()

    def nudge(self) -> None:
        """Ping a client whose input is held up: see `stream.wait_hung_up`."""
        frames = self._open()
        if not self._is_reading and frames.state.name == "OPEN":
            frames.send_ping(b"")
            self._writer.writelines(frames.data_to_send())

    async def close(self) -> None:
        """Say goodbye, and wait a moment for the client to do so."""
        frames = self._open()
        if frames.state.name == "OPEN":
            frames.send_close(1000)
            await self._flush()
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    while await self.receive() is not None:
                        pass
            except TimeoutError:
                return

    async def _flush(self) -> None:
        try:
            for data in self._open().data_to_send():
                if data:
                    self._writer.write(data)
            await self._writer.drain()
        except OSError:
            return

    def _open(self) -> "ServerProtocol":
        if self._frames is None:
            raise RuntimeError("the handshake has not been accepted")
        return self._frames


async def serve_command(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: Request,
    node: NodeConnection,
    wanted: Mapping[str, bool],
) -> None:
    """Carry one exec or attach until it ends or the client goes."""
    socket = WebSocket(reader, writer)
    if not await socket.accept(request, (*BINARY, *BASE64)):
        return
    channels = _Channels(socket)
    for channel, name in ((stream.STDOUT, "stdout"), (stream.STDERR, "stderr")):
        if wanted[name]:
            await channels.send(channel, b"")
    taking = asyncio.create_task(channels.take(node))
    giving = asyncio.create_task(channels.give(node))
    gone = asyncio.create_task(stream.wait_hung_up(writer, nudge=socket.nudge))
    try:
        await asyncio.wait({taking, giving, gone}, return_when=asyncio.FIRST_COMPLETED)
        is_over = giving.done()
    finally:
        for task in (taking, giving, gone):
            task.cancel()
        await asyncio.wait({taking, giving, gone})
    if is_over:
        await socket.close()


class _Channels:
    """The channels of `channel.k8s.io` in all its versions."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._is_text = socket.protocol in BASE64
        self._speaks_status = socket.protocol.startswith(("v4.", "v5."))

    async def send(self, channel: int, data: bytes) -> None:
        """Send data on a channel."""
        if self._is_text:
            await self._socket.send(str(channel).encode() + base64.b64encode(data), text=True)
        else:
            await self._socket.send(bytes((channel,)) + data)

    async def give(self, node: NodeConnection) -> None:
        """What the node sends goes to the client; returns after the end of the command."""
        while (received := await node.receive()) is not None:
            channel, data = received
            if channel == stream.ERROR and not self._speaks_status:
                data = elder_error(data)
            if channel != stream.ERROR or data:
                await self.send(channel, data)

    async def take(self, node: NodeConnection) -> None:
        """What the client sends goes to the node; returns when the client has gone."""
        while (message := await self._socket.receive()) is not None:
            if not message:
                continue
            channel, data = message[0], message[1:]
            if self._is_text:
                try:
                    channel, data = channel - ord("0"), base64.b64decode(data)
                except binascii.Error:
                    return
            if channel in (stream.STDIN, stream.RESIZE, stream.CLOSE):
                await node.send(channel, data)


def elder_error(status: bytes) -> bytes:
    """What protocols before v4 say instead of a Status: nothing for success, else the message."""
    found = json.loads(status)
    return b"" if found.get("status") == "Success" else str(found.get("message", "")).encode()


def _refusal(why: str) -> bytes:
    body = why.encode()
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body
