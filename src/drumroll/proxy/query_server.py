"""Prometheus' HTTP API over the mesh's figures: a few paths, on sockets that are open already."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import orjson

from drumroll.proxy.mesh import Mesh

if TYPE_CHECKING:
    import h11

log = logging.getLogger("drumroll.proxy")

MOST_CONNECTIONS = 128
MOST_BODY = 256 * 1024
IDLE_SECONDS = 60.0
_FORM = "application/x-www-form-urlencoded"
_TEXT = "text/plain; version=0.0.4; charset=utf-8"

Answer = tuple[int, str, bytes]
"""Status, content type, body."""


async def serve_queries(mesh: Mesh, sockets: list[socket.socket]) -> None:
    """Answer on the listening sockets until cancelled. The sockets stay open, for the next one that serves them."""
    connections: set[asyncio.Task[None]] = set()

    async def accept(listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            accepted, _ = await loop.sock_accept(listener)
            if len(connections) >= MOST_CONNECTIONS:
                accepted.close()
                continue
            task = group.create_task(_Connection(mesh).serve(accepted))
            connections.add(task)
            task.add_done_callback(connections.discard)

    async with asyncio.TaskGroup() as group:
        for listener in sockets:
            listener.setblocking(False)
            group.create_task(accept(listener))


class _Connection:
    """One client: a request after the other."""

    def __init__(self, mesh: Mesh) -> None:
        import h11

        self._mesh = mesh
        self._http = h11.Connection(h11.SERVER)

    async def serve(self, accepted: socket.socket) -> None:
        import h11

        reader, writer = await asyncio.open_connection(sock=accepted)
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    request, body = await self._request(reader, writer)
                if request is None:
                    return
                await self._answer(request, body, writer.write)
                await writer.drain()
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    return
                self._http.start_next_cycle()
        except (h11.RemoteProtocolError, OSError, TimeoutError):
            pass  # the client went away, or speaks something else
        finally:
            writer.close()

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> "tuple[h11.Request | None, bytes]":
        import h11

        request: h11.Request | None = None
        body = b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    writer.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                self._http.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
                if len(body) > MOST_BODY:
                    raise h11.RemoteProtocolError("body too long", 413)
            elif isinstance(event, h11.EndOfMessage):
                return request, body
            else:  # closed, or about to be
                return None, b""

    async def _answer(self, request: "h11.Request", body: bytes, write: Callable[[bytes], None]) -> None:
        import h11

        method = request.method.decode()
        status, kind, content = await respond(self._mesh, method, request.target.decode(), _form(request, body))
        headers = [("content-type", kind), ("content-length", str(len(content)))]
        for event in (h11.Response(status_code=status, headers=headers), h11.EndOfMessage()):
            if isinstance(event, h11.EndOfMessage) and method != "HEAD":
                write(self._http.send(h11.Data(data=content)) or b"")
            write(self._http.send(event) or b"")


def _form(request: "h11.Request", body: bytes) -> str:
    kind = next((value for name, value in request.headers if name == b"content-type"), b"").decode("latin-1")
    return body.decode(errors="replace") if kind.partition(";")[0].strip().lower() == _FORM else ""


async def respond(mesh: Mesh, method: str, target: str, form: str) -> Answer:
    """The answer to one request."""
    place = urlsplit(target)
    if method not in {"GET", "HEAD", "POST"}:
        return 405, _TEXT, b"Method Not Allowed\n"
    parameters = parse_qs(form, keep_blank_values=True)
    for name, values in parse_qs(place.query, keep_blank_values=True).items():
        parameters[name] = [*parameters.get(name, []), *values]
    if place.path.startswith("/api/v1/"):
        status, found = await mesh.ask(place.path.removeprefix("/api/v1/"), parameters)
        return status, "application/json", orjson.dumps(found)
    answers: dict[str, Callable[[], Awaitable[str]]] = {
        "/metrics": mesh.text,
        "/-/healthy": _say("Drumroll's mesh metrics are healthy.\n"),
        "/-/ready": _say("Drumroll's mesh metrics are ready.\n"),
    }
    if place.path not in answers:
        return 404, _TEXT, b"404 page not found: see /api/v1/query, /api/v1/query_range, /metrics\n"
    return 200, _TEXT, (await answers[place.path]()).encode()


def _say(text: str) -> Callable[[], Awaitable[str]]:
    async def said() -> str:
        return text

    return said
