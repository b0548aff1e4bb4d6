"""The gRPC server against grpcio's client: another implementation of the protocol than ours and Envoy's."""

import asyncio
import contextlib

import grpc
import pytest

from drumroll.proxy.grpc_server import serve_method

pytestmark = pytest.mark.asyncio

METHOD = "/drumroll.test.Service/Talk"
LARGE = 5 * 2**20  # many times any window
DEADLINE = 30


async def echo(call):
    while (message := await call.read()) is not None:
        await call.write(message)


@contextlib.asynccontextmanager
async def served(folder, handler):
    """A server of `handler`, and a client's channel to it."""
    socket, ready = folder / "s", asyncio.Event()
    server = asyncio.create_task(serve_method(socket, METHOD, handler, ready.set))
    async with asyncio.timeout(DEADLINE):
        await ready.wait()
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        async with grpc.aio.insecure_channel(f"unix:{socket}", options=options) as channel:
            yield channel, server
    server.cancel()
    await asyncio.gather(server, return_exceptions=True)


@pytest.mark.parametrize("length", [0, 1, 16_384, 65_530, LARGE])
async def test_messages_of_any_length_go_both_ways(tmp_path, length):
    async with served(tmp_path, echo) as (channel, _):
        call = channel.stream_stream(METHOD)()
        for fill in (b"a", b"b"):
            await call.write(fill * length)
            assert await call.read() == fill * length
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_a_client_that_reads_slowly_holds_up_itself_alone(tmp_path):
    """Flow control: what it does not read is not sent, and another client's call on the same connection goes on."""
    written = []

    async def pour(call):
        await call.read()
        for number in range(8):
            await call.write(bytes([number]) * LARGE)
            written.append(number)

    async def handler(call):
        await (pour(call) if await call.read() == b"pour" else echo(call))

    async with served(tmp_path, handler) as (channel, _):
        slow, quick = channel.stream_stream(METHOD)(), channel.stream_stream(METHOD)()
        for message in (b"pour", b"now"):
            await slow.write(message)
        await quick.write(b"echo")
        await quick.write(b"still here?")
        assert await quick.read() == b"still here?"
        assert len(written) < 8
        assert [len(await slow.read()) for _ in range(8)] == [LARGE] * 8
        await quick.done_writing()


async def test_another_method_is_unimplemented(tmp_path):
    async with served(tmp_path, echo) as (channel, _):
        call = channel.stream_stream("/drumroll.test.Service/Other")()
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
        assert METHOD in await call.details()


async def test_a_call_that_fails_is_internal_and_the_next_one_is_served(tmp_path):
    async def handler(call):
        if (message := await call.read()) == b"fail":
            raise ValueError(message)
        await call.write(message)

    async with served(tmp_path, handler) as (channel, _):
        failing = channel.stream_stream(METHOD)()
        await failing.write(b"fail")
        assert await failing.code() is grpc.StatusCode.INTERNAL
        other = channel.stream_stream(METHOD)()
        await other.write(b"fine")
        assert await other.read() == b"fine"


async def test_a_client_that_goes_away_ends_its_call(tmp_path):
    ended = asyncio.Event()

    async def handler(call):
        try:
            await echo(call)
        finally:
            ended.set()

    async with served(tmp_path, handler) as (channel, _):
        call = channel.stream_stream(METHOD)()
        await call.write(b"hello")
        assert await call.read() == b"hello"
        call.cancel()
        await ended.wait()


async def test_a_server_that_stops_says_so_and_ends_its_calls(tmp_path):
    async with served(tmp_path, echo) as (channel, server):
        call = channel.stream_stream(METHOD)()
        await call.write(b"hello")
        assert await call.read() == b"hello"
        server.cancel()
        assert await call.code() is grpc.StatusCode.UNAVAILABLE


async def test_what_is_no_http2_is_hung_up_on(tmp_path):
    async with served(tmp_path, echo) as (channel, _):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        await reader.read()  # ends
        writer.close()
        call = channel.stream_stream(METHOD)()
        await call.write(b"still here?")
        assert await call.read() == b"still here?"


async def test_only_its_owner_may_connect(tmp_path):
    async with served(tmp_path, echo):
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
