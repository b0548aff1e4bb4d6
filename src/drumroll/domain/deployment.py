"""The next step of a Deployment: one change of sizes at a time, and its status after it.

Source: kubernetes pkg/controller/deployment (syncDeployment, rolling.go, recreate.go, rollback.go, sync.go).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from drumroll.domain.actions import (
    Action,
    Create,
    Delete,
    Notice,
    Plan,
    Record,
    Settle,
    is_namespace_terminating,
    patch_of,
)
from drumroll.domain.adoption import claim
from drumroll.domain.deployment_revision import (
    REVISION,
    build_replica_set,
    carried_annotations,
    classify,
    next_revision,
    revision_of,
    size_annotations,
)
from drumroll.domain.deployment_rollback import rollback, wanted_rollback
from drumroll.domain.deployment_rolling import grow_new, shrink_old
from drumroll.domain.deployment_scaling import is_scaling_event, scale
from drumroll.domain.deployment_status import (
    COUNTS,
    PROGRESSING,
    calculate_status,
    condition,
    find,
    is_complete,
    judge_progress,
    next_check,
    paused_conditions,
    with_condition,
)
from drumroll.domain.replicas import Scaling, Split
from drumroll.objects.apps_v1 import Deployment, ReplicaSet
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import DEPLOYMENT, REPLICA_SET
from drumroll.objects.meta import Key, Obj, uid_of
from drumroll.objects.selectors import from_object

SCALING = "ScalingReplicaSet"


@dataclass(frozen=True, slots=True)
class World:
    """What a decision about one Deployment needs to know.

    `replica_sets` are all of its namespace that it owns or that nobody owns. `has_pods` tells, for Recreate, whether
    pods of the replica set with that uid still run, terminating ones too. `holder` finds who has a name.
    """

    deployment: Obj
    replica_sets: tuple[Obj, ...]
    has_pods: Callable[[str], bool] = lambda uid: False
    holder: Callable[[Key], Obj | None] = lambda key: None


@dataclass(frozen=True, slots=True)
class _Turn:
    """One sync's view: the split, the conditions so far, and the annotations that the Deployment shall get."""

    world: World
    deployment: Deployment
    split: Split
    now: datetime
    conditions: tuple[Obj, ...] = ()
    annotations: Mapping[str, str] | None = None
    actions: tuple[Action, ...] = ()

    def then(self, actions: Sequence[Action]) -> "_Turn":
        """The same turn with more to do."""
        return replace(self, actions=(*self.actions, *actions))


def reconcile(world: World, now: datetime) -> Plan:
    """The next step; a Plan without actions means that nothing is to be done until something changes."""
    deployment = Deployment(world.deployment)
    selector = deployment.spec.get("selector") or {}
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        return _selects_everything(deployment)
    claimed = claim(world.deployment, REPLICA_SET, world.replica_sets, from_object(selector).matches)
    if claimed.actions:
        return Plan(claimed.actions)  # the adopted and released ones show up as changes, and then it goes on
    owned = [ReplicaSet(obj) for obj in claimed.owned]
    split = classify(deployment, owned)
    turn = _Turn(world, deployment, split, now, tuple(deployment.conditions))
    if deployment.is_deleting:
        return _report(turn, judged=False)
    turn = replace(turn, conditions=tuple(paused_conditions(deployment, now)))
    if deployment.is_paused:
        return _resize(_settle_new(turn))
    revision = wanted_rollback(deployment)
    if revision is not None:
        return Plan(rollback(deployment, split, revision))
    if is_scaling_event(deployment, owned):
        return _resize(_settle_new(turn))
    if deployment.strategy == "Recreate":
        return _recreate(_settle_new(turn))
    return _roll(_settle_new(turn))


def _selects_everything(deployment: Deployment) -> Plan:
    message = "This deployment is selecting all pods. A non-empty selector is required."
    actions: list[Action] = [Record(deployment.raw, "Warning", "SelectingAll", message)]
    if (deployment.status.get("observedGeneration") or 0) < deployment.generation:
        status = {"observedGeneration": deployment.generation}
        actions.append(patch_of(DEPLOYMENT, deployment.raw, {"status": status}, "status"))
    return Plan(tuple(actions))


def _settle_new(turn: _Turn) -> _Turn:
    """Bring an existing new replica set's annotations up to date, or else take over its revision."""
    new, deployment = turn.split.new, turn.deployment
    if new is None:
        return turn
    annotations = carried_annotations(deployment, new, next_revision(turn.split))
    patch: Obj = {"metadata": {"annotations": annotations}} if annotations else {}
    if new.min_ready_seconds != deployment.min_ready_seconds:
        patch["spec"] = {"minReadySeconds": deployment.min_ready_seconds}
    if patch:
        return turn.then([patch_of(REPLICA_SET, new.raw, patch)])  # its revision is taken over next time
    conditions = list(turn.conditions)
    if deployment.deadline_seconds is not None and find(conditions, PROGRESSING) is None:
        message = f'Found new replica set "{new.name}"'
        conditions = with_condition(conditions, condition(PROGRESSING, "True", "FoundNewReplicaSet", message, turn.now))
    return replace(turn, conditions=tuple(conditions), annotations=_taken_revision(deployment, new))


def _taken_revision(deployment: Deployment, new: ReplicaSet) -> Mapping[str, str] | None:
    revision = new.annotations.get(REVISION)
    return {REVISION: revision} if revision and deployment.annotations.get(REVISION) != revision else None


def _resize(turn: _Turn) -> Plan:
    """A change of size, or a paused Deployment: no new replica set, and progress is not judged."""
    steps = scale(turn.deployment, turn.split)
    turn = turn.then(_scale_actions(turn.deployment, steps, forced=len(steps) > 1))
    if turn.deployment.is_paused:
        turn = turn.then(_clean_up(turn))
    return _report(turn, judged=False)


def _roll(turn: _Turn) -> Plan:
    if turn.split.new is None:
        turn = _with_created(turn)
        if turn.split.new is None:
            return _collide(turn)
    steps = grow_new(turn.deployment, turn.split) or shrink_old(turn.deployment, turn.split)
    if not steps and is_complete(turn.deployment, turn.deployment.status):
        turn = turn.then(_clean_up(turn))
    return _report(turn.then(_scale_actions(turn.deployment, steps)))


def _recreate(turn: _Turn) -> Plan:
    stopped = [Scaling(rs, 0) for rs in turn.split.active_old]
    if stopped:
        return _report(turn.then(_scale_actions(turn.deployment, stopped)))
    if any(rs.current > 0 or turn.world.has_pods(rs.uid) for rs in turn.split.old):
        return _report(turn)
    if turn.split.new is None:
        turn = _with_created(turn)
        if turn.split.new is None:
            return _collide(turn)
    new, wanted = turn.split.new, turn.deployment.replicas
    steps = [Scaling(new, wanted)] if new.replicas != wanted else []
    turn = turn.then(_scale_actions(turn.deployment, steps))
    if is_complete(turn.deployment, turn.deployment.status):
        turn = turn.then(_clean_up(turn))
    return _report(turn)


def _with_created(turn: _Turn) -> _Turn:
    """The turn with the new replica set created in it; without, when its name is taken."""
    deployment = turn.deployment
    obj = build_replica_set(deployment, turn.split)
    key = Key(deployment.key.namespace, obj["metadata"]["name"])
    if turn.world.holder(key) is not None:
        return turn
    created = ReplicaSet(obj)
    done = (SCALING, f"Scaled up replica set {created.name} from 0 to {created.replicas}")
    failed = ("ReplicaSetCreateError", f'Failed to create new replica set "{created.name}": {{error}}')
    # An empty reason means that nothing is reported: a replica set that starts without pods is no news.
    notice = Notice(deployment.raw, done if created.replicas > 0 else ("", ""), failed)
    conditions = turn.conditions
    if deployment.deadline_seconds is not None:
        message = f'Created new replica set "{created.name}"'
        fresh = condition(PROGRESSING, "True", "NewReplicaSetCreated", message, turn.now)
        conditions = tuple(with_condition(conditions, fresh))
    turn = replace(turn, split=Split(created, turn.split.old), conditions=conditions)
    turn = replace(turn, annotations=_taken_revision(deployment, created))
    return turn.then([Create(obj, notice)])


def _collide(turn: _Turn) -> Plan:
    """The name for the wanted template belongs to another one: count it, which makes the next name differ."""
    count = (turn.deployment.status.get("collisionCount") or 0) + 1
    return Plan((patch_of(DEPLOYMENT, turn.deployment.raw, {"status": {"collisionCount": count}}, "status"),))


def _scale_actions(deployment: Deployment, steps: Sequence[Scaling], *, forced: bool = False) -> list[Action]:
    """Writes and events for new sizes; `forced` refreshes the annotations also where a size stays."""
    actions: list[Action] = []
    sizes: dict[str, int] = {}
    annotations = size_annotations(deployment)
    for step in steps:
        rs, size = step.replica_set, step.replicas
        before = sizes.get(rs.uid, rs.replicas)
        sizes[rs.uid] = size
        noted = {name: rs.annotations.get(name) for name in annotations}
        if size == before and not (forced and noted != annotations):
            continue
        patch = {"metadata": {"annotations": annotations}, "spec": {"replicas": size}}
        actions.append(patch_of(REPLICA_SET, rs.raw, patch))
        if size != before:
            direction = "up" if size > before else "down"
            message = f"Scaled {direction} replica set {rs.name} from {before} to {size}"
            actions.append(Record(deployment.raw, "Normal", SCALING, message))
    return actions


def _clean_up(turn: _Turn) -> list[Action]:
    """Delete the old replica sets beyond the history limit that have no pods, the lowest revisions first."""
    limit = turn.deployment.history_limit
    kept = [rs for rs in turn.split.old if not rs.is_deleting]
    if limit is None or len(kept) <= limit:
        return []
    ordered = sorted(kept, key=lambda rs: (revision_of(rs), rs.age_order))
    surplus = ordered[: len(kept) - limit]
    idle = [rs for rs in surplus if rs.current == 0 and rs.replicas == 0 and rs.is_observed]
    return [Delete(REPLICA_SET, rs.key, rs.uid) for rs in idle]


def _report(turn: _Turn, *, judged: bool = True) -> Plan:
    """The plan with the status after its actions; `judged` says whether progress counts."""
    return Plan(turn.actions, settle=_settle(turn, judged=judged), wake_at=_wake_at(turn, judged=judged))


def _status(turn: _Turn, *, judged: bool) -> Obj:
    status = calculate_status(turn.deployment, turn.split, turn.conditions, turn.now)
    return judge_progress(turn.deployment, turn.split, status, turn.now) if judged else status


def _wake_at(turn: _Turn, *, judged: bool) -> datetime | None:
    return next_check(turn.deployment, _status(turn, judged=judged)) if judged else None


def _settle(turn: _Turn, *, judged: bool) -> Settle:
    def settle(failures: Sequence[ApiError]) -> tuple[Action, ...]:
        if failures:
            return _after_failure(turn, failures[0])
        return _status_actions(turn, _status(turn, judged=judged))

    return settle


def _status_actions(turn: _Turn, status: Obj) -> tuple[Action, ...]:
    deployment = turn.deployment
    patch: Obj = {}
    if not _is_same_status(deployment.status, status):
        absent = {name: None for name in deployment.status if name not in status}
        zeros = {name: None for name in COUNTS if not status[name]}  # the original leaves zeros out
        patch["status"] = {**absent, **status, **zeros}
    if turn.annotations:
        patch["metadata"] = {"annotations": dict(turn.annotations)}
    return (patch_of(DEPLOYMENT, deployment.raw, patch, "status"),) if patch else ()


def _is_same_status(old: Obj, new: Obj) -> bool:
    """Equal, where an absent count is a zero and absent conditions are none."""
    return all((old.get(name) or 0) == (new.get(name) or 0) for name in {*old, *new} if name != "conditions") and (
        (old.get("conditions") or []) == (new.get("conditions") or [])
    )


def _after_failure(turn: _Turn, error: ApiError) -> tuple[Action, ...]:
    """When the new replica set could not be created, say so; other writes are simply tried again."""
    new, deployment = turn.split.new, turn.deployment
    is_create = new is not None and not uid_of(new.raw)
    if not is_create or new is None or error.reason == "AlreadyExists" or is_namespace_terminating(error):
        return ()
    if deployment.deadline_seconds is None:
        return ()
    message = f'Failed to create new replica set "{new.name}": {error.message}'
    failed = condition(PROGRESSING, "False", "ReplicaSetCreateError", message, turn.now)
    conditions = with_condition(deployment.conditions, failed)
    if conditions == deployment.conditions:
        return ()
    return (patch_of(DEPLOYMENT, deployment.raw, {"status": {"conditions": conditions}}, "status"),)
