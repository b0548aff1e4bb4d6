"""The life of an endpoint (a pod's address in one Envoy cluster): absent → HEALTHY → DRAINING → absent.

An endpoint that was ever HEALTHY never goes straight to absent: a host that is removed disappears from Envoy's
admin list while its requests still run, so nobody could know when it is idle.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from drumroll.domain.termination import declared_pre_stop, drain_budget, is_drained
from drumroll.objects.meta import Obj, parse_timestamp

QUIET_SECONDS = 0.02
"""Two reads at least this far apart must agree: Envoy's workers apply a snapshot a moment after its main thread."""

REPLACEMENT_SECONDS = 0.3
"""For so long after a pod's deletion was seen, a replacement may still be on its way to the API."""


class Phase(Enum):
    """What Envoy is told of an endpoint."""

    HEALTHY = "HEALTHY"
    DRAINING = "DRAINING"


class Address(NamedTuple):
    """Where a program listens. A tuple: tens of thousands are looked up and sorted in a turn of a large cluster."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reading:
    """One host's line in Envoy's admin list: requests running now, requests and connections ever begun."""

    active: int
    requests: int
    connections: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An endpoint that Envoy holds or is about to. `since` is the version that brought its phase."""

    phase: Phase
    since: int
    quiet: Reading | None = None
    quiet_at: float = 0.0
    idle: bool = False


@dataclass(frozen=True, slots=True)
class ClusterLife:
    """All endpoints of one cluster. `version` grows by one per change; `acked` is the last one that Envoy took."""

    version: int = 0
    acked: int = 0
    entries: Mapping[Address, Entry] = field(default_factory=dict)

    def is_settled(self) -> bool:
        """True when Envoy has acknowledged all that there is."""
        return self.acked >= self.version

    def draining(self) -> list[Address]:
        """Addresses that wait for silence."""
        return [address for address, entry in self.entries.items() if entry.phase is Phase.DRAINING]


def seed(held: Iterable[Address]) -> ClusterLife:
    """The life of a cluster that Envoy holds already, as a restarted control plane finds it: all count as HEALTHY."""
    return ClusterLife(0, 0, {address: Entry(Phase.HEALTHY, 0) for address in held})


def advance(life: ClusterLife, healthy: frozenset[Address], gone: frozenset[Address] = frozenset()) -> ClusterLife:
    """The next content of a cluster whose endpoints should be `healthy`; the same value when nothing changes.

    Additions and changes of phase come first; endpoints leave in a later version, when Envoy has acknowledged
    everything before and they are idle, or their pod is `gone` (there is nobody left to wait for).
    """
    version = life.version + 1
    turned = {
        address: Entry(Phase.HEALTHY, version)
        for address in healthy
        if address not in life.entries or life.entries[address].phase is Phase.DRAINING
    }
    turned |= {
        address: Entry(Phase.DRAINING, version)
        for address, entry in life.entries.items()
        if entry.phase is Phase.HEALTHY and address not in healthy
    }
    if turned:
        return replace(life, version=version, entries={**life.entries, **turned})
    if not life.is_settled():
        return life
    leaving = {a for a, e in life.entries.items() if e.phase is Phase.DRAINING and (e.idle or a in gone)}
    if not leaving:
        return life
    return replace(life, version=version, entries={a: e for a, e in life.entries.items() if a not in leaving})


def acknowledge(life: ClusterLife, version: int) -> ClusterLife:
    """Envoy took `version`. Late and repeated acknowledgements change nothing, unknown versions neither."""
    if version <= life.acked or version > life.version:
        return life
    return replace(life, acked=version)


def observe(life: ClusterLife, readings: Mapping[Address, Reading], at: float) -> ClusterLife:
    """Fold in one read of Envoy's admin list, taken `at` seconds of a clock that never goes back.

    A host that Envoy does not list reads as silent: an Envoy that just started knows it only as DRAINING.
    """
    changed = {}
    for address, entry in life.entries.items():
        if entry.phase is Phase.HEALTHY or entry.idle or life.acked < entry.since:
            continue
        seen = _observe(entry, readings.get(address, Reading(0, 0, 0)), at)
        if seen is not entry:
            changed[address] = seen
    return replace(life, entries={**life.entries, **changed}) if changed else life


def _observe(entry: Entry, reading: Reading, at: float) -> Entry:
    if reading.active:
        return replace(entry, quiet=None) if entry.quiet else entry
    if entry.quiet != reading:
        return replace(entry, quiet=reading, quiet_at=at)
    return replace(entry, idle=True) if at - entry.quiet_at >= QUIET_SECONDS else entry


class Drain(Enum):
    """How far an address is, over all clusters."""

    NOT_SERVED = "NotServed"
    BUSY = "Busy"
    IDLE = "Idle"


def drain_of(lives: Iterable[ClusterLife], ip: str) -> Drain:
    """BUSY until every cluster that holds the address has it DRAINING, acknowledged and silent."""
    entries = [entry for life in lives for address, entry in life.entries.items() if address.ip == ip]
    if not entries:
        return Drain.NOT_SERVED
    done = all(entry.phase is Phase.DRAINING and entry.idle for entry in entries)
    return Drain.IDLE if done else Drain.BUSY


@dataclass(frozen=True, slots=True)
class SliceEndpoint:
    """An endpoint as its slice and its pod show it. `may_fall_back`: see `may_fall_back()`."""

    address: Address
    ready: bool
    serving: bool
    terminating: bool
    may_fall_back: bool = False


def healthy_of(endpoints: Iterable[SliceEndpoint]) -> frozenset[Address]:
    """The addresses that should take new requests: the ready ones, else those that terminate and still serve.

    Source: kubernetes pkg/proxy/topology.go CategorizeEndpoints.
    """
    known = list(endpoints)
    ready = frozenset(e.address for e in known if e.ready and not e.terminating)
    return ready or frozenset(e.address for e in known if e.terminating and e.serving and e.may_fall_back)


def drain_deadline(pod: Obj) -> datetime | None:
    """When draining must end so that preStop and the program's own shutdown fit in; None when not deleting."""
    meta = pod["metadata"]
    if not meta.get("deletionTimestamp"):
        return None
    grace = float(meta.get("deletionGracePeriodSeconds") or 0)
    return parse_timestamp(meta["deletionTimestamp"]) - timedelta(seconds=grace - _budget(pod))


def _budget(pod: Obj) -> float:
    grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
    return drain_budget(grace, declared_pre_stop(pod["spec"].get("containers") or ()))


def may_fall_back(pod: Obj, *, replacement: bool, seen: datetime, now: datetime) -> bool:
    """True while a deleted pod may go on taking new requests because no other endpoint is ready.

    It must leave time to drain before the budget ends, and it is of use only while a `replacement` exists or may
    still appear: with none coming (scale to 0, Recreate) waiting would delay the end and save nothing.
    `seen` is when the deletion was first noticed.
    """
    deadline = drain_deadline(pod)
    if deadline is None or is_drained(pod):
        return False
    if now >= deadline - timedelta(seconds=min(2.0, _budget(pod) / 2)):
        return False
    return replacement or now < seen + timedelta(seconds=REPLACEMENT_SECONDS)
