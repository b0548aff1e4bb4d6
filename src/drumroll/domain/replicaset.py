"""How a ReplicaSet comes to have the wanted number of pods, and what it reports of them.

Source: kubernetes pkg/controller/replicaset/replica_set.go, replica_set_utils.go.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from drumroll.domain.actions import (
    Action,
    Create,
    Delete,
    Notice,
    Plan,
    Settle,
    Together,
    is_namespace_terminating,
    patch_of,
)
from drumroll.domain.adoption import claim
from drumroll.domain.replica import Replica, ready_moment, replica_of
from drumroll.domain.replicaset_ranking import first_to_die
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import POD, REPLICATION_CONTROLLER, kind_of
from drumroll.objects.meta import (
    Obj,
    key_of,
    owner_reference,
    parse_timestamp,
    timestamp,
)
from drumroll.objects.selectors import from_object

BURST = 500  # pods created or deleted in one turn
FAILURE = "ReplicaFailure"
COUNTS = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")


@dataclass(frozen=True, slots=True)
class World:
    """What a decision about one ReplicaSet needs to know.

    `pods` are those of its namespace that it owns or that nobody owns. `pods_on_node` counts the active pods of all
    replica sets with the same owner by node; it may be empty as long as nothing is to be deleted. `read` may remember.
    """

    replica_set: Obj
    pods: tuple[Obj, ...]
    pods_on_node: Mapping[str, int] = field(default_factory=dict)
    read: Callable[[Obj], Replica] = replica_of


def reconcile(world: World, now: datetime) -> Plan:
    """Create or delete pods until their number is right, then report."""
    rs = ReplicaSet(world.replica_set)
    active: list[Replica] = []
    leaving: list[Replica] = []
    for replica in map(world.read, world.pods):
        if not replica.is_finished:
            (leaving if replica.is_deleting else active).append(replica)
    owned, claims = _claim(rs, active)
    if claims:
        return Plan(claims)
    actions: tuple[Together, ...] = ()
    if not rs.is_deleting:
        actions = tuple(_manage(rs, owned, world.pods_on_node, now))
    going = sum(1 for replica in leaving if replica.owner == rs.uid)
    turn = _Turn(rs, owned, going, now)
    return Plan(actions, wake_at=_next_available(rs, owned, now), settle=_settle(turn, actions))


def _claim(rs: ReplicaSet, active: Sequence[Replica]) -> tuple[Sequence[Replica], tuple[Action, ...]]:
    """The pods that it owns, or what is to be done first to own what its selector matches."""
    matches = from_object(rs.raw["spec"].get("selector") or {}).matches
    selected = cache(lambda labels: matches(dict(labels)))  # many pods, few sets of labels
    uid = rs.uid
    owned = [one for one in active if one.owner == uid and selected(one.labels)]
    others = [one.pod for one in active if one.owner is None or (one.owner == uid and not selected(one.labels))]
    return owned, claim(rs.raw, POD, others, matches).actions if others else ()


@dataclass(frozen=True, slots=True)
class _Turn:
    """What was found: the active pods, and how many are on their way out."""

    rs: ReplicaSet
    pods: Sequence[Replica]
    going: int
    now: datetime


def ready_since(pod: Obj) -> datetime | None:
    """Since when a pod is ready, or None when it is not."""
    ready = _ready(pod)
    if ready is None:
        return None
    return parse_timestamp(ready.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])


def _ready(pod: Obj) -> Obj | None:
    """The condition Ready when it is true."""
    for one in (pod.get("status") or {}).get("conditions") or ():
        if one["type"] == "Ready":
            ready: Obj | None = one if one["status"] == "True" else None
            return ready
    return None


def slow_start(count: int) -> Iterator[int]:
    """The sizes of batches that together make `count`: 1, 2, 4, 8 … A fault shows before many have met it."""
    size = 1
    while count > 0:
        yield min(size, count)
        count -= size
        size *= 2


def _manage(
    rs: ReplicaSet, pods: Sequence[Replica], pods_on_node: Mapping[str, int], now: datetime
) -> Iterator[Together]:
    surplus = len(pods) - rs.replicas
    if surplus < 0:
        pod = build_pod(rs)
        done, failed = ("SuccessfulCreate", "Created pod: {name}"), ("FailedCreate", "Error creating: {error}")
        create = Create(pod, Notice(rs.raw, done, failed))
        for size in slow_start(min(-surplus, BURST)):
            yield Together((create,) * size)
    elif surplus > 0:
        done, failed = ("SuccessfulDelete", "Deleted pod: {name}"), ("FailedDelete", "Error deleting: {error}")
        notice = Notice(rs.raw, done, failed)
        chosen = first_to_die(pods, min(surplus, BURST), pods_on_node, now)
        yield Together(tuple(Delete(POD, key_of(one.pod), one.uid, notice=notice) for one in chosen))


def build_pod(rs: ReplicaSet) -> Obj:
    """A pod as the template says, owned by the replica set; the server completes its name."""
    template = rs.template.get("metadata") or {}
    meta: Obj = {
        "generateName": f"{rs.name}-",
        "namespace": rs.key.namespace,
        "labels": template.get("labels"),
        "annotations": template.get("annotations"),
        "finalizers": template.get("finalizers"),
        "ownerReferences": [owner_reference(rs.raw)],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {name: value for name, value in meta.items() if value},
        "spec": rs.template.get("spec") or {},
    }


def calculate_status(rs: ReplicaSet, pods: Iterable[Replica], terminating: int, now: datetime) -> Obj:
    """The counts over the active pods that it owns."""
    labels = frozenset(((rs.template.get("metadata") or {}).get("labels") or {}).items())
    wait = timedelta(seconds=rs.min_ready_seconds)
    replicas = labeled = ready = available = 0
    for pod in pods:
        replicas += 1
        labeled += labels <= pod.labels
        if pod.is_ready:
            ready += 1
            since = ready_moment(pod) if wait else None
            available += since is None or since + wait <= now
    return {
        "replicas": replicas,
        "fullyLabeledReplicas": labeled,
        "readyReplicas": ready,
        "availableReplicas": available,
        "terminatingReplicas": terminating,
        "observedGeneration": rs.generation,
    }


def _next_available(rs: ReplicaSet, pods: Iterable[Replica], now: datetime) -> datetime | None:
    """When the next ready pod will have been ready for long enough."""
    if rs.min_ready_seconds == 0:
        return None
    wait = timedelta(seconds=rs.min_ready_seconds)
    moments = (since + wait for pod in pods if (since := ready_moment(pod)) is not None)
    return min((moment for moment in moments if moment > now), default=None)


def _settle(turn: _Turn, actions: Sequence[Together]) -> Settle:
    deleted = {action.uid for group in actions for action in group.actions if isinstance(action, Delete)}

    def settle(failures: Sequence[ApiError]) -> tuple[Action, ...]:
        # What was just deleted is on its way out: whoever waits for its place need not wait for one more turn.
        gone = frozenset() if failures else deleted
        left = [pod for pod in turn.pods if pod.uid not in gone] if gone else turn.pods
        status = calculate_status(turn.rs, left, turn.going + len(gone), turn.now)
        counted = [error for error in failures if not is_namespace_terminating(error)]
        reason = "FailedDelete" if deleted else "FailedCreate"
        return _write(turn.rs, {**status, "conditions": _conditions(turn.rs, reason, counted, turn.now)})

    return settle


def _existing(rs: ReplicaSet) -> list[Obj]:
    return rs.status.get("conditions") or []


def _conditions(rs: ReplicaSet, reason: str, failures: Sequence[ApiError], now: datetime) -> list[Obj]:
    """ReplicaFailure is added by the first failure and taken away by the next success."""
    existing = _existing(rs)
    others = [one for one in existing if one["type"] != FAILURE]
    if not failures:
        return others
    if len(others) != len(existing):
        return existing
    failure = {"type": FAILURE, "status": "True", "lastTransitionTime": timestamp(now), "reason": reason}
    return [*others, {**failure, "message": failures[0].message}]


def _write(rs: ReplicaSet, status: Obj) -> tuple[Action, ...]:
    old = rs.status
    if kind_of(rs.raw) is REPLICATION_CONTROLLER:
        status = {name: value for name, value in status.items() if name != "terminatingReplicas"}
    counts = {name for name in status if name != "conditions"}
    is_same = all((old.get(name) or 0) == status[name] for name in counts)
    if is_same and _existing(rs) == status["conditions"] and rs.is_observed:
        return ()
    patch: Obj = {name: status[name] or None for name in COUNTS}  # the original leaves zeros out
    patch["conditions"] = status["conditions"] or None
    return (patch_of(kind_of(rs.raw), rs.raw, {"status": {**status, **patch}}, "status"),)
