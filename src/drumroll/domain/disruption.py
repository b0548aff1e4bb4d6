"""How many pods of a PodDisruptionBudget may be evicted now.

Source: kubernetes pkg/controller/disruption/disruption.go.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from drumroll.domain.actions import NOTHING, Plan, patch_of
from drumroll.domain.pod import is_finished
from drumroll.domain.replicas import scaled
from drumroll.objects.kinds import POD_DISRUPTION_BUDGET
from drumroll.objects.meta import Obj, controller_of, is_deleting, labels_of, parse_timestamp, timestamp
from drumroll.objects.selectors import from_object

EVICTION_SECONDS = 120
"""How long an eviction may be under way before its pod counts as healthy again."""
_ALLOWED = "DisruptionAllowed"


@dataclass(frozen=True, slots=True)
class World:
    """What a decision about one budget needs: the `pods` of its namespace, and the scale of a pod's owner.

    `scale_of` returns the uid of what has the replicas and how many it wants; None when nothing of that kind is known.
    """

    budget: Obj
    pods: tuple[Obj, ...]
    scale_of: Callable[[Obj], tuple[str, int] | None]


def reconcile(world: World, now: datetime) -> Plan:
    """Write the counts when they changed; look again when an eviction under way will have taken too long."""
    budget = world.budget
    if is_deleting(budget):
        return NOTHING
    spec, old = budget.get("spec") or {}, budget.get("status") or {}
    selected = from_object(spec.get("selector")).matches
    pods = [pod for pod in world.pods if selected(labels_of(pod)) and not is_finished(pod)]
    disrupted, wake_at = _under_way(old.get("disruptedPods") or {}, pods, now)
    expected, desired = _counts(spec, pods, world.scale_of)
    healthy = sum(1 for pod in pods if _is_healthy(pod) and pod["metadata"]["name"] not in disrupted)
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    status: Obj = {
        "observedGeneration": budget["metadata"].get("generation") or 0,
        "disruptedPods": disrupted or None,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": _conditions(budget, allowed, now),
    }
    if all((old.get(name) or None) == (value or None) for name, value in status.items()):
        return Plan(wake_at=wake_at)
    # What an eviction spent meanwhile is not in our view: then the write must fail, and we look again.
    patch = {"metadata": {"resourceVersion": budget["metadata"]["resourceVersion"]}, "status": _merge(old, status)}
    return Plan((patch_of(POD_DISRUPTION_BUDGET, budget, patch, "status"),), wake_at=wake_at)


def _merge(old: Obj, status: Obj) -> Obj:
    """A merge patch keeps what it does not name: pods no longer under way have to be taken out by name."""
    before, after = old.get("disruptedPods") or {}, status["disruptedPods"] or {}
    removed: dict[str, str | None] = dict.fromkeys(before.keys() - after.keys())
    return {**status, "disruptedPods": {**removed, **after} if after else None}


def _is_healthy(pod: Obj) -> bool:
    if is_deleting(pod):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _under_way(marked: Mapping[str, str], pods: Iterable[Obj], now: datetime) -> tuple[dict[str, str], datetime | None]:
    """The evictions that were allowed and have not shown yet, and when the first of them counts as failed."""
    waiting = {pod["metadata"]["name"] for pod in pods if not is_deleting(pod)}
    limit = timedelta(seconds=EVICTION_SECONDS)
    left = {name: since for name, since in marked.items() if name in waiting and parse_timestamp(since) + limit > now}
    return left, min((parse_timestamp(since) + limit for since in left.values()), default=None)


def _counts(spec: Obj, pods: list[Obj], scale_of: Callable[[Obj], tuple[str, int] | None]) -> tuple[int, int]:
    """How many pods there should be, and how many of them must be healthy."""
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if most is not None:
        expected = _scale(pods, scale_of)
        return expected, max(expected - scaled(most, expected, up=True), 0)
    if isinstance(least, str):
        expected = _scale(pods, scale_of)
        return expected, scaled(least, expected, up=True)
    return (len(pods), least) if least is not None else (0, 0)


def _scale(pods: Iterable[Obj], scale_of: Callable[[Obj], tuple[str, int] | None]) -> int:
    """What the owners of the pods want in all; pods that nobody owns do not count."""
    found = (scale_of(pod) for pod in pods if controller_of(pod) is not None)
    return sum(dict(scale for scale in found if scale is not None).values())


def _conditions(budget: Obj, allowed: int, now: datetime) -> list[Obj]:
    status, reason = ("True", "SufficientPods") if allowed > 0 else ("False", "InsufficientPods")
    existing: list[Obj] = (budget.get("status") or {}).get("conditions") or []
    others = [one for one in existing if one.get("type") != _ALLOWED]
    before = next((one for one in existing if one.get("type") == _ALLOWED), {})
    changed = before.get("status") != status
    return [
        *others,
        {
            "type": _ALLOWED,
            "status": status,
            "observedGeneration": budget["metadata"].get("generation") or 0,
            "lastTransitionTime": timestamp(now) if changed else before.get("lastTransitionTime"),
            "reason": reason,
            "message": "",
        },
    ]
