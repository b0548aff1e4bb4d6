"""HTTP/1.1 clients: a connection per request, and kept-alive connections."""

import asyncio
import ssl
from collections import deque
from typing import cast

import h11

from drumroll.load.answer import KEPT_BODY, Answer, Failure, answer_of
from drumroll.load.plan import Target

IDLE_CONNECTIONS = 256


class Http1Connection(asyncio.Protocol):
    """One connection, one request at a time. `usable` turns False as soon as the other side closes."""

    def __init__(self) -> None:
        self._state = h11.Connection(our_role=h11.CLIENT)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._response: h11.Response | None = None
        self._body = b""
        self.usable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without deriving from it

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._waiter is None:
            self._end(Failure("protocol"))  # nobody asked
            return
        self._state.receive_data(data)
        self._advance()

    def eof_received(self) -> bool:
        """Called by the loop; the connection then closes."""
        self.usable = False
        if self._waiter is not None:
            self._state.receive_data(b"")
            self._advance(at_end=True)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._end(Failure("reset") if exc or self._response is None else Failure("truncated"))

    def _advance(self, *, at_end: bool = False) -> None:
        try:
            while True:
                event = self._state.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return
                if isinstance(event, h11.Response):
                    self._response = event
                elif isinstance(event, h11.Data):
                    if len(self._body) < KEPT_BODY:
                        self._body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    self._complete()
                    return
                elif isinstance(event, h11.ConnectionClosed):
                    self._end(Failure("closed"))
                    return
        except h11.RemoteProtocolError:
            cut_short = "truncated" if self._response is not None else "closed"
            self._end(Failure(cut_short if at_end else "protocol"))

    def _complete(self) -> None:
        assert self._response is not None
        answer = answer_of(self._response.status_code, self._response.headers, self._body)
        self._response, self._body = None, b""
        waiter, self._waiter = self._waiter, None  # before closing: TLS reports the other side's end from within close
        if self.usable and self._state.our_state is h11.DONE and self._state.their_state is h11.DONE:
            self._state.start_next_cycle()
        else:
            self.close()
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    def _end(self, failure: Failure) -> None:
        self.usable = False
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(failure)
        self.close()

    def close(self) -> None:
        """Close now; what is unsent is lost."""
        self.usable = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    async def exchange(self, request: h11.Request) -> Answer:
        """Send one request and read its answer to the end. Raises Failure."""
        if not self.usable or self._transport is None:
            raise Failure("closed")
        self._waiter = asyncio.get_running_loop().create_future()
        data = self._state.send(request) or b""
        self._state.send(h11.EndOfMessage())
        self._transport.write(data)
        try:
            return await self._waiter
        finally:
            if self._waiter is not None:  # cancelled: an answer may still come, so the connection is spoilt
                self._waiter = None
                self.close()


class Http1Client:
    """Requests for one target. With `keep_alive`, connections rest between requests.

    A resting connection that the server has closed is left aside before anything is sent on it. What goes wrong after
    sending is a failure: nothing is sent twice.
    """

    def __init__(self, target: Target, tls: ssl.SSLContext | None, *, keep_alive: bool) -> None:
        self._target, self._tls, self._keep_alive = target, tls, keep_alive
        self._idle: deque[Http1Connection] = deque()
        ending = [] if keep_alive else [("connection", "close")]
        self._request = h11.Request(
            method="GET", target=target.path, headers=[("host", target.authority), *target.headers, *ending]
        )

    async def request(self) -> Answer:
        """One request. Raises Failure, OSError."""
        connection = self._rested() or await self._connect()
        try:
            answer = await connection.exchange(self._request)
        except BaseException:
            connection.close()
            raise
        if self._keep_alive and connection.usable and len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _rested(self) -> Http1Connection | None:
        while self._idle:
            connection = self._idle.popleft()
            if connection.usable:
                return connection
        return None

    async def _connect(self) -> Http1Connection:
        target = self._target
        name = (target.host.partition(":")[0] or target.address) if self._tls else None
        _, connection = await asyncio.get_running_loop().create_connection(
            Http1Connection, target.address, target.port, ssl=self._tls, server_hostname=name
        )
        return connection

    async def close(self) -> None:
        """Close what rests."""
        while self._idle:
            self._idle.pop().close()
