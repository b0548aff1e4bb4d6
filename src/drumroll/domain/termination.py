"""How a pod's grace period is spent: draining, preStop, the program's own shutdown.

Sources: the drain protocol (the budget), kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go (the rest).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from drumroll.objects.meta import Obj, parse_timestamp

DRAINED = "drumroll.dev/Drained"
MINIMUM_STOP = 2.0

Wait = Literal["drained", "not served", "no proxy", "budget spent", "draining"]


@dataclass(frozen=True, slots=True)
class DrainView:
    """What the node knows of a terminating pod whose programs run.

    `served` when an EndpointSlice holds (or held) its address. Until `patience` a Lease that ran out counts as held:
    after a crash, node and proxy come back side by side, and the proxy may need a moment longer.
    """

    served: bool
    proxy_lease: Obj | None
    patience: datetime | None = None


@dataclass(frozen=True, slots=True)
class DrainDecision:
    """`go` says whether preStop and SIGTERM may come; otherwise look again at `until` at the latest."""

    go: bool
    why: Wait
    until: datetime


def reserve(grace: float) -> float:
    """Seconds of the grace period that stay the program's own: a quarter, at least two."""
    return max(MINIMUM_STOP, grace / 4)


def drain_budget(grace: float, pre_stop: float) -> float:
    """Seconds that draining may take: G - preStop - R, never negative."""
    return max(0.0, grace - pre_stop - reserve(grace))


def declared_pre_stop(containers: Iterable[Mapping[str, Any]]) -> float:
    """The longest preStop sleep that is declared, in seconds; other hooks tell no length."""
    hooks = ((c.get("lifecycle") or {}).get("preStop") or {} for c in containers)
    return max((float((hook.get("sleep") or {}).get("seconds") or 0) for hook in hooks), default=0.0)


def kill_at(began: datetime, signalled: datetime, grace: float) -> datetime:
    """When SIGKILL is due: `grace` seconds after the end `began`, at least two after SIGTERM was `signalled`."""
    return max(began + timedelta(seconds=grace), signalled + timedelta(seconds=MINIMUM_STOP))


def decide_drain(pod: Obj, view: DrainView, began: datetime, now: datetime) -> DrainDecision:
    """Whether a terminating pod may hear of it yet. `began` is when its termination began on this node."""
    grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
    budget = drain_budget(grace, declared_pre_stop(pod["spec"]["containers"]))
    until = began + timedelta(seconds=budget)
    if is_drained(pod):
        return DrainDecision(True, "drained", until)
    if not view.served:
        return DrainDecision(True, "not served", until)
    expiry = lease_expiry(view.proxy_lease)
    if expiry is not None and view.patience is not None:
        expiry = max(expiry, view.patience)
    if expiry is None or expiry <= now:
        return DrainDecision(True, "no proxy", until)
    if now >= until:
        return DrainDecision(True, "budget spent", until)
    return DrainDecision(False, "draining", min(until, expiry))


def is_drained(pod: Obj) -> bool:
    """True once the proxy has said that no request runs in the pod."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == DRAINED and c["status"] == "True" for c in conditions)


def lease_expiry(lease: Obj | None) -> datetime | None:
    """Until when somebody holds a Lease; None when nobody does."""
    spec = (lease or {}).get("spec") or {}
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return None
    seconds = float(spec.get("leaseDurationSeconds") or 0)
    return parse_timestamp(spec["renewTime"]) + timedelta(seconds=seconds)


def grace_of(pod: Obj, probe_grace: float | None = None) -> float:
    """Seconds of grace for a kill: of the deletion, else of the probe that asked for it, else of the pod, else two."""
    if pod["metadata"].get("deletionTimestamp"):
        return float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
    if probe_grace is not None:
        return probe_grace
    grace = pod["spec"].get("terminationGracePeriodSeconds")
    return MINIMUM_STOP if grace is None else float(grace)
