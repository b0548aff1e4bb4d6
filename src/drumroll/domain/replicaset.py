"""How a ReplicaSet comes to have the wanted number of pods, and what it reports of them.

Source: kubernetes pkg/controller/replicaset/replica_set.go, replica_set_utils.go.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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
from drumroll.domain.crowd import Crowd, Group
from drumroll.domain.pod import is_finished
from drumroll.domain.replica import Replica, ready_moment
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

    `crowd` are the pods that it owns, `orphans` those of its namespace that nobody owns. `pods_on_node` counts the
    active pods of all replica sets with the same owner by node; it may be empty as long as nothing is to be deleted.
    """

    replica_set: Obj
    crowd: Crowd
    orphans: tuple[Obj, ...] = ()
    pods_on_node: Mapping[str, int] = field(default_factory=dict)


def reconcile(world: World, now: datetime) -> Plan:
    """Create or delete pods until their number is right, then report."""
    rs = ReplicaSet(world.replica_set)
    groups, claims = _claim(rs, world)
    if claims:
        return Plan(claims)
    surplus = sum(len(group.replicas) for group in groups) - rs.replicas
    actions: tuple[Together, ...] = ()
    chosen: list[Replica] = []
    if surplus < 0 and not rs.is_deleting:
        actions = tuple(_creations(rs, -surplus))
    elif surplus > 0 and not rs.is_deleting:
        everyone = [replica for group in groups for replica in group.replicas.values()]
        chosen = first_to_die(everyone, min(surplus, BURST), world.pods_on_node, now)
        actions = (_deletions(rs, chosen),)
    turn = _Turn(rs, _count(rs, groups, now), world.crowd.leaving, now)
    return Plan(actions, wake_at=_next_available(rs, groups, now), settle=_settle(turn, chosen))


def _claim(rs: ReplicaSet, world: World) -> tuple[list[Group], tuple[Action, ...]]:
    """The pods that it owns, or what is to be done first to own what its selector matches."""
    matches = from_object(rs.raw["spec"].get("selector") or {}).matches
    owned: list[Group] = []
    others = [pod for pod in world.orphans if not is_finished(pod)]
    for group in world.crowd.groups():
        if matches(dict(group.labels)):
            owned.append(group)
        else:
            others += [replica.pod for replica in group.replicas.values()]
    return owned, claim(rs.raw, POD, others, matches).actions if others else ()


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many pods there are, and how many of them are so and so."""

    replicas: int = 0
    labeled: int = 0
    ready: int = 0
    available: int = 0

    def without(self, other: "_Counts") -> "_Counts":
        """What is left when those of `other` are gone."""
        return _Counts(
            self.replicas - other.replicas,
            self.labeled - other.labeled,
            self.ready - other.ready,
            self.available - other.available,
        )


@dataclass(frozen=True, slots=True)
class _Turn:
    """What was found: the active pods that it owns, and how many are on their way out."""

    rs: ReplicaSet
    counts: _Counts
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


def _creations(rs: ReplicaSet, missing: int) -> Iterator[Together]:
    done, failed = ("SuccessfulCreate", "Created pod: {name}"), ("FailedCreate", "Error creating: {error}")
    create = Create(build_pod(rs), Notice(rs.raw, done, failed))
    for size in slow_start(min(missing, BURST)):
        yield Together((create,) * size)


def _deletions(rs: ReplicaSet, chosen: Iterable[Replica]) -> Together:
    done, failed = ("SuccessfulDelete", "Deleted pod: {name}"), ("FailedDelete", "Error deleting: {error}")
    notice = Notice(rs.raw, done, failed)
    return Together(tuple(Delete(POD, key_of(one.pod), one.uid, notice=notice) for one in chosen))


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


def _count(rs: ReplicaSet, groups: Iterable[Group], now: datetime) -> _Counts:
    labels = frozenset(((rs.template.get("metadata") or {}).get("labels") or {}).items())
    replicas = labeled = ready = available = 0
    for group in groups:
        size = len(group.replicas)
        replicas += size
        labeled += size if labels <= group.labels else 0
        if group.is_ready:
            ready += size
            available += _available(rs, group, now)
    return _Counts(replicas, labeled, ready, available)


def _available(rs: ReplicaSet, ready: Group, now: datetime) -> int:
    """How many have been ready for long enough."""
    if rs.min_ready_seconds == 0:
        return len(ready.replicas)
    wait = timedelta(seconds=rs.min_ready_seconds)
    return sum((since := ready_moment(one)) is None or since + wait <= now for one in ready.replicas.values())


def _next_available(rs: ReplicaSet, groups: Iterable[Group], now: datetime) -> datetime | None:
    """When the next ready pod will have been ready for long enough."""
    if rs.min_ready_seconds == 0:
        return None
    wait = timedelta(seconds=rs.min_ready_seconds)
    pods = (pod for group in groups for pod in group.replicas.values())
    moments = (since + wait for pod in pods if (since := ready_moment(pod)) is not None)
    return min((moment for moment in moments if moment > now), default=None)


def _settle(turn: _Turn, chosen: Sequence[Replica]) -> Settle:
    # Counted now: the crowd changes while the plan is carried out.
    left = turn.counts.without(_count(turn.rs, Crowd(chosen).groups(), turn.now))

    def settle(failures: Sequence[ApiError]) -> tuple[Action, ...]:
        # What was just deleted is on its way out: whoever waits for its place need not wait for one more turn.
        counts, going = (turn.counts, turn.going) if failures else (left, turn.going + len(chosen))
        counted = [error for error in failures if not is_namespace_terminating(error)]
        reason = "FailedDelete" if chosen else "FailedCreate"
        status = _status(turn.rs, counts, going)
        return _write(turn.rs, {**status, "conditions": _conditions(turn.rs, reason, counted, turn.now)})

    return settle


def _status(rs: ReplicaSet, counts: _Counts, terminating: int) -> Obj:
    return {
        "replicas": counts.replicas,
        "fullyLabeledReplicas": counts.labeled,
        "readyReplicas": counts.ready,
        "availableReplicas": counts.available,
        "terminatingReplicas": terminating,
        "observedGeneration": rs.generation,
    }


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
