"""Decides what becomes of an event that a part reports: a new Event, one more count on an old one, or silence.

Source: client-go tools/record/events_cache.go (EventCorrelator and its defaults) and event.go.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from drumroll.objects.meta import Obj, key_of, parse_timestamp, timestamp, uid_of

EventType = Literal["Normal", "Warning"]

SIMILAR_EVENTS = 10  # from so many different messages on, they share one Event
SIMILAR_WINDOW = timedelta(minutes=10)
BURST = 25
REFILL_SECONDS = 300.0
KEPT = 4096
TIME_TO_LIVE = timedelta(hours=1)
"""After its last write. Source: kube-apiserver --event-ttl."""
COMBINED = "(combined from similar events): "

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Source:
    """Which part reports: its component's name, and the host where that matters (a node's name)."""

    component: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened to an object, as a part reports it."""

    about: "About"
    type: EventType
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class About:
    """The object that an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


def about(obj: Obj, field_path: str = "") -> About:
    """A reference to `obj`, which must carry apiVersion and kind."""
    key = key_of(obj)
    revision = obj["metadata"].get("resourceVersion", "")
    return About(obj["apiVersion"], obj["kind"], key.namespace, key.name, uid_of(obj), revision, field_path)


@dataclass(frozen=True, slots=True)
class CreateEvent:
    """Write a new Event."""

    event: Obj


@dataclass(frozen=True, slots=True)
class PatchEvent:
    """Merge-patch an Event that exists; when it is gone (they expire), create `whole` instead."""

    namespace: str
    name: str
    patch: Obj
    whole: Obj


@dataclass(frozen=True, slots=True)
class _Similar:
    messages: frozenset[str] = frozenset()
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Bucket:
    tokens: float
    filled: datetime


@dataclass(slots=True)
class Correlator:
    """Remembers what one source has reported. The memory is bounded: what was longest unused is forgotten."""

    source: Source
    _similar: "OrderedDict[Hashable, _Similar]" = field(default_factory=OrderedDict)
    _written: "OrderedDict[Hashable, Obj]" = field(default_factory=OrderedDict)
    _buckets: "OrderedDict[Hashable, _Bucket]" = field(default_factory=OrderedDict)
    _serial: int = 0

    def correlate(self, seen: Occurrence, now: datetime) -> CreateEvent | PatchEvent | None:
        """What to write for one occurrence; None when its object has used up its budget of events."""
        key, shown = self._aggregate(seen, now)
        known = self._written.get(key)
        event = self._event(shown, now) if known is None else _repeated(known, shown, now)
        _remember(self._written, key, event)
        if not self._has_token(replace(seen.about, resource_version="", field_path=""), now):
            return None
        if known is None:
            return CreateEvent(event)
        patch = {name: event[name] for name in ("count", "lastTimestamp", "message") if event[name] != known[name]}
        return PatchEvent(event["metadata"]["namespace"], event["metadata"]["name"], patch, event)

    def _aggregate(self, seen: Occurrence, now: datetime) -> tuple[Hashable, Occurrence]:
        """The identity under which an occurrence is counted, and the occurrence as it is shown."""
        subject = replace(seen.about, resource_version="", field_path="")
        group = (subject, seen.type, seen.reason)
        known = self._similar.get(group, _Similar())
        if known.last is None or now - known.last > SIMILAR_WINDOW:
            known = _Similar()
        messages = known.messages | {seen.message}
        if len(messages) < SIMILAR_EVENTS:
            _remember(self._similar, group, _Similar(messages, now))
            return (seen.about.field_path, *group, seen.message), seen
        _remember(self._similar, group, _Similar(known.messages, now))
        return group, replace(seen, message=COMBINED + seen.message)

    def _has_token(self, subject: About, now: datetime) -> bool:
        bucket = self._buckets.get(subject, _Bucket(BURST, now))
        gained = max(0.0, (now - bucket.filled).total_seconds()) / REFILL_SECONDS
        tokens = min(float(BURST), bucket.tokens + gained)
        _remember(self._buckets, subject, _Bucket(tokens - 1 if tokens >= 1 else tokens, now))
        return tokens >= 1

    def _event(self, seen: Occurrence, now: datetime) -> Obj:
        self._serial = max(self._serial + 1, int(now.timestamp() * 1e6) * 1000)
        subject = seen.about
        reference = {
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
            "apiVersion": subject.api_version,
            "resourceVersion": subject.resource_version,
            "fieldPath": subject.field_path,
        }
        source = {"component": self.source.component, "host": self.source.host}
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{subject.name}.{self._serial:x}",  # grows with time, so that equal seconds keep their order
                "namespace": subject.namespace or "default",
            },
            "involvedObject": {name: value for name, value in reference.items() if value},
            "reason": seen.reason,
            "message": seen.message,
            "source": {name: value for name, value in source.items() if value},
            "firstTimestamp": timestamp(now),
            "lastTimestamp": timestamp(now),
            "count": 1,
            "type": seen.type,
            "eventTime": None,
            "reportingComponent": self.source.component,
            "reportingInstance": self.source.host,
        }


def _repeated(known: Obj, seen: Occurrence, now: datetime) -> Obj:
    return {**known, "count": known["count"] + 1, "lastTimestamp": timestamp(now), "message": seen.message}


def _remember(memory: "OrderedDict[K, V]", key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > KEPT:
        memory.popitem(last=False)


def is_expired(event: Obj, now: datetime) -> bool:
    """True when the event was neither made nor repeated within the last hour; False when its times make no sense."""
    series = event.get("series") or {}
    times = (event["metadata"].get("creationTimestamp"), event.get("lastTimestamp"), event.get("eventTime"))
    try:
        written = [parse_timestamp(time) for time in (*times, series.get("lastObservedTime")) if time]
    except ValueError:
        return False
    return bool(written) and now - max(written) > TIME_TO_LIVE
