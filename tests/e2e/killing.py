"""Writers, a watcher and `kill -9`: what was acknowledged must be there, and the watcher must hear of all of it."""

import asyncio
import os
import random
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from drumroll.client.client import Client
from drumroll.client.http import HttpTransport
from drumroll.client.kubeconfig import load_kubeconfig
from drumroll.objects.errors import ApiError, Expired, NotFound
from drumroll.objects.kinds import CONFIG_MAP
from tests.e2e.cluster import Cluster

WRITERS = 8
NAMESPACE = "default"


@dataclass
class Writer:
    """Counts up in an object of its own, and deletes it now and then."""

    number: int
    tried: int = -1
    acknowledged: int = -1
    acks: list[tuple[int, int]] = field(default_factory=list)  # count, revision

    @property
    def name(self) -> str:
        return f"writer-{self.number}"

    @property
    def is_gone(self) -> bool:
        return self.acknowledged % 7 == 6

    async def write_on(self, client: Client) -> None:
        """Write until the server is gone."""
        while True:
            self.tried += 1
            try:
                await self._write(client)
            except ApiError as error:
                if error.code != 503:
                    raise
                return

    async def _write(self, client: Client) -> None:
        count = self.tried
        if count % 7 == 6:
            with suppress(NotFound):
                await client.delete(CONFIG_MAP, NAMESPACE, self.name)
            self.acknowledged = count
            return
        obj = {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self.name, "namespace": NAMESPACE},
            "data": {"n": str(count), "pad": "x" * random.randint(0, 3000)},
        }  # fmt: skip
        try:
            written = await client.update(obj)
        except NotFound:
            written = await client.create(obj)
        self.acknowledged = count
        self.acks.append((count, int(written["metadata"]["resourceVersion"])))

    def check(self, stored: dict[str, Any] | None) -> None:
        """The object after the crash is what was acknowledged, or what was under way."""
        if stored is None:
            in_flight = range(self.acknowledged + 1, self.tried + 1)
            assert self.acknowledged < 0 or self.is_gone or any(n % 7 == 6 for n in in_flight), (
                f"{self.name}: write {self.acknowledged} was acknowledged and is lost"
            )
            return
        count = int(stored["data"]["n"])
        assert count <= self.tried
        assert count >= self.acknowledged or (self.is_gone and count == self.acknowledged - 1 and self.tried > count), (
            f"{self.name}: {self.acknowledged} was acknowledged, {count} is stored"
        )
        assert not (self.is_gone and count < self.acknowledged), f"{self.name}: an acknowledged deletion came back"


@dataclass
class Follower:
    """A watch that goes on where it was whenever the server comes back."""

    client: Client
    revision: int = 0
    heard: set[int] = field(default_factory=set)
    expired: int = 0

    async def follow(self) -> None:
        while True:
            try:
                if not self.revision:
                    self.revision = int((await self.client.list(CONFIG_MAP)).resource_version)
                async with self.client.watch(CONFIG_MAP, resource_version=str(self.revision)) as events:
                    async for event in events:
                        self._hear(event.type, int(event.object["metadata"]["resourceVersion"]))
            except Expired:
                self.expired += 1
                self.revision = 0
            except ApiError as error:
                if error.code != 503:
                    raise
            await asyncio.sleep(0.02)

    def _hear(self, kind: str, revision: int) -> None:
        if kind != "BOOKMARK":
            assert revision > self.revision, f"revision {revision} came after {self.revision}"
            self.heard.add(revision)
        self.revision = max(self.revision, revision)


def check_file(path: Path) -> int:
    """No revision is missing in the store's history. Returns the newest one. The store must not be open."""
    with TemporaryDirectory() as folder:
        for file in (path, path.with_name(path.name + "-wal")):
            if file.exists():
                shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / path.name)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            (compacted,) = db.execute("SELECT revision FROM compacted").fetchone()
            query = "SELECT revision FROM log WHERE revision > ? ORDER BY revision"
            revisions = [revision for (revision,) in db.execute(query, (compacted,))]
    assert revisions == list(range(compacted + 1, compacted + 1 + len(revisions))), "there is a gap in the revisions"
    return int(revisions[-1])


async def kill_in_a_loop(cluster: Cluster, rounds: int) -> dict[str, int]:
    """Kill the control plane while writers write, so many times; what happened, in numbers. Fails when all is not well.

    The cluster must be up with the part `apiserver` alone.
    """
    writers = [Writer(number) for number in range(WRITERS)]
    async with HttpTransport(load_kubeconfig(cluster.kubeconfig)) as transport:
        client = Client(transport)
        follower = Follower(client)
        following = asyncio.create_task(follower.follow())
        try:
            newest = await _rounds(cluster, rounds, client, writers, follower)
            await _wait_heard(follower, following, newest)
        finally:
            following.cancel()
            await asyncio.wait([following])
    missed = {ack for writer in writers for _, ack in writer.acks} - follower.heard
    assert not missed or follower.expired, f"the watcher never heard of {sorted(missed)[:5]}"
    acknowledged = sum(len(writer.acks) for writer in writers)
    return {"rounds": rounds, "acknowledged writes": acknowledged, "watch had to list again": follower.expired}


async def _rounds(cluster: Cluster, rounds: int, client: Client, writers: list[Writer], follower: Follower) -> int:
    """Kill, check, start again; the newest revision that was on disk."""
    newest = 0
    while not follower.revision:
        await asyncio.sleep(0.01)
    for _ in range(rounds):
        pid = int(cluster.part("apiserver")["pid"])
        writing = [asyncio.create_task(writer.write_on(client)) for writer in writers]
        await _wait_acknowledged(writers, random.randint(1, 150))
        os.kill(pid, 9)
        await asyncio.gather(*writing)
        await asyncio.to_thread(_wait_dead, cluster)
        newest = max(newest, await asyncio.to_thread(check_file, cluster.home / "store" / "state.db"))
        await asyncio.to_thread(cluster.up_again)
        await _check(client, writers)
    return newest


async def _wait_acknowledged(writers: list[Writer], wanted: int) -> None:
    """Return in the middle of the writing, at another place in each round."""
    before = sum(writer.acknowledged for writer in writers)
    async with asyncio.timeout(60):
        while sum(writer.acknowledged for writer in writers) < before + wanted:
            await asyncio.sleep(0.001)


def _wait_dead(cluster: Cluster) -> None:
    cluster.until(lambda: not any(part["name"] == "apiserver" for part in cluster.status()["parts"]), "dead")


async def _check(client: Client, writers: list[Writer]) -> None:
    stored = {one["metadata"]["name"]: one for one in (await client.list(CONFIG_MAP, NAMESPACE)).items}
    for writer in writers:
        writer.check(stored.get(writer.name))


async def _wait_heard(follower: Follower, following: asyncio.Task[None], newest: int) -> None:
    async with asyncio.timeout(90):
        await follower.client.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "last", "namespace": NAMESPACE}}
        )
        while follower.revision <= newest:
            if following.done():
                following.result()
            await asyncio.sleep(0.02)
