"""An HTTP/2 client over TLS: many requests at once on few connections."""

import asyncio
import ssl
from typing import cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from drumroll.load.answer import KEPT_BODY, Answer, Failure, answer_of
from drumroll.load.plan import Target

STREAMS = 100
"""Open streams per connection before another connection is opened, unless the server allows fewer."""


class _Stream:
    def __init__(self, waiter: asyncio.Future[Answer]) -> None:
        self.waiter = waiter
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    def fail(self, reason: str) -> None:
        if not self.waiter.done():
            self.waiter.set_exception(Failure(reason))

    def complete(self) -> None:
        if self.waiter.done():
            return
        status = next((value for name, value in self.headers if name == b":status"), b"")
        if status.isdigit():
            self.waiter.set_result(answer_of(int(status), self.headers, self.body))
        else:
            self.fail("protocol")


class Http2Connection(asyncio.Protocol):
    """One connection. `usable` turns False when the server says goodbye or closes."""

    def __init__(self) -> None:
        self._state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, _Stream] = {}
        self.usable = True

    @property
    def has_room(self) -> bool:
        """True when another request may be sent now."""
        allowed = min(STREAMS, self._state.remote_settings.max_concurrent_streams)
        return self.usable and len(self._streams) < allowed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without deriving from it
        chosen = transport.get_extra_info("ssl_object")
        if chosen is not None and chosen.selected_alpn_protocol() != "h2":
            self._end("protocol")
            return
        self._state.initiate_connection()
        self._state.increment_flow_control_window(2**24)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            for event in self._state.receive_data(data):
                self._on(event)
        except h2.exceptions.ProtocolError:
            self._end("protocol")
            return
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._end("reset")

    def _on(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived(stream_id=number, headers=headers):
                if (stream := self._streams.get(number)) is not None:
                    stream.headers = [(bytes(name), bytes(value)) for name, value in headers]
            case h2.events.DataReceived(stream_id=number, data=data, flow_controlled_length=length):
                self._state.acknowledge_received_data(length, number)
                if (stream := self._streams.get(number)) is not None and len(stream.body) < KEPT_BODY:
                    stream.body += data
            case h2.events.StreamEnded(stream_id=number):
                if (stream := self._streams.pop(number, None)) is not None:
                    stream.complete()
            case h2.events.StreamReset(stream_id=number, error_code=code):
                if (stream := self._streams.pop(number, None)) is not None:
                    stream.fail(_named(code))
            case h2.events.ConnectionTerminated(last_stream_id=last):
                self._goodbye(2**31 if last is None else last)

    def _goodbye(self, last: int) -> None:
        """The server will finish the streams up to `last` and has not looked at later ones."""
        self.usable = False
        for number in [number for number in self._streams if number > last]:
            self._streams.pop(number).fail("stream_unprocessed")
        if not self._streams:
            self.close()

    def _flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._state.data_to_send())
            if not self.usable and not self._streams:
                self._transport.close()

    def _end(self, reason: str) -> None:
        self.usable = False
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.fail("truncated" if stream.headers and reason == "reset" else reason)
        self.close()

    def close(self) -> None:
        """Close now."""
        self.usable = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    async def exchange(self, headers: list[tuple[str, str]]) -> Answer:
        """Send one request and read its answer to the end. Raises Failure."""
        try:
            number = self._state.get_next_available_stream_id()
            self._state.send_headers(number, headers, end_stream=True)
        except h2.exceptions.ProtocolError as error:
            self._end("protocol")
            raise Failure("protocol") from error
        stream = _Stream(asyncio.get_running_loop().create_future())
        self._streams[number] = stream
        self._flush()
        try:
            return await stream.waiter
        finally:
            if self._streams.pop(number, None) is not None and self.usable:  # cancelled
                self._state.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
                self._flush()


def _named(code: object) -> str:
    name = code.name if isinstance(code, h2.errors.ErrorCodes) else str(code)
    return f"stream_{name.lower()}"


class Http2Client:
    """Requests for one target over at least `target.connections` connections, in turn."""

    def __init__(self, target: Target, tls: ssl.SSLContext) -> None:
        self._target, self._tls = target, tls
        self._connections: list[Http2Connection] = []
        self._turn = 0
        self._opening: asyncio.Lock = asyncio.Lock()
        self._headers = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", target.authority),
            (":path", target.path),
            *((name.lower(), value) for name, value in target.headers),
        ]

    async def request(self) -> Answer:
        """One request. Raises Failure, OSError."""
        connection = self._free()
        while connection is None:
            async with self._opening:
                connection = self._free() or await self._connect()
            if not connection.has_room:
                connection = None if connection.usable else self._dead()
        return await connection.exchange(self._headers)

    def _dead(self) -> Http2Connection:
        raise Failure("protocol")  # it closed, or chose another protocol, as soon as it was open

    def _free(self) -> Http2Connection | None:
        self._connections = [connection for connection in self._connections if connection.usable]
        if len(self._connections) < self._target.connections:
            return None
        self._turn += 1
        count = len(self._connections)
        ordered = (self._connections[(self._turn + offset) % count] for offset in range(count))
        return next((connection for connection in ordered if connection.has_room), None)

    async def _connect(self) -> Http2Connection:
        target = self._target
        name = target.host.partition(":")[0] or target.address
        _, connection = await asyncio.get_running_loop().create_connection(
            Http2Connection, target.address, target.port, ssl=self._tls, server_hostname=name
        )
        self._connections.append(connection)
        return connection

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()
