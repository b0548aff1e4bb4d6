"""Lists: pages that belong to one moment, revisions, selectors, forms."""

import pytest

from drumroll.store.memory import MemoryStore
from drumroll.store.state import Window
from tests.apiserver.server import CONFIG_MAPS, Server, config_map

pytestmark = pytest.mark.asyncio


def names(listing) -> list[str]:
    return [item["metadata"]["name"] for item in listing["items"]]


async def test_pages_show_one_moment_whatever_is_written_between_them(server):
    for name in "abcde":
        await server.made("POST", CONFIG_MAPS, config_map(name))
    first = await server.made("GET", f"{CONFIG_MAPS}?limit=2")
    await server.made("DELETE", f"{CONFIG_MAPS}/c")
    await server.made("POST", CONFIG_MAPS, config_map("bb"))
    second = await server.made("GET", f"{CONFIG_MAPS}?limit=2&continue={first['metadata']['continue']}")
    third = await server.made("GET", f"{CONFIG_MAPS}?limit=2&continue={second['metadata']['continue']}")
    assert [names(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert {page["metadata"]["resourceVersion"] for page in (first, second, third)} == {
        first["metadata"]["resourceVersion"]
    }
    assert (first["metadata"]["remainingItemCount"], "continue" in third["metadata"]) == (3, False)


async def test_a_page_of_a_forgotten_moment_is_410():
    server = Server(MemoryStore(Window(changes=3)))
    await server.api.prepare()
    for name in "abcde":
        await server.made("POST", CONFIG_MAPS, config_map(name))
    first = await server.made("GET", f"{CONFIG_MAPS}?limit=2")
    for n in range(5):
        await server.made("PATCH", f"{CONFIG_MAPS}/a", {"data": {"k": str(n)}})
    status, answer = await server.call("GET", f"{CONFIG_MAPS}?limit=2&continue={first['metadata']['continue']}")
    assert (status, answer["reason"]) == (410, "Expired")


async def test_a_limit_counts_selected_objects_only(server):
    for n in range(9):
        await server.made("POST", CONFIG_MAPS, config_map(f"c{n}", third=str(n % 3 == 0)))
    first = await server.made("GET", f"{CONFIG_MAPS}?limit=2&labelSelector=third=True")
    rest = await server.made(
        "GET", f"{CONFIG_MAPS}?limit=2&labelSelector=third=True&continue={first['metadata']['continue']}"
    )
    assert (names(first), names(rest)) == (["c0", "c3"], ["c6"])


async def test_a_list_of_an_exact_revision_shows_the_past(server):
    made = await server.made("POST", CONFIG_MAPS, config_map("a"))
    await server.made("POST", CONFIG_MAPS, config_map("b"))
    then = made["metadata"]["resourceVersion"]
    listing = await server.made("GET", f"{CONFIG_MAPS}?resourceVersion={then}&resourceVersionMatch=Exact")
    assert (names(listing), listing["metadata"]["resourceVersion"]) == (["a"], then)


async def test_a_revision_that_is_still_to_come_is_a_timeout(server):
    assert "Too large resource version" in await server.refused(504, "GET", f"{CONFIG_MAPS}?resourceVersion=99999")


async def test_an_empty_list_is_a_list(server):
    listing = await server.made("GET", CONFIG_MAPS)
    assert (listing["kind"], listing["items"]) == ("ConfigMapList", [])


async def test_items_are_valid_objects_without_kind(server):
    made = await server.made("POST", CONFIG_MAPS, config_map("a"))
    listing = await server.made("GET", CONFIG_MAPS)
    assert {"apiVersion": "v1", "kind": "ConfigMap", **listing["items"][0]} == made


async def test_yaml_is_served_to_those_who_ask(server):
    response = await server.send("GET", CONFIG_MAPS, accept="application/yaml")
    assert response.content_type == "application/yaml"
    assert response.body.startswith(b"apiVersion: v1")


async def test_one_event_is_seen_by_both_event_apis(server):
    event = {
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "namespace": "default", "name": "p"},
        "note": "hello",
        "reason": "Tested",
        "type": "Normal",
        "action": "Testing",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "drumroll.dev/test",
        "reportingInstance": "test-1",
    }
    await server.made("POST", "/apis/events.k8s.io/v1/namespaces/default/events", event)
    core = await server.made("GET", "/api/v1/namespaces/default/events/e")
    assert (core["kind"], core["message"], core["involvedObject"]["name"]) == ("Event", "hello", "p")
    other = await server.made("GET", "/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=regarding.name=p")
    assert (other["items"][0]["note"], other["apiVersion"]) == ("hello", "events.k8s.io/v1")


async def test_an_event_is_forgotten_an_hour_after_it_was_last_seen(server):
    events = "/api/v1/namespaces/default/events"
    involved = {"kind": "Pod", "namespace": "default", "name": "p"}
    await server.made("POST", events, {"metadata": {"name": "old"}, "involvedObject": involved})
    server.clock.forward(1800)
    await server.made("POST", events, {"metadata": {"name": "new"}, "involvedObject": involved})
    server.clock.forward(1801)
    await server.api.forget_events()
    assert names(await server.made("GET", events)) == ["new"]
