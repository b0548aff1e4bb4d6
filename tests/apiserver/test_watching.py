"""Watches: what is sent first, what follows, what a selector makes of it, and how they end."""

import asyncio

import pytest

from drumroll.apiserver import watching
from drumroll.store.memory import MemoryStore
from drumroll.store.state import Window
from tests.apiserver.server import CONFIG_MAPS, Server, config_map

pytestmark = pytest.mark.asyncio
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def revision(server: Server) -> str:
    return (await server.made("GET", CONFIG_MAPS))["metadata"]["resourceVersion"]


async def test_a_watch_from_a_revision_sends_what_came_after_it_in_order(server):
    await server.made("POST", CONFIG_MAPS, config_map("old"))
    since = await revision(server)
    async with server.watching(f"{CONFIG_MAPS}?resourceVersion={since}") as watch:
        await server.made("POST", CONFIG_MAPS, config_map("new"))
        await server.made("PATCH", f"{CONFIG_MAPS}/new", {"data": {"k": "w"}})
        await server.made("DELETE", f"{CONFIG_MAPS}/new")
        assert await watch.named(3) == [("ADDED", "new"), ("MODIFIED", "new"), ("DELETED", "new")]


@pytest.mark.parametrize("since", ["", "?resourceVersion=0"], ids=["without a revision", "from revision 0"])
async def test_a_watch_from_nowhere_begins_with_what_exists(server, since):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    async with server.watching(CONFIG_MAPS + since) as watch:
        assert await watch.named(1) == [("ADDED", "a")]
        await server.made("POST", CONFIG_MAPS, config_map("b"))
        assert await watch.named(1) == [("ADDED", "b")]


async def test_a_deleted_object_is_sent_with_the_revision_of_its_deletion(server):
    made = await server.made("POST", CONFIG_MAPS, config_map("a"))
    before = int(made["metadata"]["resourceVersion"])
    async with server.watching(f"{CONFIG_MAPS}?resourceVersion={before}") as watch:
        await server.made("DELETE", f"{CONFIG_MAPS}/a")
        event = await watch.next()
    assert event["type"] == "DELETED"
    assert int(event["object"]["metadata"]["resourceVersion"]) == before + 1


async def test_an_object_that_leaves_the_selection_is_deleted_and_one_that_enters_is_added(server):
    await server.made("POST", CONFIG_MAPS, config_map("a", color="red"))
    since = await revision(server)
    path = f"{CONFIG_MAPS}?resourceVersion={since}&labelSelector=color=red"
    async with server.watching(path) as watch:
        await server.made("POST", CONFIG_MAPS, config_map("other", color="blue"))
        await server.made("PATCH", f"{CONFIG_MAPS}/a", {"data": {"k": "w"}})
        left = await server.made("PATCH", f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"color": "blue"}}})
        await server.made("PATCH", f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"color": "red"}}})
        events = [await watch.next() for _ in range(3)]
    assert [event["type"] for event in events] == ["MODIFIED", "DELETED", "ADDED"]
    gone = events[1]["object"]["metadata"]
    assert gone["labels"]["color"] == "red"
    assert gone["resourceVersion"] == left["metadata"]["resourceVersion"]


async def test_a_watch_of_one_name_sees_only_that_object(server):
    async with server.watching(f"{CONFIG_MAPS}?fieldSelector=metadata.name=b") as watch:
        for name in ("a", "b", "c"):
            await server.made("POST", CONFIG_MAPS, config_map(name))
        await server.made("DELETE", f"{CONFIG_MAPS}/b")
        assert await watch.named(2) == [("ADDED", "b"), ("DELETED", "b")]


async def test_a_watch_of_one_namespace_does_not_see_another(server):
    async with server.watching(CONFIG_MAPS) as watch, server.watching("/api/v1/configmaps") as everywhere:
        await server.made("POST", "/api/v1/namespaces/kube-public/configmaps", config_map("far"))
        await server.made("POST", CONFIG_MAPS, config_map("near"))
        assert await watch.named(1) == [("ADDED", "near")]
        assert await everywhere.named(2) == [("ADDED", "far"), ("ADDED", "near")]


async def test_initial_events_end_with_a_marked_bookmark(server):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    options = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with server.watching(f"{CONFIG_MAPS}?{options}") as watch:
        assert await watch.named(1) == [("ADDED", "a")]
        bookmark = await watch.next()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark["object"]["metadata"]["resourceVersion"] == await revision(server)


async def test_a_quiet_watch_gets_bookmarks_that_are_true(server, monkeypatch):
    monkeypatch.setattr(watching, "BOOKMARK_SECONDS", 0.02)
    since = await revision(server)
    async with server.watching(f"{CONFIG_MAPS}?resourceVersion={since}&allowWatchBookmarks=true") as watch:
        await server.made("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
        bookmark = await watch.next()
    assert bookmark["type"] == "BOOKMARK"
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) == int(since) + 1


async def test_a_watch_ends_when_its_time_is_over(server):
    async with server.watching(f"{CONFIG_MAPS}?timeoutSeconds=1&resourceVersion={await revision(server)}") as watch:
        with pytest.raises(StopAsyncIteration):
            await watch.next()


async def test_a_watch_from_a_forgotten_revision_gets_an_error_event_with_410():
    server = Server(MemoryStore(Window(changes=3)))
    await server.api.prepare()
    for n in range(5):
        await server.made("POST", CONFIG_MAPS, config_map(f"c{n}"))
    async with server.watching(f"{CONFIG_MAPS}?resourceVersion=1") as watch:
        event = await watch.next()
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


async def test_a_watch_may_ask_for_tables(server):
    async with server.watching(CONFIG_MAPS, accept=TABLE) as watch:
        await server.made("POST", CONFIG_MAPS, config_map("a"))
        event = await watch.next()
    assert (event["type"], event["object"]["kind"]) == ("ADDED", "Table")
    assert event["object"]["rows"][0]["cells"][0] == "a"


async def test_an_abandoned_watch_leaves_nothing_behind(server):
    readers = server.store._state.collection("configmaps").readers
    async with server.watching(CONFIG_MAPS):
        pass
    response = await server.send("GET", f"{CONFIG_MAPS}?watch=true")
    del response
    await asyncio.sleep(0)
    assert len(readers) == 0


async def test_every_watcher_sees_every_change_exactly_once_while_many_write(server):
    since = await revision(server)
    path = f"{CONFIG_MAPS}?resourceVersion={since}"
    async with server.watching(path) as first, server.watching(path) as second:
        await asyncio.gather(*(server.made("POST", CONFIG_MAPS, config_map(f"c{n}")) for n in range(50)))
        seen = await first.named(50)
        assert sorted(name for _, name in seen) == sorted(f"c{n}" for n in range(50))
        assert await second.named(50) == seen
