"""Informers against the real API server, over a transport that can be cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from typing import Any

import pytest

from drumroll.apiserver import ApiServer
from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.client.informer import Informer
from drumroll.client.inprocess import InProcessTransport
from drumroll.objects.clock import now
from drumroll.objects.errors import Expired, ServiceUnavailable
from drumroll.objects.kinds import CONFIG_MAP, EVENT
from drumroll.objects.meta import Key, Obj
from drumroll.objects.wire import Request, Response, User
from drumroll.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
ADMIN = User("admin", ("system:masters",))


class Wire:
    """A transport whose connection can be cut and mended, and whose next watch can be told that it is too old."""

    def __init__(self, inner: InProcessTransport) -> None:
        self.inner = inner
        self.is_up = True
        self.is_too_old = False
        self.requests = 0
        self.streams = 0
        self._cut = asyncio.Event()

    async def cut(self) -> None:
        """Return when no stream is left."""
        self.is_up = False
        self._cut.set()
        async with asyncio.timeout(10):
            while self.streams:
                await asyncio.sleep(0.005)

    def mend(self) -> None:
        self.is_up = True
        self._cut = asyncio.Event()

    async def send(self, request: Request) -> Response:
        self.requests += 1
        if not self.is_up:
            raise ServiceUnavailable("cut")
        return await self.inner.send(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        self.requests += 1
        if not self.is_up:
            raise ServiceUnavailable("cut")
        if self.is_too_old:
            self.is_too_old = False
            raise Expired("too old resource version")
        self.streams += 1
        try:
            async with self.inner.stream(request) as lines:
                yield self._until_cut(lines)
        finally:
            self.streams -= 1

    async def _until_cut(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        cut = asyncio.ensure_future(self._cut.wait())
        line: asyncio.Future[bytes] | None = None
        try:
            while True:
                line = asyncio.ensure_future(anext(lines))
                await asyncio.wait({line, cut}, return_when=asyncio.FIRST_COMPLETED)
                if not line.done():
                    raise ServiceUnavailable("cut")
                yield line.result()
        finally:
            cut.cancel()
            if line is not None and not line.done():
                line.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await line


class Place:
    def __init__(self, api: ApiServer) -> None:
        self.wire = Wire(InProcessTransport(api.handle, ADMIN))
        self.client = Client(InProcessTransport(api.handle, ADMIN))
        self.informer = Informer(Client(self.wire), CONFIG_MAP, "default", label_selector="app")
        self.seen: list[tuple[str, str]] = []
        self.informer.subscribe(self._note)

    def _note(self, old: Obj | None, new: Obj | None) -> None:
        what = "added" if old is None else "deleted" if new is None else "changed"
        self.seen.append((what, ((new or old) or {})["metadata"]["name"]))

    async def put(self, name: str, **labels: str) -> Obj:
        meta = {"name": name, "namespace": "default", "labels": labels or {"app": "web"}}
        return await self.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})

    def names(self) -> set[str]:
        return {one["metadata"]["name"] for one in self.informer.items()}

    async def reaches(self, names: set[str]) -> None:
        async with asyncio.timeout(10):
            await self.informer.wait_until(lambda: self.names() == names)


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    api = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=now)
    await api.prepare()
    found = Place(api)
    task = asyncio.create_task(found.informer.run())
    try:
        async with asyncio.timeout(10):
            await found.informer.wait_synced()
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_it_follows_what_its_selector_matches() -> None:
    async with place() as here:
        await here.put("a")
        await here.put("b", other="x")
        await here.put("c")
        await here.reaches({"a", "c"})
        await here.client.delete(CONFIG_MAP, "default", "a")
        await here.client.patch(CONFIG_MAP, "default", "c", {"metadata": {"labels": {"app": None}}})
        await here.reaches(set())
        assert here.seen == [("added", "a"), ("added", "c"), ("deleted", "a"), ("deleted", "c")]


async def test_waiting_for_a_revision_returns_when_the_write_is_seen() -> None:
    async with place() as here:
        written = await here.put("a")
        async with asyncio.timeout(10):
            await here.informer.wait_revision(written["metadata"]["resourceVersion"])
        assert here.informer.get(Key("default", "a")) == written


async def test_after_a_cut_it_goes_on_where_it_was_and_does_not_hammer() -> None:
    async with place() as here:
        await here.put("a")
        await here.reaches({"a"})
        await here.wire.cut()
        before = here.wire.requests
        await here.put("b")
        await here.client.delete(CONFIG_MAP, "default", "a")
        await asyncio.sleep(0.5)  # time in which an eager loop would show itself
        assert here.wire.requests - before <= 4
        here.wire.mend()
        await here.reaches({"b"})
        assert here.seen == [("added", "a"), ("added", "b"), ("deleted", "a")]


async def test_when_its_revision_is_too_old_it_lists_again_and_tells_the_differences_only() -> None:
    async with place() as here:
        await here.put("a")
        await here.put("b")
        await here.reaches({"a", "b"})
        await here.wire.cut()
        await here.put("c")
        await here.client.delete(CONFIG_MAP, "default", "a")
        here.wire.is_too_old = True
        here.wire.mend()
        await here.reaches({"b", "c"})
        assert here.seen == [("added", "a"), ("added", "b"), ("deleted", "a"), ("added", "c")]


async def test_objects_are_found_by_owner_and_no_longer_when_it_changes() -> None:
    async with place() as here:
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u1"}
        await here.put("a")
        await here.client.patch(CONFIG_MAP, "default", "a", {"metadata": {"ownerReferences": [owner]}})
        async with asyncio.timeout(10):
            await here.informer.wait_until(lambda: len(here.informer.by_owner("u1")) == 1)
        await here.client.patch(CONFIG_MAP, "default", "a", {"metadata": {"ownerReferences": None}})
        async with asyncio.timeout(10):
            await here.informer.wait_until(lambda: not here.informer.by_owner("u1"))


async def test_a_late_subscriber_hears_of_everything() -> None:
    async with place() as here:
        await here.put("a")
        await here.reaches({"a"})
        heard: list[str] = []
        here.informer.subscribe(lambda old, new: heard.append((new or {})["metadata"]["name"]))
        assert heard == ["a"]


async def test_events_are_written_in_order_and_counted() -> None:
    async with place() as here:
        one = await here.put("a")
        recorder = EventRecorder(here.client, "tester", now, host="n1")
        task = asyncio.create_task(recorder.run())
        for message in ("first", "second", "first"):
            recorder.record(one, "Normal", "Tested", message)
        async with asyncio.timeout(10):
            while sum(event["count"] for event in (await here.client.list(EVENT, "default")).items) < 3:
                await asyncio.sleep(0.01)
        task.cancel()
        events = (await here.client.list(EVENT, "default")).items
        assert [(event["message"], event["count"]) for event in events] == [("first", 2), ("second", 1)]
        assert events[0]["source"] == {"component": "tester", "host": "n1"}


async def test_informers_of_one_client_share_a_watch_and_the_objects() -> None:
    async with place() as here:
        await here.put("a")
        await here.reaches({"a"})
        requests = here.wire.requests
        second = Informer(here.informer._client, CONFIG_MAP, "default", label_selector="app")
        async with following(second):
            assert here.wire.requests == requests
            assert second.get(Key("default", "a")) is here.informer.get(Key("default", "a"))
            await here.put("b")
            async with asyncio.timeout(10):
                await second.wait_until(lambda: len(second.items()) == 2)
            assert here.names() == {"a", "b"}
        await here.put("c")
        await here.reaches({"a", "b", "c"})
        assert len(second.items()) == 2


async def test_a_feed_ends_with_its_last_follower_and_begins_anew() -> None:
    async with place() as here:
        other = Informer(here.informer._client, CONFIG_MAP, "default")
        async with following(other):
            assert here.wire.streams == 2
        assert here.wire.streams == 1
        await here.put("a", app="x", other="x")
        async with following(other):
            async with asyncio.timeout(10):
                await other.wait_until(lambda: other.get(Key("default", "a")) is not None)


async def test_a_follower_that_fails_ends_alone() -> None:
    async with place() as here:
        bad = Informer(here.informer._client, CONFIG_MAP, "default", label_selector="app")

        def fail(_old: Obj | None, new: Obj | None) -> None:
            raise ValueError((new or {})["metadata"]["name"])

        bad.subscribe(fail)
        task = asyncio.create_task(bad.run())
        async with asyncio.timeout(10):
            await bad.wait_synced()
            await here.put("a")
            await here.reaches({"a"})
            with pytest.raises(ValueError, match="a"):
                await task
        await here.put("b")
        await here.reaches({"a", "b"})


async def test_a_selection_from_a_shared_feed_is_what_a_watch_with_a_selector_tells() -> None:
    async with place() as here:
        await here.put("before", app="web", tier="x")
        stories: list[list[tuple[Any, ...]]] = []
        everything = Informer(here.informer._client, CONFIG_MAP)
        alone = Informer(Client(here.wire), CONFIG_MAP, label_selector="tier=x")
        chosen = Informer(here.informer._client, CONFIG_MAP, label_selector="tier=x")
        for informer in (alone, chosen):
            story: list[tuple[Any, ...]] = []
            informer.subscribe(lambda *states, story=story: story.append(tuple(map(_seen, states))))
            stories.append(story)
        async with following(everything), following(alone), following(chosen):
            assert here.wire.streams == 3  # that of the place, of everything and of the lone one
            await here.put("a", app="web", tier="x")
            await here.put("b", app="web")
            await here.client.patch(CONFIG_MAP, "default", "b", {"metadata": {"labels": {"tier": "x"}}})
            await here.client.patch(CONFIG_MAP, "default", "a", {"data": {"k": "v"}})
            await here.client.patch(CONFIG_MAP, "default", "a", {"metadata": {"labels": {"tier": None}}})
            await here.client.delete(CONFIG_MAP, "default", "before")
            last = await here.client.patch(CONFIG_MAP, "default", "a", {"data": {"k": "w"}})
            async with asyncio.timeout(10):
                await chosen.wait_revision(last["metadata"]["resourceVersion"])
                await alone.wait_until(lambda: {one["metadata"]["name"] for one in alone.items()} == {"b"})
        assert stories[0] == stories[1]
        assert len(stories[0]) == 6


def _seen(obj: Obj | None) -> tuple[Any, ...] | None:
    if obj is None:
        return None
    return obj["metadata"]["name"], obj["metadata"]["labels"], obj["metadata"]["resourceVersion"]


@asynccontextmanager
async def following(informer: Informer) -> AsyncIterator[None]:
    task = asyncio.create_task(informer.run())
    try:
        async with asyncio.timeout(10):
            await informer.wait_synced()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
