"""The node's log server and the log files behind it."""

import asyncio
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from drumroll.node.logs import LogSource, last_output, tail_offset
from drumroll.node.server import serve_node
from tests.node.conftest import eventually

pytestmark = pytest.mark.asyncio
NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def line(second, text, tag="F", stream="stdout"):
    return f"2026-01-01T00:00:{second:02d}.000000001Z {stream} {tag} {text}\n"


class Node:
    """One log, `path`; `live` says whether its container runs."""

    def __init__(self, home):
        self.socket = home / "node.sock"
        self.path = home / "0.log"
        self.live = False
        self.path.write_text("".join(line(n, f"line {n}") for n in range(10)))

    def find(self, namespace, pod, container, previous):
        if pod != "web":
            raise LookupError(f'pods "{pod}" not found')
        if previous:
            raise ValueError("previous terminated container not found")
        return LogSource(self.path, lambda: self.live)

    async def open(self, target):
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        writer.write(f"GET {target} HTTP/1.1\r\nHost: node\r\n\r\n".encode())
        return reader, writer

    async def get(self, query="", pod="web"):
        """(status, body)"""
        reader, writer = await self.open(f"/containerLogs/default/{pod}/web{query}")
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = b"".join([chunk async for chunk in chunks(reader)])
        writer.close()
        return int(head.split()[1]), body.decode()


async def chunks(reader):
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)


@pytest_asyncio.fixture
async def node(home):
    made = Node(home)
    task = asyncio.create_task(serve_node(made.socket, made.find, lambda: NOW))
    await eventually(made.socket.exists)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "".join(f"line {n}\n" for n in range(10))),
        ("?tailLines=2", "line 8\nline 9\n"),
        ("?tailLines=0", ""),
        ("?tailLines=100", "".join(f"line {n}\n" for n in range(10))),
        ("?sinceTime=2026-01-01T00:00:08Z", "line 8\nline 9\n"),
        ("?sinceSeconds=52", "line 8\nline 9\n"),
        ("?limitBytes=9", "line 0\nli"),
        ("?tailLines=1&timestamps=true", "2026-01-01T00:00:09.000000001Z line 9\n"),
    ],
)
async def test_lines(node, query, expected):
    assert await node.get(query) == (200, expected)


async def test_refusals_are_sentences(node):
    assert await node.get(pod="other") == (404, 'pods "other" not found')
    assert await node.get("?previous=true") == (400, "previous terminated container not found")
    assert (await node.get("?tailLines=many"))[0] == 400


async def test_long_lines_are_put_together_again(node):
    node.path.write_text(line(1, "a" * 10, "P") + line(1, "b" * 10) + line(2, "next"))
    assert await node.get() == (200, "a" * 10 + "b" * 10 + "\nnext\n")


async def test_following_sees_what_is_added_and_ends_with_the_container(node):
    node.live = True
    reader, writer = await node.open("/containerLogs/default/web/web?follow=true&tailLines=1")
    await reader.readuntil(b"\r\n\r\n")
    following = chunks(reader)
    assert await asyncio.wait_for(anext(following), 5) == b"line 9\n"
    with node.path.open("a") as file:
        file.write(line(11, "line 10"))
    assert await asyncio.wait_for(anext(following), 5) == b"line 10\n"
    with node.path.open("a") as file:
        file.write(line(12, "last words"))
    node.live = False
    assert b"".join([chunk async for chunk in following]) == b"last words\n"
    writer.close()


async def test_a_follower_that_hangs_up_is_let_go(node):
    node.live = True
    before = len(asyncio.all_tasks())
    _, writer = await node.open("/containerLogs/default/web/web?follow=true")
    await eventually(lambda: len(asyncio.all_tasks()) > before)
    writer.close()
    await eventually(lambda: len(asyncio.all_tasks()) <= before)


@pytest.mark.parametrize("n", [1, 2, 5, 10, 11])
async def test_the_tail_begins_where_it_should(node, n):
    text = node.path.read_text()[tail_offset(node.path, n) :]
    assert text.count("\n") == min(n, 10)
    assert not text or text.startswith("2026")


async def test_last_output(node):
    assert last_output(node.path, 100, 2) == "line 8\nline 9\n"
    assert last_output(node.path, 6, 5) == "ine 9\n"
    assert last_output(node.path.with_name("none"), 100, 2) == ""
