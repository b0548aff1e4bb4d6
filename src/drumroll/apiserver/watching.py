"""Watches: what is there already if asked for, then every change in order, bookmarks, and an end.

An event is encoded once for all watches that want it in the same form.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter_ns

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.answering import Presenter
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.conversion import seen_as, storage_kind
from drumroll.apiserver.failures import expired, future_revision
from drumroll.apiserver.matching import Selection, selection
from drumroll.apiserver.options import ListOptions
from drumroll.apiserver.reading import presenter, select
from drumroll.apiserver.routing import Target
from drumroll.objects.errors import ApiError
from drumroll.objects.meta import Obj, Revision
from drumroll.objects.wire import EventType, Request, Response
from drumroll.store.interface import Change, Compacted, Record, Subscription

BOOKMARK_SECONDS = 60.0
LONGEST_SECONDS = 3600.0
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch, decided once at its start."""

    cluster: Cluster
    chosen: Selection
    present: Presenter
    options: ListOptions

    @property
    def with_initial_events(self) -> bool:
        """Whether what exists is sent first, as ADDED events."""
        if self.options.initial_events is not None:
            return self.options.initial_events
        return self.options.resource_version in ("", "0")


def watch(cluster: Cluster, target: Target, request: Request, options: ListOptions) -> Response:
    """A stream of events, one JSON object per line. Raises BadRequest, NotAcceptable; later errors are ERROR events."""
    chosen = selection(target, request)
    if target.name:
        chosen = _only(chosen, target.name)
    following = Watch(cluster, chosen, presenter(cluster, target, request), options)
    try:
        reader, initial, since = _begin(following)
    except ApiError as error:
        return Response(200, _error_line(error))
    return Response(200, stream=_follow(following, reader, initial, since))


def _only(chosen: Selection, name: str) -> Selection:
    from dataclasses import replace

    from drumroll.objects.selectors import FieldSelector

    return replace(chosen, fields=FieldSelector((*chosen.fields.terms, ("metadata.name", True, name))))


def _begin(following: Watch) -> tuple[Subscription, list[Record], Revision]:
    """The changes to follow, what exists already if it is wanted, and the revision at which the two meet."""
    store, wanted = following.cluster.store, int(following.options.resource_version or "0")
    if wanted > store.revision:
        raise future_revision(wanted, store.revision)
    after = store.revision if following.with_initial_events or not wanted else Revision(wanted)
    try:
        reader = store.subscribe(codec.collection(following.chosen.kind), after)
    except Compacted as error:
        raise expired(error) from error
    initial = select(following.cluster, following.chosen) if following.with_initial_events else []
    return reader, initial, after


async def _follow(
    following: Watch, reader: Subscription, initial: list[Record], since: Revision
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    given = following.options.timeout
    end = loop.time() + (given or LONGEST_SECONDS)
    watches, resource = following.cluster.watches, following.chosen.kind.resource
    watches[resource] += 1
    try:
        async for lines in _initial(following, initial, since):
            yield lines
        next_bookmark = loop.time() + BOOKMARK_SECONDS
        while (now := loop.time()) < end:
            try:
                async with asyncio.timeout(min(end, next_bookmark) - now):
                    await reader.wait()
            except TimeoutError:
                next_bookmark = loop.time() + BOOKMARK_SECONDS
                if following.options.bookmarks:
                    yield _up_to_date(following, reader)
                continue
            changes = reader.take()
            for start in range(0, len(changes), _CHUNK):  # a reader that was slow gets its backlog in pieces
                if start:
                    await asyncio.sleep(0)  # a reader in this process handles a whole piece without a pause
                if lines := _told(following, changes[start : start + _CHUNK]):
                    yield lines
    except Compacted as error:
        yield _error_line(expired(error))
    finally:
        watches[resource] -= 1
        reader.close()


async def _initial(following: Watch, records: list[Record], since: Revision) -> AsyncIterator[bytes]:
    for start in range(0, len(records), _CHUNK):
        yield b"".join(_line(following, "ADDED", record.value) for record in records[start : start + _CHUNK])
        await asyncio.sleep(0)
    if following.options.initial_events:
        yield _bookmark(following, since, {"k8s.io/initial-events-end": "true"})


def _up_to_date(following: Watch, reader: Subscription) -> bytes:
    """What is still to be told, and a bookmark: both as of one moment."""
    return _told(following, reader.take()) + _bookmark(following, following.cluster.store.revision)


def _told(following: Watch, changes: Sequence[Change]) -> bytes:
    started = perf_counter_ns()
    lines = b"".join(_lines(following, changes))
    following.cluster.stages.add("fan-out", started)
    return lines


def _lines(following: Watch, changes: Sequence[Change]) -> Iterator[bytes]:
    prefix = following.chosen.prefix
    for change in changes:
        if not change.record.key.startswith(prefix):
            continue
        if following.chosen.is_everything and following.present.is_plain:
            yield _shared_line(following, change)
            continue
        seen = _seen(following.chosen, change)
        if seen is not None:
            yield _line(following, *seen)


def _shared_line(following: Watch, change: Change) -> bytes:
    """The event as everybody without selectors sees it: made once."""
    name = following.chosen.kind.api_version
    line: bytes | None = change.derived.get(name)
    if line is None:
        line = change.derived[name] = _line(following, _type(change), change.record.value)
    return line


def _type(change: Change) -> EventType:
    if change.deleted:
        return "DELETED"
    return "ADDED" if change.previous is None else "MODIFIED"


def _seen(chosen: Selection, change: Change) -> tuple[EventType, bytes] | None:
    """The event as a selector sees it: an object that leaves the selection is DELETED, one that enters is ADDED."""
    before = change.previous is not None and _matches(chosen, change, "previous", change.previous)
    after = not change.deleted and _matches(chosen, change, "record", change.record)
    if after:
        return ("MODIFIED" if before else "ADDED"), change.record.value
    if not before:
        return None
    if change.deleted:
        return "DELETED", change.record.value
    assert change.previous is not None
    last = codec.at_revision(storage_kind(chosen.kind), change.previous.value, change.record.revision)
    return "DELETED", last


def _matches(chosen: Selection, change: Change, which: str, record: Record) -> bool:
    if chosen.is_everything:
        return True
    obj: Obj | None = change.derived.get(which)
    if obj is None:
        obj = change.derived[which] = codec.decode(record)
    return chosen.matches(seen_as(chosen.kind, obj))


def _line(following: Watch, type_: EventType, value: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), following.present.object(value))


def _bookmark(following: Watch, revision: Revision, annotations: Obj | None = None) -> bytes:
    kind = following.chosen.kind
    metadata: Obj = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    if following.present.is_table:
        obj: Obj = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        obj |= {"columnDefinitions": [], "rows": []}
    else:
        obj = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata}
    return b'{"type":"BOOKMARK","object":%b}\n' % orjson.dumps(obj)


def _error_line(error: ApiError) -> bytes:
    return b'{"type":"ERROR","object":%b}\n' % orjson.dumps(error.to_status())
