"""The node's own HTTP server, on a Unix socket: the API server fetches logs from it and opens streams into pods."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import h11

from drumroll.node.logs import LogOptions, LogSource, read_log
from drumroll.node.runtime import ContainerError
from drumroll.node.streaming import Streams
from drumroll.objects import stream
from drumroll.objects.meta import parse_timestamp

log = logging.getLogger("drumroll.node")

FindLog = Callable[[str, str, str, bool], LogSource]
"""Namespace, pod, container, previous → the log. Raises LookupError (404) or ValueError (400) with a sentence."""


async def serve_node(
    socket: Path, find_log: FindLog, now: Callable[[], datetime], streams: Streams | None = None
) -> None:
    """Answer `GET /containerLogs/<namespace>/<pod>/<container>` and `GET /healthz` until cancelled.

    With `streams`, requests to upgrade to `drumroll-stream` open streams: /exec, /attach and /portforward.
    """
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Exchange(reader, writer, find_log, now).serve(streams)
        except (ConnectionError, h11.ProtocolError):
            log.debug("node_connection_lost")
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, path=str(socket))
    socket.chmod(0o600)
    try:
        await asyncio.Event().wait()
    finally:
        server.close()
        socket.unlink(missing_ok=True)


class _Exchange:
    """One request and its answer on one connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        find_log: FindLog,
        now: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._find_log = find_log
        self._now = now
        self._http = h11.Connection(h11.SERVER)

    async def serve(self, streams: Streams | None) -> None:
        request = await self._request()
        if request is None:
            return
        target = urlsplit(request.target.decode())
        parts = [unquote(part) for part in target.path.split("/")[1:]]
        query = {key: values[0] for key, values in parse_qs(target.query, keep_blank_values=True).items()}
        if streams is not None and (b"upgrade", stream.UPGRADE.encode()) in request.headers:
            await self._upgrade(streams, parts, parse_qsl(target.query, keep_blank_values=True))
        elif parts == ["healthz"]:
            await self._text(200, "ok")
        elif len(parts) == 4 and parts[0] == "containerLogs" and request.method == b"GET":
            try:
                source = self._find_log(parts[1], parts[2], parts[3], _flag(query, "previous"))
                options = _options(query, self._now())
            except LookupError as error:
                await self._text(404, str(error.args[0]))
            except ValueError as error:
                await self._text(400, str(error))
            else:
                await self._stream(read_log(source, options))
        else:
            await self._text(404, "404 page not found")

    async def _upgrade(self, streams: Streams, parts: list[str], query: list[tuple[str, str]]) -> None:
        """Serve a stream until it ends; what cannot be opened is answered with plain text, as the kubelet does."""
        try:
            serve = await streams.open(parts, query)
        except LookupError as error:
            await self._text(404 if error.args[0].startswith(("pod ", "404 ")) else 500, str(error.args[0]))
        except ContainerError as error:
            await self._text(500, error.message)
        except ValueError as error:
            await self._text(400, str(error))
        else:
            headers = [("Connection", "Upgrade"), ("Upgrade", stream.UPGRADE)]
            self._send(h11.InformationalResponse(status_code=101, headers=headers))
            await serve(self._reader, self._writer)

    async def _request(self) -> h11.Request | None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is h11.NEED_DATA:
                data = await self._reader.read(65536)
                if not data:
                    return None
                self._http.receive_data(data)

    async def _text(self, status: int, text: str) -> None:
        async def once() -> AsyncIterator[bytes]:
            yield text.encode()

        await self._stream(once(), status)

    async def _stream(self, pieces: AsyncIterator[bytes], status: int = 200) -> None:
        """The answer, piece by piece; stops as soon as the other side hangs up."""
        headers = [("Content-Type", "text/plain"), ("Transfer-Encoding", "chunked"), ("Connection", "close")]
        self._send(h11.Response(status_code=status, headers=headers))
        work = asyncio.ensure_future(self._pump(pieces))
        gone = asyncio.ensure_future(self._reader.read())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _pump(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            self._send(h11.Data(data=piece))
            await self._writer.drain()
        self._send(h11.EndOfMessage())
        await self._writer.drain()

    def _send(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")


def _flag(query: dict[str, str], name: str) -> bool:
    return query.get(name, "false").lower() not in ("false", "0")


def _number(query: dict[str, str], name: str) -> int | None:
    return int(query[name]) if query.get(name) else None


def _options(query: dict[str, str], now: datetime) -> LogOptions:
    since = parse_timestamp(query["sinceTime"]) if query.get("sinceTime") else None
    if (seconds := _number(query, "sinceSeconds")) is not None:
        since = now - timedelta(seconds=seconds)
    return LogOptions(
        follow=_flag(query, "follow"),
        tail_lines=_number(query, "tailLines"),
        since=since,
        timestamps=_flag(query, "timestamps"),
        limit_bytes=_number(query, "limitBytes"),
    )
