"""pods/log: the node keeps the logs; this passes its answer through."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote, urlencode

import h11

from drumroll.apiserver import codec
from drumroll.apiserver.answering import TEXT
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.node_socket import connect, node_socket
from drumroll.apiserver.routing import Target
from drumroll.objects.errors import (
    ApiError,
    BadRequest,
    FieldError,
    ServiceUnavailable,
    from_status,
    invalid,
)
from drumroll.objects.kinds import POD
from drumroll.objects.meta import Obj, annotations_of, parse_timestamp
from drumroll.objects.wire import Request, Response

_PASSED = ("follow", "tailLines", "sinceSeconds", "sinceTime", "timestamps", "previous", "limitBytes")
_SMALLEST = {"tailLines": 0, "limitBytes": 1, "sinceSeconds": 1}


async def logs(cluster: Cluster, target: Target, request: Request) -> Response:
    """The log of one container as text. Raises NotFound, BadRequest, Invalid, ServiceUnavailable (no node to ask)."""
    pod = codec.decode(cluster.find(Target(POD, target.namespace, target.name)))
    container = container_of(pod, request.parameter("container"))
    parameters = {name: request.parameter(name) for name in _PASSED if request.parameter(name)}
    _check(target.name, parameters)
    socket = node_socket(cluster, pod)
    path = f"/containerLogs/{quote(target.namespace)}/{quote(target.name)}/{quote(container)}"
    query = f"?{urlencode(parameters)}" if parameters else ""
    return await _ask(socket, path + query)


def _check(pod: str, parameters: Mapping[str, str]) -> None:
    """Raises BadRequest, Invalid. Source: kubernetes pkg/apis/core/validation/validation.go, ValidatePodLogOptions."""
    errors = []
    for name, smallest in _SMALLEST.items():
        text = parameters.get(name)
        if text is None:
            continue
        if not text.lstrip("-").isdecimal():
            raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        if int(text) < smallest:
            rule = "must be greater than 0" if smallest else "must be greater than or equal to 0"
            errors.append(FieldError(name, "FieldValueInvalid", f"Invalid value: {int(text)}: {rule}"))
    if "sinceTime" in parameters:
        try:
            parse_timestamp(parameters["sinceTime"])
        except ValueError as error:
            raise BadRequest(f'parsing time "{parameters["sinceTime"]}": {error}') from error
        if "sinceSeconds" in parameters:
            both = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
            errors.append(FieldError("", "FieldValueForbidden", both))
    if errors:
        raise invalid("", "PodLogOptions", pod, errors)


def container_of(pod: Obj, wanted: str) -> str:
    """The container that is meant: the one named, else the only or the default one. Raises BadRequest."""
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    containers = [entry["name"] for entry in spec.get("containers") or ()]
    first = [entry["name"] for entry in spec.get("initContainers") or ()]
    added = [entry["name"] for entry in spec.get("ephemeralContainers") or ()]
    if wanted:
        if wanted not in (*containers, *first, *added):
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(containers) == 1:
        return str(containers[0])
    default = annotations_of(pod).get("kubectl.kubernetes.io/default-container", "")
    if default in containers:
        return default
    also = f" or one of the init containers: [{' '.join(first)}]" if first else ""
    raise BadRequest(
        f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]{also}"
    )


async def _ask(socket: str, path: str) -> Response:
    reader, writer = await connect(socket)
    try:
        connection = h11.Connection(h11.CLIENT)
        headers = [("Host", "node"), ("Connection", "close")]
        head = connection.send(h11.Request(method="GET", target=path, headers=headers))
        writer.write((head or b"") + (connection.send(h11.EndOfMessage()) or b""))
        answer = await _next(connection, reader)
        chunks = _chunks(connection, reader, writer)
        return Response(200, stream=await _checked(answer, chunks), content_type=TEXT)
    except (OSError, h11.ProtocolError) as error:
        writer.close()
        raise ServiceUnavailable(f"the node's answer cannot be understood: {error}") from error
    except BaseException:
        writer.close()
        raise


async def _checked(answer: object, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body of a good answer. Raises the ApiError that a bad one stands for."""
    if not isinstance(answer, h11.Response):
        raise ServiceUnavailable("the node closed the connection without an answer")
    if answer.status_code >= 400:
        body = b"".join([chunk async for chunk in chunks])
        raise _error(answer.status_code, body.decode(errors="replace").strip())
    return chunks


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> object:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(65536))
    return event


async def _chunks(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> AsyncIterator[bytes]:
    """The body as it comes; ends early when the node goes away, as a followed log does."""
    try:
        while isinstance(event := await _next(connection, reader), h11.Data):
            yield bytes(event.data)
    except (OSError, h11.RemoteProtocolError):
        return
    finally:
        writer.close()


def _error(code: int, message: str) -> ApiError:
    return from_status(code, {"message": message or f"the node answered {code}"})
