"""A small HTTP/1.1 server for the sample services: threads, kept-alive connections, WebSocket echo, graceful end.

The standard library's own server imports so much that a pod would start five times slower, and it cannot finish what
it has begun when SIGTERM comes. Every sample carries a copy of this file, as services from different repositories
would; a test keeps the copies equal.
"""

import os
import select
import signal
import socket
import struct
import threading
import time

MAX_HEAD = 64 * 1024
MAX_BODY = 1024 * 1024
IDLE_SECONDS = 75.0  # far above the idle time of proxies in front of us: they close first
LINGER_SECONDS = 0.2  # how long a stopping server still takes a request that is on its way
STOP_SECONDS = 20.0  # then it ends, whatever is still open
REASONS = {
    101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 400: "Bad Request",
    401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 409: "Conflict",
    413: "Content Too Large", 431: "Request Header Fields Too Large", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip


class BadMessage(Exception):
    """The peer sent what is no HTTP, or too much of it; `status` is what to answer."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Request:
    """Header names are lower case; `span` is the caller's tracing context, if a tracer is used."""

    __slots__ = ("body", "headers", "method", "path", "span", "version")

    def __init__(self, method, path, version, headers, body):
        self.method, self.path, self.version, self.headers, self.body = method, path, version, headers, body
        self.span = None


class Response:
    """`headers` are extra (name, value) pairs."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(self, status, body=b"", content_type="application/json", headers=()):
        self.status, self.body, self.content_type, self.headers = status, body, content_type, headers


class Stream:
    """Buffered reading from a socket, by line, by count, or by HTTP's framing rules."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def _more(self):
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def head(self):
        """The lines of a message's head, None when the peer closed before sending any of it."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if len(self.buffer) > MAX_HEAD:
                raise BadMessage(431, "header too large")
            if not self._more():
                if self.buffer:
                    raise BadMessage(400, "closed in the middle of a header")
                return None
        if end > MAX_HEAD:
            raise BadMessage(431, "header too large")
        head, self.buffer = self.buffer[:end], self.buffer[end + 4 :]
        return head.decode("latin-1").split("\r\n")

    def exactly(self, count):
        """`count` bytes; raises BadMessage when the peer closes before."""
        while len(self.buffer) < count:
            if not self._more():
                raise BadMessage(400, "closed in the middle of a body")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def line(self):
        """One line without its end."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            if len(self.buffer) > MAX_HEAD or not self._more():
                raise BadMessage(400, "broken chunk")
        line, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
        return line

    def body(self, headers):
        """The body that `headers` announce, empty when they announce none."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        text = headers.get("content-length", "0")
        if not text.isdigit():
            raise BadMessage(400, "bad content-length")
        if int(text) > MAX_BODY:
            raise BadMessage(413, "body too large")
        return self.exactly(int(text)) if text != "0" else b""

    def _chunks(self):
        parts, total = [], 0
        while True:
            try:
                size = int(self.line().split(b";")[0], 16)
            except ValueError:
                raise BadMessage(400, "bad chunk size") from None
            total += size
            if size < 0 or total > MAX_BODY:
                raise BadMessage(413, "body too large")
            if size == 0:
                while self.line():
                    pass
                return b"".join(parts)
            parts.append(self.exactly(size))
            self.exactly(2)


def parse_headers(lines):
    """Header lines as a mapping with lower-case names."""
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadMessage(400, "bad header line")
        headers[name.lower()] = value.strip()
    return headers


def read_request(stream):
    """The next request, None when the peer closed instead of sending one."""
    lines = stream.head()
    if lines is None:
        return None
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadMessage(400, "bad request line")
    headers = parse_headers(lines[1:])
    if headers.get("expect", "").lower() == "100-continue":
        stream.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(parts[0], parts[1], parts[2], headers, stream.body(headers))


def drain(sock, seconds=0.5):
    """Read and forget what still arrives, until the peer closes or the time is over."""
    deadline = time.monotonic() + seconds
    sock.settimeout(seconds)
    while time.monotonic() < deadline and sock.recv(65536):
        pass


class Server:
    """Serves handlers on ports until SIGTERM, then finishes what it has begun and ends.

    `identity` are header lines that every answer carries; `tracer` opens a span around each traced request.
    """

    def __init__(self, identity=(), tracer=None):
        self.stopping = False
        self._tracer = tracer
        self._identity = "".join(f"{name}: {value}\r\n" for name, value in identity)
        self._listeners = {}
        self._open = set()
        self._wake, self._ring = os.pipe()  # readable for ever once the server stops
        self.counts = {}
        self.seconds = 0.0
        threading.stack_size(256 * 1024)

    def listen(self, port, handler, *, traced=False):
        """Bind a port on $HOST (every address when unset) for `handler(request) -> Response`."""
        listener = socket.create_server((os.environ.get("HOST", "0.0.0.0"), port), backlog=1024)
        listener.setblocking(False)
        self._listeners[listener.fileno()] = (listener, handler, traced)
        return listener.getsockname()[1]

    def stop(self, *_):
        """Begin to end; safe in a signal handler."""
        if not self.stopping:
            self.stopping = True
            os.write(self._ring, b"!")

    def run(self, on_term=None):
        """Serve until SIGTERM or SIGINT. `on_term` replaces the graceful end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_term or self.stop)
        poller = select.poll()
        for fd in (*self._listeners, self._wake):
            poller.register(fd, select.POLLIN)
        while not self.stopping:
            for fd, _ in poller.poll():
                if fd in self._listeners:
                    self._accept(*self._listeners[fd])
        for listener, handler, traced in self._listeners.values():
            self._accept(listener, handler, traced)  # those in the backlog believe that they are connected
            listener.close()
        deadline = time.monotonic() + STOP_SECONDS
        while self._open and time.monotonic() < deadline:
            time.sleep(0.01)

    def _accept(self, listener, handler, traced):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self._open.add(sock)
            threading.Thread(target=self._converse, args=(sock, handler, traced), daemon=True).start()

    def _converse(self, sock, handler, traced):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            limit = struct.pack("ll", 30, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            try:
                self._requests(sock, Stream(sock), handler, traced)
            except BadMessage as error:
                self._send(sock, Response(error.status, str(error).encode(), "text/plain"), close=True)
                sock.shutdown(socket.SHUT_WR)
                drain(sock)  # closing on unread bytes would reset the connection, and the answer with it
            else:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the peer is gone: nobody is left to tell
        finally:
            self._open.discard(sock)
            sock.close()

    def _requests(self, sock, stream, handler, traced):
        both, alone = select.poll(), select.poll()
        both.register(sock, select.POLLIN)
        alone.register(sock, select.POLLIN)
        both.register(self._wake, select.POLLIN)
        while stream.buffer or self._arrives(both, alone):
            request = read_request(stream)
            if request is None:
                return
            if request.headers.get("upgrade", "").lower() == "websocket" and request.path.split("?")[0] == "/ws":
                self._echo(sock, stream, request, both)
                return
            response = self._answer(request, handler, traced)
            wish = request.headers.get("connection", "").lower()
            close = self.stopping or wish == "close" or (request.version == "HTTP/1.0" and wish != "keep-alive")
            self._send(sock, response, close=close, head_only=request.method == "HEAD")
            if close:
                return

    def _arrives(self, both, alone):
        if not self.stopping:
            both.poll(IDLE_SECONDS * 1000)
            if not self.stopping:
                return bool(alone.poll(0))
        return bool(alone.poll(LINGER_SECONDS * 1000))

    def _answer(self, request, handler, traced):
        began = time.monotonic()
        if traced and self._tracer:
            request.span = self._tracer.server_span(request)
        try:
            response = handler(request)
        except Exception as error:
            print(f"handler_failed path={request.path} error={error!r}")
            response = Response(500, b'{"error":"internal error"}')
        if request.span:
            request.span.finish(response.status)
        took = time.monotonic() - began
        self.counts[request.method, response.status] = self.counts.get((request.method, response.status), 0) + 1
        self.seconds += took
        return response

    def _send(self, sock, response, *, close, head_only=False):
        extra = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
        ending = "Connection: close\r\n" if close else ""
        head = (
            f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}\r\n"
            f"Content-Type: {response.content_type}\r\nContent-Length: {len(response.body)}\r\n"
            f"{self._identity}{extra}{ending}\r\n"
        )
        sock.sendall(head.encode("latin-1") + (b"" if head_only else response.body))

    def _echo(self, sock, stream, request, both):
        """RFC 6455: send every message back until the peer closes, or say 1001 (going away) when the server stops."""
        from base64 import b64encode
        from hashlib import sha1

        key = request.headers.get("sec-websocket-key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = b64encode(sha1(key.encode()).digest()).decode()
        head = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{self._identity}\r\n"
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + head.encode("latin-1"))
        while not self.stopping:
            if not stream.buffer:
                both.poll()
                if self.stopping:
                    break
            if not stream.buffer and not stream._more():
                return
            first, payload = read_frame(stream)
            opcode = first & 0x0F
            if opcode == 0x9:
                sock.sendall(write_frame(0x8A, payload))
            elif opcode != 0xA:
                sock.sendall(write_frame(first, payload))
            if opcode == 0x8:
                return
        sock.sendall(write_frame(0x88, struct.pack("!H", 1001) + b"going away"))

    def metrics(self, name):
        """Prometheus' text of the request counts."""
        lines = [f"# TYPE {name}_requests_total counter"]
        for (method, status), count in sorted(self.counts.copy().items()):
            lines.append(f'{name}_requests_total{{method="{method}",code="{status}"}} {count}')
        lines += [f"# TYPE {name}_request_seconds_total counter", f"{name}_request_seconds_total {self.seconds:.6f}"]
        lines += [f"# TYPE {name}_open_connections gauge", f"{name}_open_connections {len(self._open)}", ""]
        return Response(200, "\n".join(lines).encode(), "text/plain; version=0.0.4")


def read_frame(stream):
    """The first byte and the unmasked payload of a WebSocket frame."""
    first, second = stream.exactly(2)
    size = second & 0x7F
    if size > 125:
        (size,) = struct.unpack("!H", stream.exactly(2)) if size == 126 else struct.unpack("!Q", stream.exactly(8))
    if size > MAX_BODY or not second & 0x80:
        raise BadMessage(400, "bad frame")
    mask = stream.exactly(4)
    data = stream.exactly(size)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return first, (int.from_bytes(data, "big") ^ key).to_bytes(size, "big")


def write_frame(first, payload):
    """A WebSocket frame from a server, which masks nothing."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + struct.pack("!H", size) + payload
    return bytes((first, 127)) + struct.pack("!Q", size) + payload


class Upstream:
    """Another service behind a name: pooled connections, safe to share between threads."""

    def __init__(self, host, port, timeout=10.0):
        self._address, self._timeout, self._idle = (host, port), timeout, []

    def fetch(self, method, path, headers=(), body=b""):
        """(status, body) of one request. Raises OSError or BadMessage.

        A pooled connection may have been closed while it rested; only then, and only before the first byte of the
        answer to a GET, is the request sent again.
        """
        while self._idle:
            try:
                stream = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            try:
                return self._exchange(stream, method, path, headers, body)
            except (OSError, BadMessage):
                stream.sock.close()
                if method != "GET" or stream.buffer:
                    raise
        sock = socket.create_connection(self._address, timeout=2.0)
        sock.settimeout(self._timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._exchange(Stream(sock), method, path, headers, body)

    def _exchange(self, stream, method, path, headers, body):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._address[0]}:{self._address[1]}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body or method != "GET":
            lines.append(f"Content-Length: {len(body)}")
        stream.sock.sendall("\r\n".join([*lines, "\r\n"]).encode("latin-1") + body)
        head = stream.head()
        if head is None:
            raise BadMessage(502, "closed before the answer")
        answer = parse_headers(head[1:])
        content = stream.body(answer)
        if answer.get("connection", "").lower() == "close":
            stream.sock.close()
        else:
            self._idle.append(stream)
        return int(head[0].split(" ")[1]), content
