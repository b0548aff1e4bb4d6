"""Long-lived WebSocket connections that send messages and wait for each to come back."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from drumroll.load.answer import Failure, reason_of
from drumroll.load.ledger import Entry, Outcome
from drumroll.load.plan import Target

RECONNECT_SECONDS = 0.2
"""A pause after a refused connection, so that an outage is counted and not multiplied."""


class Websocket:
    """One connection of a target: messages every `interval` seconds, reopened when it is cut."""

    def __init__(self, target: Target, tls: ssl.SSLContext | None, timeout: float, interval: float) -> None:
        self._target, self._tls, self._timeout, self._interval = target, tls, timeout, interval
        self._version = self._pod = ""

    async def run(self, first: float, elapsed: Callable[[], float], book: Callable[[Entry], None]) -> None:
        """Send until cancelled; `elapsed()` is the time since the run's start, `first` when to begin, in seconds.

        A connection that the other side closes is booked as cut, together with the message that was under way.
        """
        due = first
        while True:
            await asyncio.sleep(due - elapsed())
            began = due
            try:
                async with AsyncExitStack() as stack:
                    async with asyncio.timeout(self._timeout):
                        connection = await stack.enter_async_context(self._connect())
                    self._remember(connection)
                    while True:
                        due = await self._converse(connection, due, elapsed, book)
            except ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd is not None else 1006
                book(self._entry(min(due, elapsed()), elapsed(), Outcome.CUT, f"closed_{code}"))
            except (Failure, OSError, InvalidHandshake, EOFError) as error:
                book(self._entry(began, elapsed(), Outcome.FAILED, _reason(error)))
                await asyncio.sleep(RECONNECT_SECONDS)
            due = max(due, elapsed())

    async def _converse(
        self, connection: ClientConnection, due: float, elapsed: Callable[[], float], book: Callable[[Entry], None]
    ) -> float:
        text = f"{due:.6f}"
        try:
            async with asyncio.timeout(self._timeout):
                await connection.send(text)
                echoed = await connection.recv()
        except TimeoutError as error:
            raise Failure("timeout") from error
        if echoed != text:
            raise Failure("protocol")
        book(self._entry(due, elapsed(), Outcome.ANSWERED, ""))
        due += self._interval
        await self._rest(connection, due - elapsed())
        return due

    async def _rest(self, connection: ClientConnection, seconds: float) -> None:
        """Wait for the next turn. Raises ConnectionClosed as soon as the connection is cut."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await connection.recv()
        except TimeoutError:
            return
        raise Failure("protocol")  # nothing was asked

    def _connect(self) -> connect:
        target = self._target
        scheme = "wss" if target.tls else "ws"
        return connect(
            f"{scheme}://{target.authority}{target.path}",
            ssl=self._tls,
            host=target.address,
            port=target.port,
            additional_headers=list(target.headers),
            open_timeout=None,
            ping_interval=None,
            close_timeout=0.5,
            proxy=None,
            compression=None,
        )

    def _remember(self, connection: ClientConnection) -> None:
        headers = connection.response.headers if connection.response is not None else {}
        self._version, self._pod = headers.get("x-service-version", ""), headers.get("x-pod", "")

    def _entry(self, due: float, now: float, outcome: Outcome, reason: str) -> Entry:
        target = self._target
        return Entry(due, target.name, target.kind, now - due, outcome, reason, self._version, self._pod)


def _reason(error: BaseException) -> str:
    match error:
        case InvalidStatus():
            return f"status_{error.response.status_code}"
        case InvalidMessage() | EOFError():
            return "closed"
        case InvalidHandshake():
            return "protocol"
        case _:
            return reason_of(error)
