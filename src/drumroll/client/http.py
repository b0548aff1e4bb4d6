"""Carries requests over HTTPS, to our own API server or to a real cluster's."""

import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from drumroll.client.client import error_of
from drumroll.client.kubeconfig import Connection
from drumroll.client.lines import split_lines
from drumroll.objects.errors import ServiceUnavailable
from drumroll.objects.wire import Request, Response

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
TOKEN_SECONDS = 60
SILENT_WATCH_SECONDS = 330
"""A watch that says nothing for so long, not even a bookmark, is taken for dead."""


class HttpTransport:
    """Keeps connections open between requests. Use it as an async context manager, or call `close`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session: ClientSession | None = None
        self._token = connection.token
        self._read_again = 0.0

    async def __aenter__(self) -> "HttpTransport":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def renew(self, connection: Connection) -> None:
        """Go on with other credentials for the same server; for another certificate, connections are opened anew."""
        before, self._connection = self._connection, connection
        self._token, self._read_again = connection.token, 0.0
        if (connection.certificate, connection.key) != (before.certificate, before.key):
            await self.close()

    async def send(self, request: Request) -> Response:
        """The whole answer. Raises ServiceUnavailable when there is none."""
        async with self._answer(request, ANSWER_SECONDS) as answer:
            body = await answer.read()
            headers = tuple((name.lower(), value) for name, value in answer.headers.items())
            return Response(answer.status, body, answer.content_type, headers)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's body, line by line. Raises ApiError on entering when the server refuses."""
        silence = SILENT_WATCH_SECONDS if request.parameter("watch") else None
        async with self._answer(request, silence) as answer:
            if answer.status >= 400:
                raise error_of(answer.status, await answer.read())
            yield split_lines(answer.content.iter_any())

    @asynccontextmanager
    async def _answer(self, request: Request, silence: float | None) -> AsyncIterator["ClientResponse"]:
        from aiohttp import ClientError, ClientTimeout
        from yarl import URL

        url = self._connection.server + quote(request.path) + _query_text(request)
        limits = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence)
        try:
            async with self._open().request(
                request.method,
                URL(url, encoded=True),
                data=request.body or None,
                headers={**request.headers, **self._authorization()},
                timeout=limits,
            ) as answer:
                yield answer
        except (ClientError, OSError, TimeoutError) as error:
            where = urlsplit(self._connection.server).netloc
            what = str(error) or type(error).__name__
            raise ServiceUnavailable(f"the API server at {where} gave no answer: {what}") from error

    def _open(self) -> "ClientSession":
        if self._session is None:
            from aiohttp import ClientSession, DummyCookieJar, TCPConnector

            context = tls_context(self._connection) if self._connection.server.startswith("https") else False
            self._session = ClientSession(connector=TCPConnector(limit=0, ssl=context), cookie_jar=DummyCookieJar())
        return self._session

    def _authorization(self) -> dict[str, str]:
        """The header with the token; one from a file is read again after a minute, for it may have been replaced."""
        path, clock = self._connection.token_file, monotonic()
        if path is not None and clock >= self._read_again:
            with contextlib.suppress(OSError):  # the old one may still be good
                self._token = path.read_text().strip()
            self._read_again = clock + TOKEN_SECONDS
        return {"authorization": f"Bearer {self._token}"} if self._token else {}


def tls_context(connection: Connection) -> ssl.SSLContext:
    """Trust and client certificate as the kubeconfig says. Raises ServiceUnavailable when a certificate is unusable."""
    try:
        authority = connection.authority.decode() if connection.authority else None
        context = ssl.create_default_context(cadata=authority)
        if connection.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if connection.certificate and connection.key:
            _load_pair(context, connection.certificate, connection.key)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise ServiceUnavailable(f"the kubeconfig's certificates cannot be used: {error}") from error
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # The ssl module reads a pair from files only; this one is 0600 and gone a moment later.
    with tempfile.TemporaryDirectory(prefix="drumroll-") as folder:
        pair = Path(folder, "pair.pem")
        pair.touch(mode=0o600)
        pair.write_bytes(certificate + b"\n" + key)
        context.load_cert_chain(pair)


def _query_text(request: Request) -> str:
    if not request.query:
        return ""
    return "?" + "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in request.query)
