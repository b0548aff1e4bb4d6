"""The cluster's DNS server: `python -m drumroll.proxy.dns TABLE ADDRESS [CLUSTER [HOST]]`, a process of its own.

It serves on while the control plane is away. Its listening sockets are opened in the network namespace CLUSTER,
itself it lives in HOST, so that questions about the rest of the world go out as the host's own do.
"""

import asyncio
import ctypes
import os
import socket
import struct
import sys
from pathlib import Path

from dnslib import QTYPE, RCODE, DNSRecord
from dnslib.dns import DNSError

from drumroll.proxy.dns_answer import Records, answer

PORT = 53
FORWARD_SECONDS = 2.0
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_PLAIN_UDP = 512


def listening_sockets(address: str, port: int, namespace: Path | None) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket bound in `namespace` (None: ours). Raises OSError."""
    if namespace is None:
        return _bind(address, port)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        enter(namespace)
        try:
            return _bind(address, port)
        finally:
            _enter(home)
    finally:
        os.close(home)


def enter(namespace: Path) -> None:
    """Move this thread to another network namespace; sockets stay where they were made. Raises OSError."""
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        _enter(descriptor)
    finally:
        os.close(descriptor)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _NEW_NETWORK) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


def _bind(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for found in (udp, tcp):
        found.bind((address, port))
        found.setblocking(False)
    tcp.listen(128)
    return udp, tcp


def resolvers(text: str) -> list[str]:
    """The name servers in a resolv.conf."""
    lines = (line.split() for line in text.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver" and ":" not in words[1]]


class Server:
    """Answers from `records`, and asks the host's name servers for what is not the cluster's."""

    def __init__(self, records: Records, resolv_conf: Path) -> None:
        self._records = records
        self._resolv_conf = resolv_conf

    async def reply(self, message: bytes, *, stream: bool) -> bytes | None:
        """The packet that answers `message`; None for one that is no question."""
        try:
            question = DNSRecord.parse(message)
            self._records.refresh()
            found = answer(question, self._records)
        except (DNSError, ValueError, IndexError, KeyError):
            return None
        if found is not None:
            await self._follow(found, stream=stream)
            packed: bytes = found.pack()
            if not stream and len(packed) > _PLAIN_UDP:
                packed = found.truncate().pack()
            return packed
        return await self._forward(message, stream=stream) or _failed(question)

    async def _follow(self, reply: DNSRecord, *, stream: bool) -> None:
        """Add the addresses of an alias that leads out of the cluster: programs do not ask on by themselves."""
        if not reply.rr or reply.rr[-1].rtype != QTYPE.CNAME or reply.q.qtype not in {QTYPE.A, QTYPE.AAAA}:
            return
        question = DNSRecord.question(str(reply.rr[-1].rdata), QTYPE[reply.q.qtype])
        outside = await self._forward(question.pack(), stream=stream)
        if outside is not None:
            reply.add_answer(*DNSRecord.parse(outside).rr)

    async def _forward(self, message: bytes, *, stream: bool) -> bytes | None:
        try:
            known = resolvers(self._resolv_conf.read_text())
        except OSError:
            return None
        for server in known[:3]:
            try:
                ask = _ask_stream if stream else _ask_datagram
                return await asyncio.wait_for(ask(server, message), FORWARD_SECONDS)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                continue
        return None

    async def serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection: messages with their length before them."""
        try:
            while True:
                message = await _read_framed(reader)
                found = await self.reply(message, stream=True)
                if found is None:
                    break
                writer.write(struct.pack("!H", len(found)) + found)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.ensure_future(self._answer(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        found = await self._server.reply(data, stream=False)
        if found is not None and self._transport is not None:
            self._transport.sendto(found, addr)


class _Asking(asyncio.DatagramProtocol):
    def __init__(self, answered: "asyncio.Future[bytes]") -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)


async def _ask_datagram(server: str, message: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Asking(answered), remote_addr=(server, PORT))
    try:
        transport.sendto(message)
        return await answered
    finally:
        transport.close()


async def _ask_stream(server: str, message: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server, PORT)
    try:
        writer.write(struct.pack("!H", len(message)) + message)
        return await _read_framed(reader)
    finally:
        writer.close()


async def _read_framed(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    return await reader.readexactly(length)


def _failed(question: DNSRecord) -> bytes:
    reply = question.reply()
    reply.header.rcode = RCODE.SERVFAIL
    packed: bytes = reply.pack()
    return packed


async def serve(server: Server, udp: socket.socket, tcp: socket.socket) -> None:
    """Serve on two bound sockets until cancelled."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Datagrams(server), sock=udp)
    async with await asyncio.start_server(server.serve_stream, sock=tcp) as listening:
        await listening.serve_forever()


def main(arguments: list[str]) -> int:
    """Serve until killed."""
    table, address = Path(arguments[0]), arguments[1]
    namespace = Path(arguments[2]) if len(arguments) > 2 else None
    udp, tcp = listening_sockets(address, PORT, namespace)
    if len(arguments) > 3:
        enter(Path(arguments[3]))
    asyncio.run(serve(Server(Records(table), Path("/etc/resolv.conf")), udp, tcp))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
