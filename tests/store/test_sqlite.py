"""What only a store on disk can promise: nothing acknowledged is lost, whatever dies or fills up."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from drumroll.objects.meta import Revision
from drumroll.store import sqlite
from drumroll.store.interface import Compacted, Damaged, Draft, Unavailable, Write
from drumroll.store.recovery import Recovery, recover
from drumroll.store.sqlite import SqliteStore
from drumroll.store.state import Window

WRITER = """
import asyncio, sys
from pathlib import Path
from drumroll.objects.meta import Revision
from drumroll.store.interface import Draft, Write
from drumroll.store.sqlite import SqliteStore
from drumroll.store.state import Window

async def main():
    store = SqliteStore.open(Path(sys.argv[1]), Window(changes=300))
    async def worker(me):
        revision = 0
        for n in range(100000):
            draft = Draft(b'{"r":', b',"me":%d,"n":%d,"pad":"%s"}' % (me, n, b"x" * 700))
            deleted = n % 7 == 6
            record = await store.write(Write("pods", f"w/{me}", draft, Revision(revision), deleted))
            revision = 0 if deleted else record.revision
            sys.stdout.write(f"{me} {n} {record.revision}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(worker(me) for me in range(8)))

asyncio.run(main())
"""


def write(key: str, text: str, expect: int = 0, *, deleted: bool = False) -> Write:
    return Write("pods", key, Draft(f"{text}@".encode(), b"."), Revision(expect), deleted)


def contents(store: SqliteStore) -> dict[str, bytes]:
    return {record.key: record.value for record in store.select("pods")}


def rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as db:
        return [revision for (revision,) in db.execute("SELECT revision FROM log ORDER BY revision")]


def fill(path: Path) -> None:
    """Write until the file system is full."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


@pytest.mark.asyncio
async def test_what_was_written_is_there_after_opening_again(tmp_path):
    store = SqliteStore.open(tmp_path / "s.db")
    await store.write(write("a/x", "one"))
    await store.write(write("a/y", "two"))
    await store.write(write("a/x", "three", 1))
    await store.write(write("a/y", "last", 2, deleted=True))
    before = contents(store)
    await store.close()
    again = SqliteStore.open(tmp_path / "s.db")
    assert (contents(again), again.revision) == (before, 4)
    assert (await again.write(write("a/z", "new"))).revision == 5
    await again.close()


@pytest.mark.asyncio
async def test_a_watch_resumes_over_a_restart(tmp_path):
    store = SqliteStore.open(tmp_path / "s.db")
    for n in range(5):
        await store.write(write("a/x", f"v{n}", n))
    await store.write(write("a/x", "last", 5, deleted=True))
    await store.close()
    again = SqliteStore.open(tmp_path / "s.db")
    reader = again.subscribe("pods", Revision(2))
    seen = [(c.record.revision, c.deleted, c.previous.value) for c in reader.take()]
    assert seen == [
        (3, False, b"v1@2."), (4, False, b"v2@3."), (5, False, b"v3@4."), (6, True, b"v4@5."),
    ]  # fmt: skip
    await again.close()


@pytest.mark.asyncio
async def test_compaction_shrinks_the_file_and_keeps_every_current_object(tmp_path):
    path = tmp_path / "s.db"
    store = SqliteStore.open(path, Window(changes=10))
    await store.write(write("a/kept", "old"))
    revision = 0
    for n in range(100):
        revision = (await store.write(write("a/x", f"v{n}", revision))).revision
    await store.close()
    assert len(rows(path)) <= 14
    again = SqliteStore.open(path, Window(changes=10))
    assert contents(again) == {"a/kept": b"old@1.", "a/x": f"v99@{revision}.".encode()}
    assert again.revision == revision
    with pytest.raises(Compacted):
        again.subscribe("pods", Revision(50))
    again.subscribe("pods", Revision(revision - 5))
    await again.close()


@pytest.mark.asyncio
async def test_what_is_useless_on_disk_is_deleted_once_it_is_calm(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "_CALM_SECONDS", 0.01)
    path = tmp_path / "s.db"
    store = SqliteStore.open(path, Window(changes=10))
    revision = 0
    for n in range(100):
        revision = (await store.write(write("a/x", f"v{n}", revision))).revision
    async with asyncio.timeout(20):
        while store._leftovers or store._sweeping is not None:
            await asyncio.sleep(0.01)
    store._journal.close()  # as a crash would
    assert len(rows(path)) == 11  # the history, and the state before it
    again = SqliteStore.open(path, Window(changes=10))
    assert contents(again) == {"a/x": f"v99@{revision}.".encode()}
    await again.close()
    await store.close()


@pytest.mark.asyncio
async def test_a_crash_before_the_sweep_loses_nothing_and_leaves_nothing_for_ever(tmp_path):
    path = tmp_path / "s.db"
    store = SqliteStore.open(path, Window(changes=10))
    for n in range(0, 60, 3):
        await store.write(write("a/x", f"v{n}"))
        await store.write(write("a/x", f"v{n}", n + 1))
        await store.write(write("a/x", "last", n + 2, deleted=True))
    await store.write(write("a/kept", "new"))
    await store._sweep(7)  # some, which end between a write and its deletion
    await store._sweep(8)
    store._journal.close()  # as a crash would
    again = SqliteStore.open(path, Window(changes=10))
    assert contents(again) == {"a/kept": b"new@61."}
    with pytest.raises(Compacted):
        again.subscribe("pods", Revision(45))
    again.subscribe("pods", Revision(51))
    await again.close()
    assert len(rows(path)) <= 12


@pytest.mark.asyncio
async def test_the_file_is_for_its_owner_only(tmp_path):
    store = SqliteStore.open(tmp_path / "store" / "s.db")
    await store.write(write("a/x", "secret"))
    files = list((tmp_path / "store").iterdir())
    assert {path.name for path in files} == {"s.db", "s.db-wal"}
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []
    await store.close()


@pytest.mark.asyncio
async def test_a_second_process_is_refused(tmp_path):
    store = SqliteStore.open(tmp_path / "s.db")
    code = (
        "import sys\nfrom pathlib import Path\nfrom drumroll.store.interface import Unavailable\n"
        "from drumroll.store.sqlite import SqliteStore\n"
        "try:\n    SqliteStore.open(Path(sys.argv[1]))\nexcept Unavailable as error:\n    print(error)\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "s.db")]
    found = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, timeout=30, check=True)
    assert "locked" in found.stdout
    await store.close()


@pytest.mark.asyncio
async def test_a_full_disk_refuses_writes_keeps_reads_and_heals_by_itself(tmp_path):
    """The limit is on the database, so that the test needs no file system of its own."""
    store = SqliteStore.open(tmp_path / "s.db")
    await store.write(write("a/x", "one"))
    limit = store._journal._connection().execute("PRAGMA page_count").fetchone()[0]
    store._journal._connection().execute(f"PRAGMA max_page_count = {limit}")
    with pytest.raises(Unavailable, match="full"):
        await store.write(write("a/big", "b" * 200_000))
    assert (store.revision, contents(store)) == (1, {"a/x": b"one@1."})
    assert (await store.write(write("a/y", "two"))).revision == 2
    await store.close()
    again = SqliteStore.open(tmp_path / "s.db")
    assert contents(again) == {"a/x": b"one@1.", "a/y": b"two@2."}
    await again.close()


@pytest.mark.container
@pytest.mark.asyncio
async def test_a_really_full_file_system_heals_once_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs leave to mount: {mounted.stderr.decode().strip()}")
    try:
        store = SqliteStore.open(disk / "s.db")
        await store.write(write("a/x", "one"))
        ballast = disk / "ballast"
        fill(ballast)
        with pytest.raises(Unavailable):
            await store.write(write("a/y", "y" * 100_000))
        assert contents(store) == {"a/x": b"one@1."}
        ballast.unlink()
        assert (await store.write(write("a/y", "two"))).revision == 2
        await store.close()
        again = SqliteStore.open(disk / "s.db")
        assert contents(again) == {"a/x": b"one@1.", "a/y": b"two@2."}
        await again.close()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.asyncio
async def test_a_file_that_became_read_only_refuses_writes_and_heals_by_itself(tmp_path):
    store = SqliteStore.open(tmp_path / "s.db")
    await store.write(write("a/x", "one"))
    store._journal._connection().execute("PRAGMA query_only = 1")
    with pytest.raises(Unavailable, match="readonly"):
        await store.write(write("a/y", "two"))
    assert (store.revision, contents(store)) == (1, {"a/x": b"one@1."})
    assert (await store.write(write("a/y", "two"))).revision == 2
    await store.close()


async def filled(path: Path) -> None:
    store = SqliteStore.open(path)
    for n in range(50):
        await store.write(write(f"a/{n}", "v" * 2000))
    await store.close()


@pytest.mark.parametrize(("start", "length"), [(0, 100), (5000, 40_000)])
def test_a_damaged_file_is_named_and_its_lock_given_back(tmp_path, start, length):
    path = tmp_path / "s.db"
    asyncio.run(filled(path))
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + b"\xa5" * length + whole[start + length :])
    with pytest.raises(Damaged, match=r"s\.db is damaged.*recovery"):
        SqliteStore.open(path)
    path.write_bytes(whole)
    again = SqliteStore.open(path)
    assert again.revision == 50
    asyncio.run(again.close())


@pytest.mark.parametrize("page", [6, 20, -1])
def test_what_can_be_read_of_a_damaged_file_comes_back(tmp_path, page):
    path, to = tmp_path / "s.db", tmp_path / "recovered.db"
    asyncio.run(filled(path))
    with path.open("r+b") as file:
        file.seek(page * 4096, os.SEEK_END if page < 0 else os.SEEK_SET)
        file.write(b"\xa5" * 4096)
    damaged = path.read_bytes()
    done = recover(path, to)
    assert path.read_bytes() == damaged
    assert 40 <= done.rows < 50
    store = SqliteStore.open(to)
    assert len(contents(store)) == done.rows
    with pytest.raises(Compacted):
        store.subscribe("pods", Revision(1))
    asyncio.run(_goes_on(store))


async def _goes_on(store: SqliteStore) -> None:
    before = store.revision
    assert (await store.write(write("a/new", "new"))).revision == before + 1
    await store.close()


def test_an_intact_file_is_recovered_whole_and_rubbish_is_refused(tmp_path):
    asyncio.run(filled(tmp_path / "s.db"))
    assert recover(tmp_path / "s.db", tmp_path / "to.db") == Recovery(50, 0)
    with pytest.raises(FileExistsError):
        recover(tmp_path / "s.db", tmp_path / "to.db")
    (tmp_path / "rubbish.db").write_bytes(b"rubbish" * 2000)
    with pytest.raises(sqlite3.DatabaseError):
        recover(tmp_path / "rubbish.db", tmp_path / "none.db")


def test_missing_writes_are_damage_and_not_silence(tmp_path):
    path = tmp_path / "s.db"
    asyncio.run(filled(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM log WHERE revision = 17")
    with pytest.raises(Damaged, match="writes 17 to 17 are missing"):
        SqliteStore.open(path)


@pytest.mark.asyncio
async def test_a_file_that_is_replaced_by_rubbish_while_open_refuses_writes_and_hangs_nobody(tmp_path):
    path = tmp_path / "s.db"
    store = SqliteStore.open(path)
    await store.write(write("a/x", "one"))
    store._journal.close()
    path.with_name("s.db-wal").unlink(missing_ok=True)
    path.write_bytes(b"rubbish" * 2000)
    for _ in range(2):
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable, match="damaged"):
                await store.write(write("a/y", "two"))
    assert contents(store) == {"a/x": b"one@1."}
    await store.close()


@pytest.mark.parametrize("acknowledged", [40, 700, 1500])
def test_kill_9_loses_no_acknowledged_write_and_shows_no_half_one(tmp_path, acknowledged):
    """Eight writers create, change and delete; the file must hold at least what each was told, and nothing torn."""
    path = tmp_path / "s.db"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    lines = []
    try:
        for line in child.stdout:
            lines.append(line)
            if len(lines) == acknowledged:
                os.kill(child.pid, signal.SIGKILL)
        lines = [line for line in lines if line.endswith("\n")]
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    asyncio.run(_check_survivors(path, lines))


async def _check_survivors(path: Path, lines: list[str]) -> None:
    last: dict[int, tuple[int, int]] = {}
    for line in lines:
        me, n, revision = map(int, line.split())
        last[me] = (n, revision)
    store = SqliteStore.open(path, Window(changes=300))
    assert store.revision >= max(revision for _, revision in last.values())
    for me, (n, revision) in last.items():
        record = store.get("pods", f"w/{me}")
        if record is None:
            assert n % 7 in (5, 6), "only a deletion may have come after the acknowledged write"
            continue
        value = json.loads(record.value)
        assert value["r"] == record.revision >= revision or n % 7 == 6
        assert value["n"] >= n
        assert len(value["pad"]) == 700
    reader = store.subscribe("pods", Revision(max(store._state.compacted, 0)))
    kept = [change.record.revision for change in reader.take()]
    assert kept == list(range(kept[0], kept[0] + len(kept)))
    assert kept[-1] == store.revision
    await store.close()
