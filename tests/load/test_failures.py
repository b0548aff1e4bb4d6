"""Each way of misbehaving is booked under its own name, and nothing else is."""

import asyncio
import socket

import pytest

from drumroll.load.ledger import summarize
from tests.load.servers import BODY, OK, load, read_head, reset, serving

pytestmark = pytest.mark.asyncio
CLIENTS = pytest.mark.parametrize("kind", ["new", "kept-alive"])


async def reasons(handler, kind, **fields):
    async with serving(handler) as port:
        summary = summarize(await load(port, kind=kind, **fields))
    assert summary.sent >= 15
    assert summary.failed == sum(summary.failures.values())
    return summary, {name.removeprefix(f"{kind} ") for name in summary.failures}


@CLIENTS
async def test_a_closed_port_refuses(kind):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    summary = summarize(await load(port, kind=kind))
    assert summary.failures == {f"{kind} refused": summary.sent}
    assert summary.longest_gap >= 0.5


@CLIENTS
async def test_a_reset_instead_of_an_answer(kind):
    async def handler(reader, writer):
        await read_head(reader)
        reset(writer)

    summary, found = await reasons(handler, kind)
    assert found == {"reset"}
    assert summary.answered == 0


@CLIENTS
async def test_a_close_instead_of_an_answer(kind):
    async def handler(reader, writer):
        await read_head(reader)

    _, found = await reasons(handler, kind)
    assert found == {"closed"}


@CLIENTS
async def test_a_close_in_the_middle_of_the_body(kind):
    async def handler(reader, writer):
        await read_head(reader)
        writer.write(OK[:-10])
        await writer.drain()

    _, found = await reasons(handler, kind)
    assert found == {"truncated"}


@CLIENTS
async def test_a_chunked_body_without_its_end(kind):
    async def handler(reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await writer.drain()

    _, found = await reasons(handler, kind)
    assert found == {"truncated"}


@CLIENTS
async def test_an_error_status(kind):
    async def handler(reader, writer):
        while True:
            await read_head(reader)
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

    _, found = await reasons(handler, kind)
    assert found == {"status_503"}


@CLIENTS
async def test_what_is_no_http(kind):
    async def handler(reader, writer):
        await read_head(reader)
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        await writer.drain()

    _, found = await reasons(handler, kind)
    assert found == {"protocol"}


@CLIENTS
async def test_an_answer_that_never_comes(kind):
    async def handler(reader, writer):
        await read_head(reader)
        await reader.read()

    summary, found = await reasons(handler, kind, timeout=0.3)
    assert found == {"timeout"}
    assert summary.answered == 0


async def test_slow_answers_do_not_slow_the_arrivals():
    async def handler(reader, writer):
        await read_head(reader)
        await asyncio.sleep(0.4)
        writer.write(OK)
        await writer.drain()

    async with serving(handler) as port:
        ledger = await load(port, seconds=1.0, rate=100.0)
    summary = summarize(ledger)
    assert summary.failed == 0
    assert 95 <= summary.sent <= 101
    assert 0.39 <= summary.p50 <= 1.0


async def test_latency_counts_from_the_time_at_which_a_request_was_due():
    """A server that stands still for half a second spoils every request that was due meanwhile, not just one."""
    lock = asyncio.Lock()
    stalled = False

    async def handler(reader, writer):
        nonlocal stalled
        await read_head(reader)
        async with lock:
            if not stalled:
                stalled = True
                await asyncio.sleep(0.5)
        writer.write(OK)
        await writer.drain()

    async with serving(handler) as port:
        ledger = await load(port, seconds=1.0, rate=100.0)
    late = [entry for entry in ledger.entries if entry.latency > 0.1]
    assert len(late) >= 30, "half a second at 100 a second is 50 requests; a busy machine makes them more"


async def test_a_connection_closed_while_it_rested_is_no_failure():
    served = 0

    async def handler(reader, writer):
        nonlocal served
        await read_head(reader)
        writer.write(OK)
        await writer.drain()
        served += 1
        await asyncio.sleep(0.01)  # then it closes; the next request is due 25 ms after this one

    async with serving(handler) as port:
        summary = summarize(await load(port, kind="kept-alive", seconds=0.6))
    assert summary.failed == 0
    assert summary.answered == served >= 20


async def test_kept_alive_connections_are_kept():
    connections = 0

    async def handler(reader, writer):
        nonlocal connections
        connections += 1
        while True:
            await read_head(reader)
            writer.write(OK)

    async with serving(handler) as port:
        summary = summarize(await load(port, kind="kept-alive", seconds=0.6))
    assert summary.failed == 0
    assert connections <= 3
    assert summary.versions == {"0.0.1": summary.sent}


async def test_a_body_that_ends_with_the_connection_is_whole():
    async def handler(reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)
        await writer.drain()

    async with serving(handler) as port:
        summary = summarize(await load(port))
    assert summary.failed == 0


async def test_more_than_the_bound_in_flight_is_booked_not_sent():
    from drumroll.load.plan import LoadPlan, Target
    from drumroll.load.run import run_load

    received = 0

    async def handler(reader, writer):
        nonlocal received
        await read_head(reader)
        received += 1
        await reader.read()

    async with serving(handler) as port:
        plan = LoadPlan((Target("t", "new", "127.0.0.1", port, rate=100.0),), seconds=0.5, timeout=0.7, max_in_flight=5)
        summary = summarize(await run_load(plan, asyncio.Event()))
    assert received == 5
    assert summary.failures["new saturated"] == summary.sent - 5
    assert summary.failures["new timeout"] == 5
