"""The narrow waist between the client and whatever answers: send a request, or follow a stream."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from drumroll.objects.wire import Request, Response


class Transport(Protocol):
    """Carries requests to an API server. The server's errors come back as responses, not as exceptions.

    When no answer can be had at all, both methods raise `drumroll.objects.errors.ServiceUnavailable`.
    """

    async def send(self, request: Request) -> Response:
        """The whole answer; `Response.stream` is None."""
        ...

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The answer's body, one line (without its newline) at a time, until the server ends it.

        Raises ApiError on entering when the server refuses.
        """
        ...
