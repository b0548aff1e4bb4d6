"""A connection to the node for one stream: an HTTP request on its Unix socket that is upgraded."""

import asyncio

import h11

from drumroll.apiserver.node_socket import connect
from drumroll.objects import stream
from drumroll.objects.errors import ServiceUnavailable

_SECONDS = 10.0


class NodeRefusal(Exception):
    """The node cannot do it. It is told as plain text, as the kubelet does: clients put their own words before it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NodeConnection:
    """Bytes or frames to and from the node. Close it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, channel: int, payload: bytes) -> None:
        """Send one frame; returns when there is room for the next. A node that has gone is fine: reading tells."""
        try:
            self.writer.write(stream.frame(channel, payload))
            await self.writer.drain()
        except OSError:
            return

    async def receive(self) -> tuple[int, bytes] | None:
        """The next frame; None when the node has nothing more to say."""
        return await stream.read_frame(self.reader)

    def close(self) -> None:
        """Hang up at once: the node ends the command. Input that it has not taken yet would hold that up."""
        self.writer.transport.abort()


async def open_node(socket: str, path: str) -> NodeConnection:
    """The upgraded connection. Raises NodeRefusal, and ServiceUnavailable when it does not answer."""
    reader, writer = await connect(socket)
    try:
        async with asyncio.timeout(_SECONDS):
            await _upgrade(reader, writer, path)
    except (OSError, TimeoutError, h11.ProtocolError, asyncio.IncompleteReadError) as error:
        writer.close()
        raise ServiceUnavailable(f"the node's answer cannot be understood: {error}") from error
    except BaseException:
        writer.close()
        raise
    return NodeConnection(reader, writer)


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    """Reads exactly the head of the answer: what follows a 101 belongs to the stream."""
    head = f"POST {path} HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: {stream.UPGRADE}\r\n\r\n"
    writer.write(head.encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    status = int(answer.split(b" ", 2)[1])
    if status == 101:
        return
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "node")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(answer)
    body = b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Data):
            body += event.data
    raise NodeRefusal(status, body.decode(errors="replace").strip())
