"""One template of an Experiment: its pods, its Service, and how far they are. Source: argo-rollouts experiment.go."""

from dataclasses import dataclass
from datetime import datetime

from drumroll.domain.actions import Action, Create, Delete, Record, patch_of
from drumroll.domain.analysis.names import ERROR, FAILED, POD_HASH, SCALE_DOWN_DEADLINE, SUCCESSFUL
from drumroll.domain.experiment.parts import World, build_replica_set, build_service, wanted_replicas
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.kinds import REPLICA_SET, SERVICE
from drumroll.objects.meta import Obj, annotations_of, key_of, labels_of, parse_timestamp, timestamp, uid_of

PROGRESSING, RUNNING = "Progressing", "Running"
ENDED = frozenset({SUCCESSFUL, FAILED, ERROR})


@dataclass(frozen=True, slots=True)
class Step:
    """What to do for a template, the status that it has now, and when to look again.

    `creates` is set when an action makes an object; `failure` words what its refusal would be.
    """

    status: Obj
    actions: tuple[Action, ...] = ()
    wake_at: datetime | None = None
    creates: bool = False
    failure: str = ""


def template_step(world: World, template: Obj, now: datetime) -> Step:
    """Bring a template's pods and Service where they should be, and report."""
    before = _known(world, template["name"])
    replica_set = world.replica_set(template)
    step = Step(before)
    if replica_set is None and not world.is_terminating:
        failure = f"Failed to create ReplicaSet for template '{template['name']}': "
        built = build_replica_set(world.experiment, template)
        step = Step({**before, "lastTransitionTime": timestamp(now)}, (Create(built),), creates=True, failure=failure)
    elif replica_set is not None:
        step = _scaled(world, template, replica_set, now)
    status = _judged(world, template, _counted(step.status, before, replica_set, now), now)
    told = _told(world, before, status)
    deadline = _deadline(world, template, status)
    moments = [moment for moment in (step.wake_at, deadline) if moment is not None]
    return Step(status, (*step.actions, *told), min(moments, default=None), step.creates, step.failure)


def _known(world: World, name: str) -> Obj:
    found = (one for one in world.status.get("templateStatuses") or () if one["name"] == name)
    return next(found, {"name": name})


def _wanted(world: World, template: Obj) -> int:
    return 0 if world.is_finished else wanted_replicas(template)


def _scaled(world: World, template: Obj, replica_set: Obj, now: datetime) -> Step:
    wanted, status = _wanted(world, template), _known(world, template["name"])
    actions: list[Action] = []
    service = world.service(template)
    if wanted and template.get("service") is not None:
        if service is None and (built := build_service(world.experiment, template, replica_set)) is not None:
            failure = f"Failed to create Service {key_of(built).name} for template '{template['name']}': "
            return Step(status, (Create(built),), creates=True, failure=failure)
        if service is not None:
            pod_hash = labels_of(replica_set)[POD_HASH]
            status = {**status, "serviceName": key_of(service).name, "podTemplateHash": pod_hash}
    elif service is not None and (template.get("service") is None or not ReplicaSet(replica_set).current):
        actions.append(Delete(SERVICE, key_of(service), uid_of(service)))
        status = {name: value for name, value in status.items() if name not in ("serviceName", "podTemplateHash")}
    if not wanted:
        return _ending(world, replica_set, status, actions, now)
    if ReplicaSet(replica_set).replicas != wanted:
        actions += _scale(world, replica_set, wanted)
        status = {**status, "lastTransitionTime": timestamp(now)}
    return Step(status, tuple(actions))


def _ending(world: World, replica_set: Obj, status: Obj, actions: list[Action], now: datetime) -> Step:
    """Take the pods away when the delay after the end is over."""
    if not ReplicaSet(replica_set).replicas:
        return Step(status, tuple(actions))
    marked, wake_at = annotations_of(replica_set).get(SCALE_DOWN_DEADLINE), None
    if world.delay():
        wake_at = parse_timestamp(marked) if marked else now + world.delay()
    if wake_at is None or wake_at <= now:
        return Step(status, (*actions, *_scale(world, replica_set, 0)))
    if not marked:
        patch = {"metadata": {"annotations": {SCALE_DOWN_DEADLINE: timestamp(wake_at)}}}
        actions.append(patch_of(REPLICA_SET, replica_set, patch))
    return Step(status, tuple(actions), wake_at)


def _scale(world: World, replica_set: Obj, wanted: int) -> tuple[Action, ...]:
    old, name = ReplicaSet(replica_set).replicas, key_of(replica_set).name
    way = "up" if wanted > old else "down"
    text = f"Scaled {way} ReplicaSet {name} from {old} to {wanted}"
    return (
        patch_of(REPLICA_SET, replica_set, {"spec": {"replicas": wanted}}),
        Record(world.experiment, "Normal", "ScalingReplicaSet", text),
    )


def _counted(status: Obj, before: Obj, replica_set: Obj | None, now: datetime) -> Obj:
    found = ReplicaSet(replica_set) if replica_set is not None else None
    counts = {
        "replicas": found.current if found else 0,
        "updatedReplicas": found.current if found else 0,
        "readyReplicas": found.ready if found else 0,
        "availableReplicas": found.available if found else 0,
    }
    if any(before.get(name, 0) != count for name, count in counts.items()):
        status = {**status, "lastTransitionTime": timestamp(now)}
    return {**status, **counts}


def _judged(world: World, template: Obj, status: Obj, now: datetime) -> Obj:
    if status.get("status") in ENDED:
        return status
    if status["availableReplicas"] == _wanted(world, template):
        ends = world.ends_at()
        is_over = (ends is not None and ends <= now) or world.is_terminating
        return {**status, "status": SUCCESSFUL if is_over else RUNNING}
    deadline = parse_timestamp(status["lastTransitionTime"]) + world.deadline() if _since(status) else None
    if deadline is not None and deadline < now:
        seconds = round(world.deadline().total_seconds())
        message = f"Template '{template['name']}' exceeded its progressDeadlineSeconds ({seconds})"
        return {**status, "status": FAILED, "message": message}
    return {**status, "status": SUCCESSFUL if world.is_terminating else PROGRESSING}


def _since(status: Obj) -> str:
    return str(status.get("lastTransitionTime") or "")


def _deadline(world: World, template: Obj, status: Obj) -> datetime | None:
    if status["status"] not in (PROGRESSING, RUNNING) or not _since(status):
        return None
    if status["availableReplicas"] == _wanted(world, template):
        return None
    return parse_timestamp(_since(status)) + world.deadline()


def _told(world: World, before: Obj, after: Obj) -> tuple[Action, ...]:
    old, new = before.get("status", ""), after["status"]
    if old == new:
        return ()
    text = f"Template '{after['name']}' transitioned from {old} -> {new}"
    if after.get("message"):
        text = f"{text}: {after['message']}"
    return (Record(world.experiment, "Warning" if new in (FAILED, ERROR) else "Normal", f"Template{new}", text),)
