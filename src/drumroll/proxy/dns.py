"""The cluster's DNS server: `python -m drumroll.proxy.dns TABLE ADDRESS [CLUSTER [HOST]]`, a process of its own.

It serves on while the control plane is away. Its listening sockets are opened in the network namespace CLUSTER,
itself it lives in HOST, so that questions about the rest of the world go out as the host's own do.
It is meant to be small: threads and plain sockets instead of asyncio (which brings TLS), and few imports.
"""

import ctypes
import os
import socket
import struct
import sys
import threading

from dnslib import QTYPE, RCODE, DNSRecord
from dnslib.dns import DNSError

from drumroll.proxy.dns_answer import Records, answer
from drumroll.proxy.dns_threads import Crowd

PORT = 53
FORWARD_SECONDS = 2.0
SILENT_STREAM_SECONDS = 10.0
FORWARDS = 64
STREAMS = 64
"""At once; further ones wait."""
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_PLAIN_UDP = 512


def listening_sockets(address: str, port: int, namespace: str | None) -> tuple[socket.socket, socket.socket]:
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


def enter(namespace: str) -> None:
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
    tcp.listen(128)
    return udp, tcp


def resolvers(text: str) -> list[str]:
    """The name servers in a resolv.conf."""
    lines = (line.split() for line in text.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver" and ":" not in words[1]]


class Query:
    """A question, and the cluster's own answer if it has one."""

    def __init__(self, message: bytes, question: DNSRecord, found: DNSRecord | None) -> None:
        self.message = message
        self.question = question
        self.found = found
        self.alias = _alias(found) if found is not None else None

    @property
    def leads_out(self) -> bool:
        """True when somebody outside of the cluster must be asked, which may take seconds."""
        return self.found is None or self.alias is not None


def _alias(found: DNSRecord) -> str | None:
    """The name outside of the cluster at which the answer ends."""
    if not found.rr or found.rr[-1].rtype != QTYPE.CNAME or found.q.qtype not in {QTYPE.A, QTYPE.AAAA}:
        return None
    return str(found.rr[-1].rdata)


class Server:
    """Answers from `records`, and asks the host's name servers for what is not the cluster's."""

    def __init__(self, records: Records, resolv_conf: str) -> None:
        self._records = records
        self._resolv_conf = resolv_conf

    def read(self, message: bytes) -> Query | None:
        """What is asked, answered as far as the cluster knows; None for what is no question."""
        try:
            question = DNSRecord.parse(message)
            self._records.refresh()
            return Query(message, question, answer(question, self._records))
        except (DNSError, ValueError, IndexError, KeyError):
            return None

    def finish(self, query: Query, *, stream: bool) -> bytes:
        """The packet that answers."""
        if query.found is None:
            return self._forward(query.message, stream=stream) or _failed(query.question)
        if query.alias is not None:  # programs do not ask on by themselves
            question = DNSRecord.question(query.alias, QTYPE[query.question.q.qtype])
            outside = self._forward(question.pack(), stream=stream)
            if outside is not None:
                query.found.add_answer(*DNSRecord.parse(outside).rr)
        packed: bytes = query.found.pack()
        if not stream and len(packed) > _PLAIN_UDP:
            packed = query.found.truncate().pack()
        return packed

    def _forward(self, message: bytes, *, stream: bool) -> bytes | None:
        try:
            with open(self._resolv_conf, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is large
                known = resolvers(file.read())
        except OSError:
            return None
        for server in known[:3]:
            try:
                return (_ask_stream if stream else _ask_datagram)(server, message)
            except OSError:
                continue
        return None

    def serve_datagrams(self, udp: socket.socket) -> None:
        """Answer until the socket is shut down. What the cluster knows is answered at once, whatever waits outside."""
        forwards = Crowd("dns-forward", FORWARDS)
        while True:
            message, asker = udp.recvfrom(65_535)
            query = self.read(message)
            if query is None:
                continue
            if query.leads_out:
                forwards.run(self._send, udp, query, asker)
            else:
                self._send(udp, query, asker)

    def _send(self, udp: socket.socket, query: Query, asker: tuple[str, int]) -> None:
        try:
            udp.sendto(self.finish(query, stream=False), asker)
        except OSError:
            return  # the asker is gone
        except (DNSError, ValueError, IndexError, KeyError):
            return  # what came from outside is no answer

    def serve_streams(self, tcp: socket.socket) -> None:
        """Answer on TCP until the socket is shut down."""
        streams, room = Crowd("dns-stream", STREAMS), threading.Semaphore(STREAMS)
        while True:
            room.acquire()
            connection, _ = tcp.accept()
            streams.run(self._serve_stream, connection, room)

    def _serve_stream(self, connection: socket.socket, room: threading.Semaphore) -> None:
        """Messages with their length before them."""
        with connection:
            connection.settimeout(SILENT_STREAM_SECONDS)
            try:
                while (query := self.read(_read_framed(connection))) is not None:
                    found = self.finish(query, stream=True)
                    connection.sendall(struct.pack("!H", len(found)) + found)
            except (OSError, DNSError, ValueError, IndexError, KeyError):
                return
            finally:
                room.release()


def _ask_datagram(server: str, message: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(FORWARD_SECONDS)
        asking.connect((server, PORT))
        asking.send(message)
        while (found := asking.recv(65_535))[:2] != message[:2]:
            pass  # not the answer to this question
        return found


def _ask_stream(server: str, message: bytes) -> bytes:
    with socket.create_connection((server, PORT), FORWARD_SECONDS) as asking:
        asking.sendall(struct.pack("!H", len(message)) + message)
        return _read_framed(asking)


def _read_framed(connection: socket.socket) -> bytes:
    (length,) = struct.unpack("!H", _read_exactly(connection, 2))
    return _read_exactly(connection, length)


def _read_exactly(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise ConnectionError("the other side closed")
        parts += part
    return bytes(parts)


def _failed(question: DNSRecord) -> bytes:
    reply = question.reply()
    reply.header.rcode = RCODE.SERVFAIL
    packed: bytes = reply.pack()
    return packed


def serve(server: Server, udp: socket.socket, tcp: socket.socket) -> None:
    """Serve on two bound sockets for as long as the process lives."""
    Crowd("dns-tcp", 1).run(server.serve_streams, tcp)
    server.serve_datagrams(udp)


def main(arguments: list[str]) -> int:
    """Serve until killed."""
    table, address = arguments[0], arguments[1]
    udp, tcp = listening_sockets(address, PORT, arguments[2] if len(arguments) > 2 else None)
    if len(arguments) > 3:
        enter(arguments[3])
    serve(Server(Records(table), "/etc/resolv.conf"), udp, tcp)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
