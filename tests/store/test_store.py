"""One behaviour for every store: what the API server may rely on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drumroll.objects.meta import Revision
from drumroll.store.interface import Compacted, Draft, Record, Stale, Store, Unavailable, Write
from drumroll.store.memory import MemoryStore
from drumroll.store.sqlite import SqliteStore
from drumroll.store.state import Window

pytestmark = pytest.mark.asyncio


KINDS = ["memory", "sqlite"]


def make(kind: str, folder: Path, window: Window) -> Store:
    return MemoryStore(window) if kind == "memory" else SqliteStore.open(folder / "s.db", window)


@pytest_asyncio.fixture(params=KINDS)
async def store(request, tmp_path) -> AsyncIterator[Store]:
    made = make(request.param, tmp_path, Window())
    yield made
    await made.close()


@pytest_asyncio.fixture(params=KINDS)
async def short_store(request, tmp_path) -> AsyncIterator[Store]:
    """A store that remembers five changes."""
    made = make(request.param, tmp_path, Window(changes=5))
    yield made
    await made.close()


def draft(text: str) -> Draft:
    return Draft(f"{text}@".encode(), b".")


async def put(store: Store, key: str, text: str, expect: int = 0, *, deleted: bool = False) -> Record:
    return await store.write(Write("pods", key, draft(text), Revision(expect), deleted))


async def test_a_write_gets_the_next_revision_and_carries_it(store):
    first = await put(store, "a/x", "one")
    second = await put(store, "a/y", "two")
    assert (first.revision, second.revision, store.revision) == (1, 2, 2)
    assert store.get("pods", "a/x") == Record("a/x", Revision(1), b"one@1.")


async def test_a_stale_write_is_refused_and_changes_nothing(store):
    await put(store, "a/x", "one")
    await put(store, "a/x", "two", 1)
    with pytest.raises(Stale) as caught:
        await put(store, "a/x", "three", 1)
    assert caught.value.current.value == b"two@2."
    with pytest.raises(Stale):
        await put(store, "a/x", "new", 0)
    assert (store.revision, store.get("pods", "a/x").value) == (2, b"two@2.")


async def test_of_many_writers_of_one_key_exactly_one_wins(store):
    await put(store, "a/x", "one")
    results = await asyncio.gather(*(put(store, "a/x", f"w{n}", 1) for n in range(20)), return_exceptions=True)
    assert sum(isinstance(result, Record) for result in results) == 1
    assert store.revision == 2


async def test_writes_at_the_same_moment_get_consecutive_revisions_in_order_of_arrival(store):
    results = await asyncio.gather(*(put(store, f"a/{n:03}", "v") for n in range(200)))
    assert [record.revision for record in results] == list(range(1, 201))


async def test_a_deleted_key_is_gone_and_can_be_created_again(store):
    await put(store, "a/x", "one")
    last = await put(store, "a/x", "last", 1, deleted=True)
    assert (last.value, store.get("pods", "a/x"), store.select("pods")) == (b"last@2.", None, [])
    assert (await put(store, "a/x", "again")).revision == 3


async def test_a_selection_is_in_key_order_and_keeps_to_its_prefix(store):
    for key in ("b/x", "a/y", "a/x", "a-b/z", "ab/w"):
        await put(store, key, "v")
    assert [record.key for record in store.select("pods", "a/")] == ["a/x", "a/y"]
    assert [record.key for record in store.select("pods")] == ["a-b/z", "a/x", "a/y", "ab/w", "b/x"]
    assert store.select("nodes") == []


async def test_an_earlier_state_can_be_selected(store):
    await put(store, "a/x", "one")
    await put(store, "a/y", "two")
    await put(store, "a/x", "three", 1)
    await put(store, "a/y", "last", 2, deleted=True)
    await put(store, "a/z", "new")
    found = {n: [r.value for r in store.select_at("pods", "a/", Revision(n))] for n in range(1, 6)}
    assert found[1] == [b"one@1."]
    assert found[2] == [b"one@1.", b"two@2."]
    assert found[3] == [b"three@3.", b"two@2."]
    assert found[4] == [b"three@3."]
    assert found[5] == [b"three@3.", b"new@5."]


async def test_a_reader_gets_every_later_change_once_and_in_order(store):
    await put(store, "a/x", "one")
    reader = store.subscribe("pods", Revision(1))
    await put(store, "a/x", "two", 1)
    await put(store, "a/x", "last", 2, deleted=True)
    await reader.wait()
    seen = [(c.record.revision, c.deleted, c.previous.value) for c in reader.take()]
    assert seen == [(2, False, b"one@1."), (3, True, b"two@2.")]
    assert list(reader.take()) == []
    reader.close()


async def test_a_reader_may_start_in_the_past(store):
    for n in range(3):
        await put(store, f"a/{n}", "v")
    reader = store.subscribe("pods", Revision(1))
    await reader.wait()
    assert [change.record.revision for change in reader.take()] == [2, 3]


async def test_a_waiting_reader_is_woken_by_a_write_and_by_nothing_else(store):
    reader = store.subscribe("pods", Revision(0))
    waiting = asyncio.create_task(reader.wait())
    await store.write(Write("nodes", "n", draft("v"), Revision(0)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await put(store, "a/x", "v")
    await asyncio.wait_for(waiting, 5)
    assert len(reader.take()) == 1


async def test_history_is_bounded_and_what_is_older_is_refused(short_store):
    for n in range(12):
        await put(short_store, f"a/{n:02}", "v")
    with pytest.raises(Compacted):
        short_store.subscribe("pods", Revision(3))
    with pytest.raises(Compacted):
        short_store.select_at("pods", "", Revision(3))
    assert len(short_store.select_at("pods", "", Revision(8))) == 8
    assert len(short_store.select("pods")) == 12


async def test_a_reader_that_falls_behind_the_window_is_told(short_store):
    reader = short_store.subscribe("pods", Revision(0))
    for n in range(12):
        await put(short_store, f"a/{n:02}", "v")
    with pytest.raises(Compacted):
        reader.take()


async def test_a_closed_store_refuses_writes_and_still_reads(store):
    await put(store, "a/x", "one")
    await store.close()
    with pytest.raises(Unavailable):
        await put(store, "a/y", "two")
    assert store.get("pods", "a/x").value == b"one@1."


async def test_derived_forms_are_dropped_once_a_change_is_old(store):
    """Decoded objects weigh ten times their bytes: kept for the whole history they would fill the memory."""
    reader = store.subscribe("pods", Revision(0))
    await put(store, "a/first", "v")
    (first,) = reader.take()
    first.derived["form"] = object()
    for n in range(600):
        await put(store, f"a/{n}", "v")
    assert first.derived == {}
