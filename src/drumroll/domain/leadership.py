"""Who of several controllers may act: the holder of a Lease, as client-go's leader election has it.

A holder counts as gone when its Lease has not changed for the Lease's duration by *our* clock: clocks of machines may
differ. Source: client-go tools/leaderelection.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drumroll.objects.kinds import LEASE
from drumroll.objects.meta import Key, Obj, micro_timestamp


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds: how long a silent holder counts, how long renewing may fail, how often to try."""

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0

    def fault(self) -> str:
        """What is wrong with these; empty for nothing."""
        if min(self.lease, self.renew, self.retry) <= 0:
            return "every time of the leader election must be more than 0 seconds"
        if self.lease <= self.renew:
            return "--leader-elect-lease-duration must be longer than --leader-elect-renew-deadline"
        if self.renew <= 1.2 * self.retry:
            return "--leader-elect-renew-deadline must be longer than 1.2 times --leader-elect-retry-period"
        return ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A state of the Lease, by its resourceVersion, and when we saw it first (seconds of a clock that never jumps)."""

    version: str = ""
    at: float = 0.0


def holder_of(lease: Obj | None) -> str:
    """Who holds a Lease; empty for nobody."""
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


def may_take(lease: Obj | None, identity: str, seen: Seen, clock: float) -> bool:
    """Whether the Lease is free, ours already, or its holder has been silent for its whole duration."""
    holder = holder_of(lease)
    if lease is None or holder in ("", identity):
        return True
    duration = (lease.get("spec") or {}).get("leaseDurationSeconds") or 0
    return seen.version == lease["metadata"]["resourceVersion"] and clock - seen.at >= duration


def held(key: Key, lease: Obj | None, identity: str, times: Times, now: datetime) -> Obj:
    """The Lease as `identity` holds it from now on. A new holder counts as one more transition."""
    before: dict[str, Any] = (lease or {}).get("spec") or {}
    is_same = before.get("holderIdentity") == identity
    transitions = (before.get("leaseTransitions") or 0) + (0 if is_same or lease is None else 1)
    meta = {"namespace": key.namespace, "name": key.name}
    if lease is not None:
        meta["resourceVersion"] = lease["metadata"]["resourceVersion"]
    return {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.name,
        "metadata": meta,
        "spec": {
            "holderIdentity": identity,
            "leaseDurationSeconds": max(1, round(times.lease)),
            "acquireTime": before.get("acquireTime") if is_same else micro_timestamp(now),
            "renewTime": micro_timestamp(now),
            "leaseTransitions": transitions,
        },
    }


def released(lease: Obj, now: datetime) -> Obj:
    """The Lease as nobody holds it."""
    spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": micro_timestamp(now)}
    return {**lease, "spec": spec}
