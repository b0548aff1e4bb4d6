"""exec, attach and port forwarding on the node's socket: an upgraded HTTP request becomes a stream.

The API server translates between this and what clients speak (`objects/stream.py` describes the frames). A forwarded
connection is plain bytes, one connection to us for each.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from drumroll.node.pod_worker_state import PodState, find_container
from drumroll.node.runtime import ContainerError, ExecCommand, Runtime, Sandbox, Session
from drumroll.objects import stream
from drumroll.objects.meta import Obj

log = logging.getLogger("drumroll.node")

_CONNECT_SECONDS = 10.0

_SIZE_SECONDS = 0.1

First = asyncio.Task[tuple[int, bytes] | None]
Query = list[tuple[str, str]]
Stream = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one upgraded connection to its end."""


@dataclass(frozen=True, slots=True)
class KnownPods:
    """Finds running containers and sandboxes. `state_of` gives what the node knows of a pod, by namespace and name."""

    state_of: Callable[[str, str], PodState | None]

    def container(self, namespace: str, pod: str, container: str) -> tuple[str, bool]:
        """Id of a running container, and whether it has a terminal. Raises LookupError with the kubelet's sentence."""
        state = self.state_of(namespace, pod)
        if state is None:
            raise LookupError("pod does not exist")
        run = state.latest(container)
        if run is None or run.exit_code is not None:
            raise LookupError(f'container not found ("{container}")')
        return run.container_id, bool(find_container(state.pod, container).get("tty"))

    def sandbox(self, namespace: str, pod: str) -> Sandbox:
        """A pod's sandbox. Raises LookupError."""
        state = self.state_of(namespace, pod)
        if state is None or state.sandbox is None:
            raise LookupError("pod does not exist")
        return state.sandbox


@dataclass(frozen=True, slots=True)
class Streams:
    """Opens streams into pods."""

    runtime: Runtime
    pods: KnownPods

    async def open(self, parts: list[str], query: Query) -> Stream:
        """The stream that a path and query ask for. Raises LookupError (no such pod), ContainerError, ValueError."""
        match parts:
            case ["exec", namespace, pod, container]:
                container_id, _ = self.pods.container(namespace, pod, container)
                return self._exec(container_id, _command(query))
            case ["attach", namespace, pod, container]:
                container_id, has_terminal = self.pods.container(namespace, pod, container)
                session = await self.runtime.open_attach(container_id, tty=has_terminal)
                return lambda reader, writer: _serve(session, reader, writer)
            case ["portforward", namespace, pod]:
                port = int(dict(query)["port"])
                return _relay(await self._connect(self.pods.sandbox(namespace, pod), port))
            case _:
                raise LookupError("404 page not found")

    def _exec(self, container_id: str, command: ExecCommand) -> Stream:
        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first = asyncio.create_task(stream.read_frame(reader))
            if command.tty:  # clients tell their terminal's size at once: the command should start with it
                await asyncio.wait({first}, timeout=_SIZE_SECONDS)
            try:
                session = await self.runtime.open_exec(container_id, command)
            except ContainerError as error:
                message = f"error executing command in container: failed to exec in container: {error.message}"
                first.cancel()
                await _end(writer, stream.failure_status(message))
            except BaseException:
                first.cancel()
                raise
            else:
                await _serve(session, reader, writer, first)

        return run

    async def _connect(self, sandbox: Sandbox, port: int) -> socket.socket:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await self.runtime.connect(sandbox, port)
        except TimeoutError:
            why = "connection timed out"
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise ContainerError("PortForwardError", f"failed to connect to localhost:{port} inside the pod: {why}")


def _command(query: Query) -> ExecCommand:
    flags = {name for name, value in query if value == "true"}
    argv = tuple(value for name, value in query if name == "command")
    if not argv:
        raise ValueError("no command")
    return ExecCommand(argv, stdin="stdin" in flags, tty="tty" in flags)


async def _serve(
    session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: First | None = None
) -> None:
    """Serve a session until it ends or the other side goes; end it then. `first` is reading the first frame already."""

    async def send(channel: int, data: bytes) -> None:
        writer.write(stream.frame(channel, data))
        await writer.drain()

    running = asyncio.create_task(session.run(send))
    taking = asyncio.create_task(_take(session, reader, first))
    gone = asyncio.create_task(stream.wait_hung_up(writer))
    tasks = {running, taking, gone}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        is_over = running.done() and running.exception() is None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.shield(session.close())
    if is_over:
        await _end(writer, running.result())


async def _end(writer: asyncio.StreamWriter, status: Obj) -> None:
    with contextlib.suppress(OSError):
        writer.write(stream.frame(stream.ERROR, json.dumps(status).encode()))
        await writer.drain()


async def _take(session: Session, reader: asyncio.StreamReader, first: First | None) -> None:
    """Hand on what the client sends; returns when it has gone."""
    received = await (first or stream.read_frame(reader))
    while received is not None:
        channel, data = received
        if channel == stream.STDIN:
            await session.write(data)
        elif channel == stream.CLOSE and data[:1] == bytes((stream.STDIN,)):
            session.close_stdin()
        elif channel == stream.RESIZE:
            for width, height in _sizes(data):
                session.resize(width, height)
        received = await stream.read_frame(reader)


def _sizes(data: bytes) -> list[tuple[int, int]]:
    """The terminal sizes in one message: JSON objects, one after the other."""
    found, decoder, text = [], json.JSONDecoder(), data.decode(errors="replace").strip()
    while text:
        try:
            size, end = decoder.raw_decode(text)
            found.append((int(size["Width"]) & 0xFFFF, int(size["Height"]) & 0xFFFF))
        except (ValueError, KeyError, TypeError):
            break
        text = text[end:].lstrip()
    return found


def _relay(sock: socket.socket) -> Stream:
    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pod_reader, pod_writer = await asyncio.open_connection(sock=sock)
        tasks = {
            asyncio.create_task(_copy(reader, pod_writer)),
            answers := asyncio.create_task(_copy(pod_reader, writer)),
            gone := asyncio.create_task(stream.wait_hung_up(writer, half=False)),
        }
        try:
            await asyncio.wait({answers, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            pod_writer.close()

    return run


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes from one to the other until the end, which is passed on."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
