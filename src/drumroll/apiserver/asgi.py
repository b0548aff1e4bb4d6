"""The API as an ASGI application: reads a request within bounds, and writes an answer or streams it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from drumroll.apiserver.answering import failure
from drumroll.apiserver.gate import LISTED
from drumroll.apiserver.server import ApiServer
from drumroll.apiserver.streams import Switching
from drumroll.objects.errors import ApiError, BadRequest, RequestEntityTooLarge, Timeout
from drumroll.objects.wire import ANONYMOUS, Request, Response, User

BODY_LIMIT = 3 * 1024 * 1024
BODY_SECONDS = 60.0
_NOT_IN_A_HEADER = bytes(one for one in (*range(32), 127) if one != ord("\t"))
"""What the HTTP layer refuses to send in a value. Source: RFC 9110 section 5.5."""

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
TakeOver: TypeAlias = Callable[[], tuple[asyncio.StreamReader, asyncio.StreamWriter]]


class _Gone(Exception):
    """The client left before its request was whole."""


class Application:
    """The ASGI callable around an ApiServer."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self.closing = asyncio.Event()
        """Set it to end all streams in order."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request. Upgrades come as plain requests too, and are then given the connection."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                request = await self._request(scope, receive)
            response = await self._api.handle(request)
        except TimeoutError:
            response = failure(Timeout("the request's body did not arrive in time"))
        except ApiError as error:
            response = failure(error)
        except _Gone:
            return
        if isinstance(response, Switching):
            await self._switch(response, scope, send)
            return
        is_head = scope["method"] == "HEAD"
        if response.stream is None or is_head:
            await _send_whole(response, send, is_head=is_head)
        else:
            await self._send_stream(response, response.stream, receive, send)

    async def _switch(self, response: Switching, scope: Message, send: Send) -> None:
        """Give the connection away until its new owner is done, the client goes or the server closes."""
        take_over: TakeOver | None = (scope.get("state") or {}).get("take_over")
        if take_over is None:
            response.abandon()
            await _send_whole(failure(BadRequest("this connection cannot be upgraded")), send, is_head=False)
            return
        reader, writer = take_over()
        serving, closing = (
            asyncio.ensure_future(response.serve(reader, writer)),
            asyncio.ensure_future(self.closing.wait()),
        )
        try:
            await asyncio.wait({serving, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            closing.cancel()
            await asyncio.wait({serving, closing})
            writer.close()
        if not serving.cancelled():
            serving.result()

    async def _request(self, scope: Message, receive: Receive) -> Request:
        headers = _joined(scope["headers"])
        raw_query = scope["query_string"]
        query = tuple(parse_qsl(raw_query.decode("latin-1"), keep_blank_values=True)) if raw_query else ()
        user = self._user(scope)
        body = b"" if scope["method"] in ("GET", "HEAD") else await _body(headers, receive)
        source = (scope.get("client") or ("",))[0] or "unix"
        return Request(scope["method"], scope["path"], query, headers, body, user, source)

    def _user(self, scope: Message) -> User:
        """The user of a client certificate; tokens are the API's to read."""
        certified: User | None = (scope.get("state") or {}).get("user")
        return certified or ANONYMOUS

    async def _send_stream(
        self, response: Response, stream: AsyncIterator[bytes], receive: Receive, send: Send
    ) -> None:
        """Send chunks as they come until the stream ends, the client goes or the server closes; then close it."""
        await send({"type": "http.response.start", "status": response.status, "headers": _headers(response, None)})
        waits: tuple[Awaitable[object], ...] = (_pump(stream, send), _wait_gone(receive), self.closing.wait())
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await send({"type": "http.response.body", "body": b""})
        if not tasks[0].cancelled():
            tasks[0].result()


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name; of those that may come several times, all values."""
    headers: dict[str, str] = {}
    for raw, value in pairs:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        is_listed = name in headers and name.startswith(("impersonate-", "x-stream-"))
        headers[name] = f"{headers[name]}{LISTED}{text}" if is_listed else text
    return headers


async def _body(headers: dict[str, str], receive: Receive) -> bytes:
    """The whole body. Raises RequestEntityTooLarge as soon as it is known to be too large.

    The rest is read and thrown away: closing at once would reset the connection before the client has the answer.
    """
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > BODY_LIMIT:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_LIMIT:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large() -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"Request entity too large: limit is {BODY_LIMIT}", {})


def _headers(response: Response, length: int | None) -> list[tuple[bytes, bytes]]:
    found = [(b"content-type", response.content_type.encode())]
    if not any(name == "Cache-Control" for name, _ in response.headers):
        found.append((b"cache-control", b"no-cache, private"))
    found.extend((name.lower().encode(), _header_value(value)) for name, value in response.headers)
    if length is not None:
        found.append((b"content-length", str(length).encode()))
    return found


def _header_value(value: str) -> bytes:
    return value.encode("utf-8").translate(None, _NOT_IN_A_HEADER)


async def _send_whole(response: Response, send: Send, *, is_head: bool) -> None:
    if response.stream is not None:
        close = getattr(response.stream, "aclose", None)
        if close is not None:
            await close()
    headers = _headers(response, len(response.body))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else response.body})


async def _pump(stream: AsyncIterator[bytes], send: Send) -> None:
    try:
        async for chunk in stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


async def _wait_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
