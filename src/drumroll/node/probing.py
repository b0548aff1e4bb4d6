"""One probe of a container, and one lifecycle hook's request: HTTP, TCP, a command, gRPC.

Connects straight to the pod's address, past Services and Envoy. Source: kubernetes pkg/probe/*, pkg/kubelet/prober.
"""

import asyncio
import contextlib
import shlex
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from drumroll.domain.probe import Verdict
from drumroll.node.runtime import ContainerError, Runtime

USER_AGENT = "kube-probe/1.36"
BODY_LIMIT = 10 * 1024
REDIRECT_LIMIT = 10


class ProbeError(Exception):
    """The prober itself could not do its work; says nothing of the program."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`warning` marks a success that deserves a ProbeWarning event."""

    verdict: Verdict
    output: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """Which container is probed and where. `env` is for $(VAR) in commands, with static values only."""

    runtime: Runtime
    container_id: str
    pod_ip: str
    container: Mapping[str, Any]


async def probe_once(handler: Mapping[str, Any], target: ProbeTarget, timeout: float) -> ProbeResult:
    """The result of one probe after at most `timeout` seconds. Raises ProbeError."""
    if "exec" in handler:
        return await _command(tuple(handler["exec"]["command"]), target, timeout)
    if "httpGet" in handler:
        return await _http(handler["httpGet"], target, timeout)
    if "tcpSocket" in handler:
        action = handler["tcpSocket"]
        return await _tcp(action.get("host") or target.pod_ip, find_port(action["port"], target.container), timeout)
    if "grpc" in handler:
        from drumroll.node.probing_grpc import check_health

        return await check_health(handler["grpc"], target.pod_ip, timeout)
    raise ProbeError("missing probe handler")


def find_port(port: int | str, container: Mapping[str, Any]) -> int:
    """The number of a port given by number or name. Raises ProbeError."""
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    ports: Iterable[Mapping[str, Any]] = container.get("ports") or ()
    for declared in ports:
        if declared.get("name") == port:
            return int(declared["containerPort"])
    raise ProbeError(f"couldn't find port: {port}")


async def _command(argv: tuple[str, ...], target: ProbeTarget, timeout: float) -> ProbeResult:
    try:
        result = await target.runtime.exec(target.container_id, argv, timeout)
    except TimeoutError:
        text = f'command timed out: "{shlex.join(argv)}" timed out after {timeout:g}s'
        return ProbeResult(Verdict.FAILURE, text)
    except ContainerError as error:
        raise ProbeError(error.message) from error
    return ProbeResult(Verdict.SUCCESS if result.exit_code == 0 else Verdict.FAILURE, result.output)


async def _tcp(host: str, port: int, timeout: float) -> ProbeResult:
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        return ProbeResult(Verdict.FAILURE, dial_error(host, port, error))
    with contextlib.suppress(OSError):
        linger = struct.pack("ii", 1, 1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.close()
    return ProbeResult(Verdict.SUCCESS)


def dial_error(host: str, port: int, error: OSError | TimeoutError) -> str:
    """A failed connection in the words of Go's net package, which users know from events."""
    if isinstance(error, TimeoutError):
        reason = "i/o timeout"
    elif isinstance(error, ConnectionRefusedError):
        reason = "connect: connection refused"
    else:
        reason = f"connect: {(error.strerror or str(error)).lower()}"
    return f"dial tcp {host}:{port}: {reason}"


async def _http(action: Mapping[str, Any], target: ProbeTarget, timeout: float) -> ProbeResult:
    url = http_url(action, target)
    try:
        async with asyncio.timeout(timeout):
            return await _follow(url, _headers(action))
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return ProbeResult(Verdict.FAILURE, f'Get "{url}": {why}')
    except (OSError, EOFError, ValueError) as error:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        refused = isinstance(error, ConnectionRefusedError | OSError) and not isinstance(error, ConnectionResetError)
        why = dial_error(parts.hostname or "", port, error) if refused and isinstance(error, OSError) else "EOF"
        return ProbeResult(Verdict.FAILURE, f'Get "{url}": {why}')


def http_url(action: Mapping[str, Any], target: ProbeTarget) -> str:
    """The URL that an httpGet action asks for. Raises ProbeError for an unknown port name."""
    scheme = str(action.get("scheme") or "HTTP").lower()
    host = action.get("host") or target.pod_ip
    path = str(action.get("path") or "/")
    return f"{scheme}://{host}:{find_port(action['port'], target.container)}/{path.removeprefix('/')}"


def _headers(action: Mapping[str, Any]) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
    for header in action.get("httpHeaders") or ():
        headers[header["name"]] = header.get("value") or ""
    return {name: value for name, value in headers.items() if value or name not in ("User-Agent", "Accept")}


async def _follow(url: str, headers: dict[str, str]) -> ProbeResult:
    """GET, through redirects on the same host."""
    host = urlsplit(url).hostname
    for _ in range(REDIRECT_LIMIT + 1):
        status, location, body = await _get(url, headers)
        if status in (301, 302, 303, 307, 308) and location:
            url = urljoin(url, location)
            if urlsplit(url).hostname != host:
                return ProbeResult(Verdict.SUCCESS, "Probe terminated redirects, Response body: " + body, warning=True)
            continue
        if 200 <= status < 400:
            return ProbeResult(Verdict.SUCCESS, body)
        return ProbeResult(Verdict.FAILURE, f"HTTP probe failed with statuscode: {status}")
    return ProbeResult(Verdict.FAILURE, f'Get "{url}": stopped after {REDIRECT_LIMIT} redirects')


async def _get(url: str, headers: dict[str, str]) -> tuple[int, str, str]:
    """Status, Location and the first 10 KiB of the body."""
    import h11

    parts = urlsplit(url)
    secure = _unverified() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
    try:
        connection = h11.Connection(h11.CLIENT)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        named = {"Host": parts.netloc, "Connection": "close", **headers}
        request = h11.Request(method="GET", target=target, headers=list(named.items()))
        writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
        status, location, body = 0, "", bytearray()
        while len(body) < BODY_LIMIT:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Response):
                status = event.status_code
                location = dict(event.headers).get(b"location", b"").decode()
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                break
    except h11.RemoteProtocolError as error:
        raise EOFError(str(error)) from error
    finally:
        writer.close()
    return status, location, bytes(body[:BODY_LIMIT]).decode(errors="replace")


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
