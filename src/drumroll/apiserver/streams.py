"""pods/exec, pods/attach and pods/portforward: what is asked is checked here, the node does it.

Clients speak WebSocket (kubectl since 1.30, most libraries) or SPDY/3.1 (kubectl before, and as its fall-back).
Sources: kubernetes pkg/registry/core/pod/rest/subresources.go, pkg/kubelet/server/server.go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from drumroll.apiserver import codec
from drumroll.apiserver.answering import text
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.failures import no_method
from drumroll.apiserver.logs import container_of
from drumroll.apiserver.node_socket import node_socket
from drumroll.apiserver.routing import Target
from drumroll.apiserver.streams_node import NodeRefusal, open_node
from drumroll.objects.errors import BadRequest
from drumroll.objects.kinds import POD
from drumroll.objects.meta import Obj
from drumroll.objects.wire import Request, Response

STREAMS = ("exec", "attach", "portforward")


async def _nobody(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Serves nothing."""


@dataclass(frozen=True, slots=True)
class Switching(Response):
    """Not answered but taken over: `serve` owns the connection until it returns. Call it once, or else `abandon`."""

    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = _nobody
    abandon: Callable[[], None] = lambda: None


async def open_stream(cluster: Cluster, target: Target, request: Request) -> Response:
    """The connection's take-over. Raises NotFound and BadRequest."""
    if request.method not in ("GET", "POST"):
        raise no_method()
    pod = codec.decode(cluster.find(Target(POD, target.namespace, target.name)))
    if target.subresource == "portforward":
        return _forward(cluster, target, pod, request)
    container = container_of(pod, request.parameter("container"))
    wanted = {name: _flag(request, name) for name in ("stdin", "stdout", "stderr", "tty")}
    wanted["stderr"] = wanted["stderr"] and not wanted["tty"]
    commands = [value for key, value in request.query if key == "command"]
    _check(target, wanted, commands)
    socket = node_socket(cluster, pod)
    protocol = _protocol(request)
    query = [*((name, "true") for name, value in wanted.items() if value), *(("command", part) for part in commands)]
    path = f"/{target.subresource}/{quote(target.namespace)}/{quote(target.name)}/{quote(container)}?{urlencode(query)}"
    try:
        node = await open_node(socket, path)
    except NodeRefusal as refusal:
        return text(refusal.code, refusal.message)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from drumroll.apiserver.streams_spdy import serve_command as over_spdy
        from drumroll.apiserver.streams_websocket import serve_command as over_websocket

        over = over_websocket if protocol == "websocket" else over_spdy
        try:
            await over(reader, writer, request, node, wanted)
        finally:
            node.close()

    return Switching(101, serve=serve, abandon=node.close)


def _forward(cluster: Cluster, target: Target, pod: Obj, request: Request) -> Response:
    socket = node_socket(cluster, pod)
    protocol = _protocol(request)
    path = f"/portforward/{quote(target.namespace)}/{quote(target.name)}"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from drumroll.apiserver.streams_forward import Destination, serve_forward

        destination = Destination(socket, path, f"{pod['metadata']['name']}, uid {pod['metadata']['uid']}")
        await serve_forward(reader, writer, request, destination, is_websocket=protocol == "websocket")

    return Switching(101, serve=serve)


def _protocol(request: Request) -> str:
    """`websocket` or `spdy/3.1`. Raises BadRequest for a plain request."""
    connection = request.headers.get("connection", "").lower()
    upgrade = request.headers.get("upgrade", "").lower()
    if "upgrade" in connection and upgrade in ("websocket", "spdy/3.1"):
        return upgrade
    raise BadRequest("Upgrade request required")


def _check(target: Target, wanted: Mapping[str, bool], commands: list[str]) -> None:
    if not any(wanted[name] for name in ("stdin", "stdout", "stderr")):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    if target.subresource == "exec" and not commands:
        raise BadRequest("you must specify at least 1 command for the container")


def _flag(request: Request, name: str) -> bool:
    return request.flag(name)
