"""Keeps one kind's objects at hand, up to date and indexed; the objects are shared with others (see `feeds`)."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from drumroll.client.client import Client
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Key, Obj, key_of
from drumroll.objects.wire import Event

Changed = Callable[[Obj | None, Obj | None], None]
"""Called with the object before and after a change; None where it did not or does not exist."""

Index = Callable[[Obj], Iterable[str]]
"""The values under which `indexed` finds an object."""


def _owners(obj: Obj) -> Iterable[str]:
    return (owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ())


def _namespace(obj: Obj) -> Iterable[str]:
    return (obj["metadata"].get("namespace", ""),)


class Informer:
    """A cache of the objects of `kind` that match. Objects in it are shared: never change one.

    Nothing happens before `run`. Callbacks are called in the order of changes, also for the first list.
    `indexes` adds named look-ups to `by_owner` and `by_namespace`.
    """

    def __init__(
        self,
        client: Client,
        kind: Kind,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        *,
        indexes: Mapping[str, Index] | None = None,
    ) -> None:
        self.kind = kind
        self.revision = 0
        self._client = client
        self._scope = {"namespace": namespace, "label_selector": label_selector, "field_selector": field_selector}
        self._objects: dict[Key, Obj] = {}
        self._indexes: dict[str, Index] = {"owner": _owners, "namespace": _namespace, **(indexes or {})}
        self._entries: dict[str, dict[str, dict[Key, Obj]]] = {name: {} for name in self._indexes}
        self._callbacks: list[Changed] = []
        self._synced = asyncio.Event()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def get(self, key: Key) -> Obj | None:
        """The object by namespace and name, or None."""
        return self._objects.get(key)

    def items(self) -> list[Obj]:
        """Every object, in no particular order."""
        return list(self._objects.values())

    def by_owner(self, uid: str) -> list[Obj]:
        """The objects that have an owner reference to `uid`."""
        return self.indexed("owner", uid)

    def by_namespace(self, namespace: str) -> list[Obj]:
        """The objects of one namespace."""
        return self.indexed("namespace", namespace)

    def indexed(self, index: str, value: str) -> list[Obj]:
        """The objects that the index of that name puts under `value`."""
        return list(self._entries[index].get(value, {}).values())

    def subscribe(self, callback: Changed) -> None:
        """Call back after each change from now on, and at once for every object that is already here."""
        self._callbacks.append(callback)
        for obj in self.items():
            callback(None, obj)

    async def wait_synced(self) -> None:
        """Return when the first list has arrived; from then on the cache is a real past state of the server."""
        await self._synced.wait()

    async def wait_revision(self, revision: int | str) -> None:
        """Return when the cache is at least as new as `revision` (a resourceVersion of an object of this kind)."""
        wanted = int(revision)
        await self.wait_until(lambda: self.revision >= wanted)

    async def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Return when `is_so`, which is asked now and after each change of the cache."""
        if is_so():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((is_so, waiter))
        await waiter

    def clear(self) -> None:
        """Forget every object, as if each had been deleted: its kind is no longer served."""
        for key in list(self._objects):
            self._put(key, None)

    async def run(self) -> None:
        """Follow the server until cancelled; an unreachable server is tried again and again."""
        await self._client.feeds.follow(self.kind, self._scope, self)

    def listed(self, objects: Mapping[Key, Obj], revision: int) -> None:
        """Called by the feed."""
        for key in [key for key in self._objects if key not in objects]:
            self._put(key, None)
        for key, obj in objects.items():
            known = self._objects.get(key)
            if known is None or known["metadata"].get("resourceVersion") != obj["metadata"].get("resourceVersion"):
                self._put(key, obj)
        self.revision = revision
        self._synced.set()
        self._wake()

    def told(self, event: Event) -> None:
        """Called by the feed."""
        obj = event.object
        if event.type == "DELETED":
            self._put(key_of(obj), None, obj)
        elif event.type != "BOOKMARK":
            self._put(key_of(obj), obj)
        revision = obj["metadata"].get("resourceVersion")
        if revision:
            self.revision = max(self.revision, int(revision))
            self._wake()

    def _put(self, key: Key, new: Obj | None, last: Obj | None = None) -> None:
        """Replace or (None) remove; `last` is a deleted object's last state as the server knows it."""
        old = self._objects.pop(key, None)
        if old is not None:
            self._unindex(key, old)
        if new is not None:
            self._objects[key] = new
            for name, values in self._indexes.items():
                for value in values(new):
                    self._entries[name].setdefault(value, {})[key] = new
        if old is None and new is None:
            return
        for callback in self._callbacks:
            callback(old if new is not None else (last or old), new)

    def _unindex(self, key: Key, obj: Obj) -> None:
        for name, values in self._indexes.items():
            for value in values(obj):
                entries = self._entries[name]
                entries[value].pop(key, None)
                if not entries[value]:
                    del entries[value]

    def _wake(self) -> None:
        if not self._waiters:
            return
        waiting, self._waiters = self._waiters, []
        for is_so, waiter in waiting:
            if waiter.done():
                continue
            if is_so():
                waiter.set_result(None)
            else:
                self._waiters.append((is_so, waiter))
