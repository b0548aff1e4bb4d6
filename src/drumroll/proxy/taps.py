"""Reads what Envoy's tap filter saw, over HTTP/2 on the admin socket (with HTTP/1 Envoy would not notice that we left).

One stream at a time may be attached to an Envoy, so every tapped listener shares one configuration id.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import orjson

from drumroll.domain.comparison.answers import Answer
from drumroll.domain.comparison.pairing import Half
from drumroll.domain.envoy.gateway_routes import MIRROR_MARK
from drumroll.domain.envoy.taps import CONFIG_ID, PAIR_HEADER
from drumroll.objects.meta import Obj

MOST_BODY = 256 * 1024
_READ = 65536
_END = b"\n}\n"


class TapRefused(Exception):
    """Envoy did not let us look; the message says why."""


@asynccontextmanager
async def tapped(admin: Path, attached: Callable[[], None]) -> AsyncIterator[AsyncIterator[Half]]:
    """Attach to the Envoy behind the admin socket, call `attached`, and yield the answers that it sees from then on.

    Raises TapRefused when Envoy refuses or is not there. The iteration ends when Envoy ends.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(admin))
    except OSError as error:
        raise TapRefused(f"no Envoy answers at {admin}: {error.strerror or error}") from error
    try:
        yield _halves(reader, writer, attached)
    finally:
        writer.close()


async def _halves(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, attached: Callable[[], None]
) -> AsyncIterator[Half]:
    buffer = b""
    async for data in _body(reader, writer, attached):
        buffer += data
        *whole, buffer = buffer.split(_END)
        for text in whole:
            half = half_of(orjson.loads(text + _END))
            if half is not None:
                yield half


async def _body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, attached: Callable[[], None]
) -> AsyncIterator[bytes]:
    """The response's data as it comes."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

    connection = H2Connection(H2Configuration())
    connection.initiate_connection()
    connection.increment_flow_control_window(2**24)
    body = orjson.dumps(_WISH)
    stream = connection.get_next_available_stream_id()
    connection.send_headers(
        stream,
        [(":method", "POST"), (":path", "/tap"), (":authority", "admin"), (":scheme", "http")],
    )
    connection.send_data(stream, body, end_stream=True)
    writer.write(connection.data_to_send())
    status = b""
    while data := await reader.read(_READ):
        for event in connection.receive_data(data):
            if isinstance(event, ResponseReceived):
                status = dict(event.headers)[b":status"]
                if status == b"200":
                    attached()
            elif isinstance(event, DataReceived):
                if status != b"200":
                    raise TapRefused(event.data.decode(errors="replace").strip())
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                yield event.data
            elif isinstance(event, StreamEnded | StreamReset):
                return
        writer.write(connection.data_to_send())


_WISH = {
    "config_id": CONFIG_ID,
    "tap_config": {
        "match": {"any_match": True},  # what is matched are the headers before the route has added the pair's id
        "output_config": {
            "max_buffered_tx_bytes": MOST_BODY,
            "max_buffered_rx_bytes": 0,
            "sinks": [{"format": "JSON_BODY_AS_BYTES", "streaming_admin": {}}],
        },
    },
}


def half_of(trace: Obj) -> Half | None:
    """A trace as one half of a pair; None for one without an answer or without the pair's id."""
    found = trace.get("http_buffered_trace") or {}
    request, response = found.get("request") or {}, found.get("response") or {}
    asked, said = _headers(request), _headers(response)
    pair = asked.get(PAIR_HEADER, "")
    if not pair or ":status" not in said:
        return None
    body = response.get("body") or {}
    answer = Answer(
        int(said[":status"]),
        {name: value for name, value in said.items() if not name.startswith(":")},
        base64.b64decode(body.get("as_bytes") or ""),
        bool(body.get("truncated")),
        _seconds(request.get("headers_received_time"), response.get("headers_received_time")),
    )
    request_line = f"{asked.get(':method')} {asked.get(':path')}"
    return Half(pair, asked.get(MIRROR_MARK, ""), request_line, answer)


def _headers(message: Obj) -> dict[str, str]:
    return {header["key"]: header.get("value") or "" for header in message.get("headers") or ()}


def _seconds(began: str | None, ended: str | None) -> float:
    if not began or not ended:
        return 0.0
    return max(0.0, (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds())
