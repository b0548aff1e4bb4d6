"""The controllers' shared view of the cluster: one informer per kind, whoever asks for it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Key, Obj, controller_of, is_deleting, key_of, uid_of

ORPHANS = "orphans"
SEEN_SECONDS = 30.0


def _orphan(obj: Obj) -> Iterable[str]:
    return (obj["metadata"].get("namespace", ""),) if controller_of(obj) is None else ()


class Caches:
    """Informers by kind; each finds objects without a controller under the index `ORPHANS`, by namespace."""

    def __init__(self, client: Client, selectors: Mapping[Kind, str] | None = None) -> None:
        """`selectors` restrict kinds to the objects with certain labels."""
        self.client = client
        self._selectors = selectors or {}
        self._informers: dict[Kind, Informer] = {}
        self._custom: dict[str, Kind] = {}
        self._followers: list[Callable[[Informer], None]] = []
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[Kind, asyncio.Task[None]] = {}

    def of(self, kind: Kind) -> Informer:
        """The informer of a kind, made when first asked for; to be asked before `run`."""
        if kind not in self._informers:
            selector = self._selectors.get(kind, "")
            self._informers[kind] = Informer(self.client, kind, label_selector=selector, indexes={ORPHANS: _orphan})
        return self._informers[kind]

    def add(self, kind: Kind) -> None:
        """Keep an informer for a custom kind too, and tell the followers."""
        if self._custom.get(kind.resource) == kind:
            return
        self.drop(kind.resource)
        self._custom[kind.resource] = kind
        informer = self.of(kind)
        for follower in self._followers:
            follower(informer)
        if self._group is not None:
            self._start(self._group, informer)

    def drop(self, resource: str) -> None:
        """A custom kind is no longer served: its objects are gone."""
        kind = self._custom.pop(resource, None)
        if kind is not None:
            task = self._tasks.pop(kind, None)
            if task is not None:
                task.cancel()
            self._informers.pop(kind).clear()

    def follow(self, follower: Callable[[Informer], None]) -> None:
        """Call back with the informer of every custom kind, now and when one is added."""
        self._followers.append(follower)
        for kind in self._custom.values():
            follower(self._informers[kind])

    async def run(self) -> None:
        """Keep all of them up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for informer in list(self._informers.values()):
                self._start(group, informer)

    def _start(self, group: asyncio.TaskGroup, informer: Informer) -> None:
        name = f"informer-{informer.kind.plural}"
        self._tasks[informer.kind] = group.create_task(informer.run(), name=name)

    async def wait_synced(self) -> None:
        """Return when every first list has arrived."""
        for kind, informer in list(self._informers.items()):
            if kind not in self._custom.values():  # one of these may be gone before it is listed
                await informer.wait_synced()

    async def wait_written(self, revisions: dict[Kind, int], deleted: Iterable[tuple[Kind, Key, str]]) -> None:
        """Return when our own writes have come back, so that the next decision knows of them.

        Raises TimeoutError when they do not come back for a long time.
        """
        async with asyncio.timeout(SEEN_SECONDS):
            for kind, revision in revisions.items():
                if kind in self._informers:
                    await self._informers[kind].wait_revision(revision)
            for kind, key, uid in deleted:
                if kind in self._informers:
                    informer = self._informers[kind]
                    await informer.wait_until(lambda i=informer, k=key, u=uid: _is_going(i.get(k), u))  # type: ignore[misc]

    def owned(self, kind: Kind, owner: Obj) -> tuple[Obj, ...]:
        """The objects of a kind that `owner` owns, and those of its namespace that nobody controls."""
        informer = self.of(kind)
        orphans = informer.indexed(ORPHANS, key_of(owner).namespace)
        return (*informer.by_owner(uid_of(owner)), *orphans)


def _is_going(obj: Obj | None, uid: str) -> bool:
    return obj is None or uid_of(obj) != uid or is_deleting(obj)
