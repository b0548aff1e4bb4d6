"""HTTP/2 and WebSocket: what fails, and what is merely cut."""

import asyncio

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest
from websockets.asyncio.server import serve

from drumroll.load.ledger import summarize
from drumroll.objects import clock
from tests.load.certificates import self_signed
from tests.load.servers import BODY, load, serving

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"), "store.test", clock.now())


def h2_server(answer):
    """A handler that calls `answer(connection, stream_id, count)` for every request."""

    async def handler(reader, writer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        count = 0
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    count += 1
                    answer(connection, event.stream_id, count)
            writer.write(connection.data_to_send())
            if connection.state_machine.state is h2.connection.ConnectionState.CLOSED:
                await writer.drain()
                await asyncio.sleep(0.05)
                return

    return handler


def answer_ok(connection, stream_id, _=0):
    connection.send_headers(stream_id, [(":status", "200"), ("x-pod", "p1")])
    connection.send_data(stream_id, BODY, end_stream=True)


async def h2_summary(answer, certificate, **fields):
    async with serving(h2_server(answer), certificate) as port:
        ledger = await load(port, kind="http2", tls=True, host="store.test", **fields)
    summary = summarize(ledger)
    assert summary.sent >= 15
    return summary


async def test_http2_answers_are_read(certificate):
    summary = await h2_summary(answer_ok, certificate, rate=200.0, seconds=0.6)
    assert summary.failed == 0
    assert summary.versions == {"0.0.1": summary.sent}


async def test_http2_status(certificate):
    def answer(connection, stream_id, _):
        connection.send_headers(stream_id, [(":status", "503")], end_stream=True)

    summary = await h2_summary(answer, certificate)
    assert summary.failures == {"http2 status_503": summary.sent}


async def test_http2_stream_reset(certificate):
    def answer(connection, stream_id, count):
        if count % 2:
            connection.reset_stream(stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
        else:
            answer_ok(connection, stream_id)

    summary = await h2_summary(answer, certificate)
    assert set(summary.failures) == {"http2 stream_refused_stream"}
    assert summary.answered > 0


async def test_http2_goodbye_after_an_answer_loses_nothing(certificate):
    def answer(connection, stream_id, count):
        answer_ok(connection, stream_id)
        if count == 3:
            connection.close_connection(last_stream_id=stream_id)

    summary = await h2_summary(answer, certificate)
    assert summary.failed == 0


async def test_http2_close_in_the_middle(certificate):
    async def handler(reader, writer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    connection.send_headers(event.stream_id, [(":status", "200")])
                    connection.send_data(event.stream_id, BODY[:10])
                    writer.write(connection.data_to_send())
                    await writer.drain()
                    return
            writer.write(connection.data_to_send())

    async with serving(handler, certificate) as port:
        summary = summarize(await load(port, kind="http2", tls=True, host="store.test"))
    assert summary.answered == 0
    assert set(summary.failures) == {"http2 truncated"}


async def test_http2_refused_by_a_server_that_only_speaks_http1(certificate):
    certificate.set_alpn_protocols(["http/1.1"])
    try:

        async def handler(reader, writer):
            await reader.read()

        async with serving(handler, certificate) as port:
            summary = summarize(await load(port, kind="http2", tls=True, host="store.test"))
    finally:
        certificate.set_alpn_protocols(["h2"])
    assert summary.answered == 0
    assert set(summary.failures) <= {"http2 protocol", "http2 tls", "http2 reset"}


async def websocket_summary(handler, **fields):
    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        return summarize(await load(port, kind="websocket", path="/ws", **fields))


async def test_websocket_messages_are_counted():
    async def handler(connection):
        async for message in connection:
            await connection.send(message)

    summary = await websocket_summary(handler, rate=50.0, seconds=0.6, connections=3)
    assert (summary.failed, summary.cut) == (0, 0)
    assert 25 <= summary.answered <= 31


@pytest.mark.parametrize("code", [1000, 1001, 1012])
async def test_a_websocket_that_is_closed_is_cut_not_failed(code):
    async def handler(connection):
        for _ in range(3):
            await connection.send(await connection.recv())
        await connection.close(code)

    summary = await websocket_summary(handler, rate=40.0, seconds=0.6, connections=1)
    assert summary.failed == 0
    assert summary.cut >= 3
    assert summary.answered >= 9


async def test_a_websocket_that_vanishes_is_cut():
    async def handler(connection):
        await connection.send(await connection.recv())
        connection.transport.abort()

    summary = await websocket_summary(handler, connections=1)
    assert summary.failed == 0
    assert summary.cut >= 3


async def test_a_websocket_that_is_refused_fails():
    async def handler(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with serving(handler) as port:
        summary = summarize(await load(port, kind="websocket", path="/ws", connections=1))
    assert summary.cut == 0
    assert set(summary.failures) == {"websocket status_503"}


async def test_a_websocket_message_that_never_returns_fails():
    async def handler(connection):
        await connection.recv()
        await connection.wait_closed()

    summary = await websocket_summary(handler, connections=1, timeout=0.2, seconds=0.8)
    assert summary.answered == 0
    assert set(summary.failures) == {"websocket timeout"}
