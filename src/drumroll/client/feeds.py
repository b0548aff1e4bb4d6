"""What the server tells, fetched and parsed once for everybody in this process who wants the same of it.

Controllers, node, proxy and rollouts all follow the pods: a list, a watch and parsed objects for each would take that
many times the memory and the work. So informers follow feeds, and those of one client and of equal scope share one.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from drumroll.objects.errors import ApiError, Expired
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Key, Obj, key_of, labels_of
from drumroll.objects.selectors import LabelSelector, parse_labels
from drumroll.objects.wire import Event

if TYPE_CHECKING:
    from drumroll.client.client import Client

log = logging.getLogger("drumroll.client")

FIRST_DELAY = 0.1
LAST_DELAY = 5.0
"""Seconds before the first and, doubled each time, the later attempts to reach the server again."""


class Follower(Protocol):
    """Is told everything in order. Objects are shared: nobody may change one."""

    def listed(self, objects: Mapping[Key, Obj], revision: int) -> None:
        """This is all there is as of a revision; what is missing was deleted unseen."""
        ...

    def told(self, event: Event) -> None:
        """One event of the watch, bookmarks included."""
        ...


class Feeds:
    """The feeds of one client. One lives while somebody follows it."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._feeds: dict[tuple[str, ...], _Feed] = {}

    async def follow(self, kind: Kind, scope: Mapping[str, str], follower: Follower) -> None:
        """Tell `follower` until cancelled; `scope` holds the arguments of `Client.list`.

        Raises what the follower raises; the others of the feed go on.
        """
        everything = (kind.path(""), "", "", "")
        if everything in self._feeds and (selector := _labels_alone(scope)):
            # Here anyway: choosing from it is cheaper than a watch of its own, for which the server reads each object.
            follower, scope = _Chosen(follower, parse_labels(selector)), EVERYTHING
        name = (kind.path(""), *scope.values())
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = _Feed(self._client, kind, scope)
        try:
            await feed.follow(follower)
        finally:
            if feed.is_idle and self._feeds.get(name) is feed:
                del self._feeds[name]
            await feed.rest()


EVERYTHING = {"namespace": "", "label_selector": "", "field_selector": ""}


def _labels_alone(scope: Mapping[str, str]) -> str:
    """The label selector, when nothing else narrows the scope."""
    return scope["label_selector"] if scope == {**EVERYTHING, "label_selector": scope["label_selector"]} else ""


class _Chosen:
    """A follower that is told of what a selector matches, as a watch with that selector tells it."""

    def __init__(self, follower: Follower, selector: LabelSelector) -> None:
        self._follower = follower
        self._matches = selector.matches
        self._known: dict[Key, Obj] = {}

    def listed(self, objects: Mapping[Key, Obj], revision: int) -> None:
        """See Follower."""
        self._known = {key: obj for key, obj in objects.items() if self._matches(labels_of(obj))}
        self._follower.listed(self._known, revision)

    def told(self, event: Event) -> None:
        """See Follower. What does not concern it moves its revision on, as a bookmark does."""
        obj = event.object
        if event.type == "BOOKMARK":
            self._follower.told(event)
            return
        key = key_of(obj)
        known = self._known.pop(key, None)
        if event.type != "DELETED" and self._matches(labels_of(obj)):
            self._known[key] = obj
            self._follower.told(Event("ADDED" if known is None else "MODIFIED", obj))
        elif known is None:
            self._follower.told(Event("BOOKMARK", obj))
        else:
            last = obj if event.type == "DELETED" else _at_revision(known, obj)
            self._follower.told(Event("DELETED", last))


def _at_revision(last: Obj, obj: Obj) -> Obj:
    """What was selected last, as of the change by which it was no more."""
    return {**last, "metadata": {**last["metadata"], "resourceVersion": obj["metadata"]["resourceVersion"]}}


class _Feed:
    """List, then watch, and list again when the watch cannot go on."""

    def __init__(self, client: "Client", kind: Kind, scope: Mapping[str, str]) -> None:
        self._client = client
        self._kind = kind
        self._scope = scope
        self._objects: dict[Key, Obj] = {}
        self._revision = 0
        self._is_known = False
        self._followers: dict[Follower, asyncio.Future[None]] = {}  # with what ends when telling it fails
        self._task: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Nobody follows it."""
        return not self._followers

    async def follow(self, follower: Follower) -> None:
        """See Feeds."""
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._followers[follower] = failed
        try:
            if self._is_known:
                follower.listed(self._objects, self._revision)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name=f"feed-{self._kind.plural}")
            await asyncio.wait({self._task, failed}, return_when=asyncio.FIRST_COMPLETED)
            (failed if failed.done() else self._task).result()
        finally:
            del self._followers[follower]

    async def rest(self) -> None:
        """Stop listening unless somebody follows."""
        if self.is_idle and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        delay = FIRST_DELAY
        is_listed = False
        while True:
            started = asyncio.get_running_loop().time()
            try:
                if not is_listed:
                    await self._list()
                    is_listed = True
                await self._watch()
            except Expired:
                is_listed = False
            except ApiError as error:
                # A refused request (500, 403 …) may mean that our revision is of another life of the server.
                is_listed = is_listed and error.code == 503
                log.warning("watch_failed kind=%s reason=%s message=%s", self._kind.name, error.reason, error.message)
            lived = asyncio.get_running_loop().time() - started
            delay = FIRST_DELAY if lived > 1 else min(LAST_DELAY, delay * 2)
            await asyncio.sleep(delay)

    async def _list(self) -> None:
        listing = await self._client.list(self._kind, **self._scope)
        self._objects = {key: self._kept(key, item) for item in listing.items for key in (key_of(item),)}
        self._revision = int(listing.resource_version)  # may go back when the server was set back: its word counts
        self._is_known = True
        for follower in list(self._followers):
            self._tell(follower, None)

    def _kept(self, key: Key, item: Obj) -> Obj:
        """The object that everybody has already, when it is the same."""
        known = self._objects.get(key)
        is_same = known is not None and known["metadata"].get("resourceVersion") == item["metadata"]["resourceVersion"]
        return known if is_same and known is not None else item

    async def _watch(self) -> None:
        async with self._client.watch(self._kind, resource_version=str(self._revision), **self._scope) as events:
            async for event in events:
                self._take(event)
                for follower in list(self._followers):
                    self._tell(follower, event)

    def _take(self, event: Event) -> None:
        obj = event.object
        if event.type == "DELETED":
            self._objects.pop(key_of(obj), None)
        elif event.type != "BOOKMARK":
            self._objects[key_of(obj)] = obj
        revision = obj["metadata"].get("resourceVersion")
        if revision:
            self._revision = max(self._revision, int(revision))

    def _tell(self, follower: Follower, event: Event | None) -> None:
        """An event, or (None) everything. What a follower raises is its own affair."""
        failed = self._followers.get(follower)
        if failed is None or failed.done():
            return
        try:
            if event is None:
                follower.listed(self._objects, self._revision)
            else:
                follower.told(event)
        except Exception as error:  # noqa: BLE001 - raised again in `follow`, for this follower alone
            failed.set_exception(error)
