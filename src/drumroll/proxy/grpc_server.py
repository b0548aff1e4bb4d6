"""A gRPC server of one bidirectional method on a Unix socket, over h2: all that Envoy needs of gRPC.

grpcio does the same with a C++ core, threads of its own and 10 MB more: docs/decisions/0010-xds-over-h2.md.
Source: the gRPC project's doc/PROTOCOL-HTTP2.md.
"""

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

log = logging.getLogger("drumroll.proxy")

OK, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 8, 12, 13, 14
"""Statuses of gRPC, as far as we give them."""

LONGEST_MESSAGE = 64 * 2**20
"""Envoy tells everything that it holds in its first message after a reconnect: tens of bytes per resource."""

WINDOW = 2**20
_PREFIX = struct.Struct(">BI")  # is compressed, length


class CallFailed(Exception):
    """What the client sent cannot be served; `status` is gRPC's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Call:
    """One running call: whole messages in both directions, as bytes."""

    def __init__(self, connection: "_Connection", number: int) -> None:
        self._connection = connection
        self._number = number
        self._unread = bytearray()
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def read(self) -> bytes | None:
        """The client's next message; None when it has said all."""
        return await self._messages.get()

    async def write(self, message: bytes) -> None:
        """Send one message, as fast as the client's flow control lets us; one `write` at a time."""
        await self._connection.send(self._number, _PREFIX.pack(0, len(message)) + message)

    def feed(self, data: bytes) -> None:
        """Take what has arrived. Raises CallFailed when it is no message that we understand."""
        self._unread += data
        while len(self._unread) >= _PREFIX.size:
            is_compressed, length = _PREFIX.unpack_from(self._unread)
            if is_compressed:
                raise CallFailed(UNIMPLEMENTED, "compressed messages are not understood")
            if length > LONGEST_MESSAGE:
                raise CallFailed(RESOURCE_EXHAUSTED, f"a message of {length} bytes; {LONGEST_MESSAGE} is the most")
            end = _PREFIX.size + length
            if len(self._unread) < end:
                return
            self._messages.put_nowait(bytes(self._unread[_PREFIX.size : end]))
            del self._unread[:end]

    def end(self) -> None:
        """The client will send no more."""
        self._messages.put_nowait(None)


Handler = Callable[[Call], Awaitable[None]]


async def serve_method(socket: Path, path: str, handler: Handler, ready: Callable[[], None]) -> None:
    """Serve the method `path` (/package.Service/Method) on a socket that is only ours, until cancelled.

    `handler` runs once per call and is cancelled when the client goes away.
    """
    connections: set[_Connection] = set()
    loop = asyncio.get_running_loop()
    socket.unlink(missing_ok=True)
    server = await loop.create_unix_server(lambda: _Connection(path, handler, connections), str(socket))
    socket.chmod(0o600)  # whoever connects is told the Ingresses' private keys
    ready()
    try:
        await loop.create_future()
    finally:
        server.close()
        tasks = [task for connection in list(connections) for task in connection.goodbye()]
        await asyncio.gather(*tasks, return_exceptions=True)


class _Connection(asyncio.Protocol):
    """One client's connection: HTTP/2 by h2, calls as tasks."""

    def __init__(self, path: str, handler: Handler, connections: set["_Connection"]) -> None:
        self._path = path
        self._handler = handler
        self._connections = connections
        self._state = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._calls: dict[int, tuple[Call, asyncio.Task[None]]] = {}
        self._transport: asyncio.Transport | None = None
        self._room = asyncio.Event()  # something may be sent that could not be before
        self._drained = asyncio.Event()  # the socket takes more
        self._drained.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without deriving from it
        self._connections.add(self)
        self._state.initiate_connection()
        self._state.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self._state.increment_flow_control_window(WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            for event in self._state.receive_data(data):
                self._on(event)
        except ProtocolError as error:
            log.warning("xds_connection_failed error=%s", error)
            self._flush()
            self._close()
            return
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._transport = None
        self._connections.discard(self)
        self._cancel_all()

    def pause_writing(self) -> None:
        """Called by the loop."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """Called by the loop."""
        self._drained.set()

    def goodbye(self) -> list[asyncio.Task[None]]:
        """End every call with UNAVAILABLE, and the connection; the calls' tasks, which end soon."""
        tasks = []
        for number, (_, task) in list(self._calls.items()):
            self._finish(number, UNAVAILABLE, "the control plane stops")
            task.cancel()
            tasks.append(task)
        if self._transport is not None:
            self._state.close_connection()
            self._flush()
            self._close()
        return tasks

    def _on(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=number, headers=headers):
                self._begin(number, dict(headers))  # type: ignore[arg-type]
            case DataReceived(stream_id=number, data=data, flow_controlled_length=length):
                self._state.acknowledge_received_data(length, number)
                self._feed(number, data)
            case StreamEnded(stream_id=number) if number in self._calls:
                self._calls[number][0].end()
            case StreamReset(stream_id=number) if number in self._calls:
                self._calls.pop(number)[1].cancel()
            case WindowUpdated() | RemoteSettingsChanged():
                self._room.set()
            case ConnectionTerminated():
                self._close()

    def _begin(self, number: int, headers: dict[str, str]) -> None:
        if headers.get(":method") != "POST" or headers.get(":path") != self._path:
            self._answer(number, UNIMPLEMENTED, f"only {self._path} is served here")
            return
        self._state.send_headers(number, [(":status", "200"), ("content-type", "application/grpc")])
        call = Call(self, number)
        self._calls[number] = call, asyncio.create_task(self._run(number, call), name=f"xds-call-{number}")

    def _feed(self, number: int, data: bytes) -> None:
        found = self._calls.get(number)
        if found is None:
            return
        try:
            found[0].feed(data)
        except CallFailed as error:
            self._finish(number, error.status, str(error))
            found[1].cancel()

    async def _run(self, number: int, call: Call) -> None:
        try:
            await self._handler(call)
            self._finish(number, OK, "")
        except Exception:  # our fault: the client hears INTERNAL and may call again
            log.exception("xds_call_failed")
            self._finish(number, INTERNAL, "the control plane failed; its log says more")

    async def send(self, number: int, data: bytes) -> None:
        """Send on a stream, in frames that fit the client's windows."""
        view, sent = memoryview(data), 0
        while sent < len(view):
            await self._drained.wait()
            room = min(self._state.local_flow_control_window(number), self._state.max_outbound_frame_size)
            if room <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            piece = view[sent : sent + room]
            self._state.send_data(number, bytes(piece))
            sent += len(piece)
            self._flush()

    def _finish(self, number: int, status: int, message: str) -> None:
        """Trailers: the call is over."""
        if self._calls.pop(number, None) is None or self._transport is None:
            return
        trailers = [("grpc-status", str(status))]
        if message:
            trailers.append(("grpc-message", message))
        self._state.send_headers(number, trailers, end_stream=True)
        self._flush()

    def _answer(self, number: int, status: int, message: str) -> None:
        """Refuse a call that has not begun."""
        ends = [("grpc-status", str(status)), ("grpc-message", message)]
        self._state.send_headers(number, [(":status", "200"), ("content-type", "application/grpc"), *ends], True)
        self._state.reset_stream(number, ErrorCodes.NO_ERROR)

    def _flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._state.data_to_send())

    def _cancel_all(self) -> None:
        calls, self._calls = self._calls, {}
        for _, task in calls.values():
            task.cancel()

    def _close(self) -> None:
        self._cancel_all()
        if self._transport is not None:
            self._transport.close()
