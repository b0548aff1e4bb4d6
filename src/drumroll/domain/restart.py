"""When a container that exited runs again. Source: kuberuntime_manager.go doBackOff, flowcontrol/backoff.go."""

from dataclasses import dataclass
from datetime import datetime, timedelta

INITIAL_DELAY = timedelta(seconds=10)
MAX_DELAY = timedelta(seconds=300)
FORGET_AFTER = 2 * MAX_DELAY


@dataclass(frozen=True, slots=True)
class BackOff:
    """The delay that the next exit has to wait, and when it was set."""

    delay: timedelta
    updated: datetime


@dataclass(frozen=True, slots=True)
class Restart:
    """Start at `at`; once started, keep `entry`. `at` in the past means now."""

    at: datetime
    entry: BackOff | None
    delay: timedelta


def wants_restart(policy: str, exit_code: int) -> bool:
    """Whether a container that exited with this code runs again under the pod's (or its own) restart policy."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def back_off(entry: BackOff | None, finished_at: datetime) -> Restart:
    """When a container that finished at `finished_at` may start again: delays are 0, 10, 20, 40 … 300, 300 seconds.

    A container that ran for more than ten minutes since the last restart begins anew.
    """
    if entry is None or _is_forgotten(entry, finished_at):
        return Restart(finished_at, None, timedelta(0))
    return Restart(finished_at + entry.delay, entry, entry.delay)


def advance(entry: BackOff | None, event_at: datetime, now: datetime) -> BackOff:
    """The entry to keep when an attempt is made `now` after an event (exit, failed pull) at `event_at`."""
    if entry is None or _is_forgotten(entry, event_at):
        return BackOff(INITIAL_DELAY, now)
    return BackOff(min(2 * entry.delay, MAX_DELAY), now)


def _is_forgotten(entry: BackOff, event_at: datetime) -> bool:
    return event_at - entry.updated > FORGET_AFTER
