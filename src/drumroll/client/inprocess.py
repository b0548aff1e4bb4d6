"""Calls an API server that lives in the same process, with no socket and no TLS in between."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from drumroll.client.client import error_of
from drumroll.client.lines import split_lines
from drumroll.objects.wire import Request, Response, User


class InProcessTransport:
    """Hands each request to `handle` in the name of `user`."""

    def __init__(self, handle: Callable[[Request], Awaitable[Response]], user: User) -> None:
        self._handle = handle
        self._user = user

    async def send(self, request: Request) -> Response:
        """The whole answer; a streamed one is collected."""
        response = await self._handle(replace(request, user=self._user))
        if response.stream is None:
            return response
        async with aclosing(_closing(response.stream)) as chunks:
            body = b"".join([chunk async for chunk in chunks])
        return replace(response, body=body, stream=None)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's body, line by line. Raises ApiError on entering when the server refuses."""
        response = await self._handle(replace(request, user=self._user))
        if response.status >= 400:
            raise error_of(response.status, response.body)
        chunks = _once(response.body) if response.stream is None else response.stream
        async with aclosing(_closing(chunks)) as open_chunks, aclosing(_closing(split_lines(open_chunks))) as lines:
            yield lines


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _closing(chunks: AsyncIterator[bytes]) -> Any:
    """The same chunks as an async generator that closes its source: an abandoned watch would leak its subscription."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
