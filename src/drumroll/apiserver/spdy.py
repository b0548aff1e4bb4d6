"""SPDY/3.1 framing, as far as kubectl's streams need it. No I/O. Source: draft-mbelshe-httpbis-spdy-00.

kubectl keeps no flow-control windows, so neither do we; TCP is what slows a sender down.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_VERSION = 0x8003
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN = 0x01
_HEAD = struct.Struct(">II")
_LARGEST = 1 << 24

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200-OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_WORDS = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


class SpdyError(Exception):
    """The other side sent what is no SPDY."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The client opened a stream. Header names are lower case."""

    stream: int
    headers: Mapping[str, str]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes on a stream; `is_last` says that the client sends no more on it."""

    stream: int
    data: bytes
    is_last: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """The client gave a stream up."""

    stream: int


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered with `ping` of the same number."""

    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """The client opens no more streams."""


Event = Opened | Data | Reset | Ping | GoAway


def dictionary() -> bytes:
    """What header blocks are compressed against (the specification, section 2.6.10.1)."""
    names = [name.replace("-OK", " OK").encode() for name in _NAMES.split()]
    return b"".join(struct.pack(">I", len(name)) + name for name in names) + _WORDS.encode()


class Framer:
    """One connection's frames, in both directions. Header compression makes it stateful: frames go out in order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=dictionary())
        self._deflate = zlib.compressobj(zdict=dictionary())

    def receive(self, data: bytes) -> list[Event]:
        """The events in what has come so far. Raises SpdyError."""
        self._buffer += data
        return list(self._events())

    def opened(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """SYN_STREAM: what a client sends first (used to test servers)."""
        return self._control(_SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + self._block(headers))

    def accept(self, stream: int) -> bytes:
        """SYN_REPLY without headers."""
        return self._control(_SYN_REPLY, struct.pack(">I", stream) + self._block({}))

    def data(self, stream: int, data: bytes, *, is_last: bool = False) -> bytes:
        """One DATA frame, at most 16 MiB."""
        return _HEAD.pack(stream, (_FIN if is_last else 0) << 24 | len(data)) + data

    def reset(self, stream: int, status: int = 1) -> bytes:
        """RST_STREAM; status 1 is PROTOCOL_ERROR, 5 CANCEL."""
        return self._control(_RST_STREAM, struct.pack(">II", stream, status))

    def ping(self, number: int) -> bytes:
        """PING, or the answer to one."""
        return self._control(_PING, struct.pack(">I", number))

    def _control(self, kind: int, payload: bytes, flags: int = 0) -> bytes:
        return _HEAD.pack(_VERSION << 16 | kind, flags << 24 | len(payload)) + payload

    def _block(self, headers: Mapping[str, str]) -> bytes:
        pairs = [text.encode("latin-1") for pair in headers.items() for text in (pair[0].lower(), pair[1])]
        raw = struct.pack(">I", len(headers)) + b"".join(struct.pack(">I", len(text)) + text for text in pairs)
        return self._deflate.compress(raw) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _events(self) -> Iterator[Event]:
        while len(self._buffer) >= _HEAD.size:
            first, second = _HEAD.unpack_from(self._buffer)
            length = second & 0xFFFFFF
            if len(self._buffer) < _HEAD.size + length:
                return
            payload = bytes(self._buffer[_HEAD.size : _HEAD.size + length])
            del self._buffer[: _HEAD.size + length]
            is_last = bool((second >> 24) & _FIN)
            if first & 0x80000000:
                yield from self._control_event(first, payload, is_last)
            else:
                yield Data(first, payload, is_last)

    def _control_event(self, first: int, payload: bytes, is_last: bool) -> Iterator[Event]:
        if first >> 16 != _VERSION:
            raise SpdyError(f"version {first >> 16 & 0x7FFF} of SPDY is not spoken here")
        try:
            match first & 0xFFFF:
                case 1:
                    (stream,) = struct.unpack_from(">I", payload)
                    yield Opened(stream & 0x7FFFFFFF, self._headers(payload[10:]), is_last)
                case 3:
                    yield Reset(struct.unpack_from(">I", payload)[0] & 0x7FFFFFFF)
                case 6:
                    yield Ping(struct.unpack_from(">I", payload)[0])
                case 7:
                    yield GoAway()
                case 8:
                    self._headers(payload[4:])  # keeps the compression's state in step
        except (struct.error, zlib.error) as error:
            raise SpdyError(f"a frame that cannot be read: {error}") from error

    def _headers(self, block: bytes) -> dict[str, str]:
        raw = self._inflate.decompress(block, _LARGEST)
        (count,) = struct.unpack_from(">I", raw)
        position, texts = 4, []
        for _ in range(2 * count):
            (length,) = struct.unpack_from(">I", raw, position)
            texts.append(raw[position + 4 : position + 4 + length].decode("latin-1"))
            position += 4 + length
        return dict(zip(texts[::2], texts[1::2], strict=True))
