"""restartAt: pods that are older than that moment are evicted, a few at a time, the stable ones first.

Eviction asks the PodDisruptionBudgets; what they refuse is tried again. Source: argo-rollouts rollout/restart.go.
"""

from datetime import datetime, timedelta

from drumroll.domain.actions import Evict, Record
from drumroll.domain.deployment_status import find
from drumroll.domain.replicas import scaled
from drumroll.domain.rollout.failing import pods_of
from drumroll.domain.rollout.inputs import Turn
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.meta import Obj, is_deleting, key_of, parse_timestamp, uid_of

AGAIN = timedelta(seconds=2)


def with_restart(turn: Turn) -> Turn:
    """The turn that evicts the next old pods, or notes that there are none left."""
    text = turn.rollout.spec.get("restartAt")
    if not text or turn.status.get("restartedAt") == text:
        return turn
    moment = parse_timestamp(text)
    if turn.now < moment:
        return turn.wake(moment)
    old = [pod for rs in _ordered(turn) for pod in pods_of(turn, rs) if _created(pod) < moment]
    if not old:
        return turn.with_status(restartedAt=text)
    room = max(1, _may_lack(turn)) - sum(_missing(turn, rs) for rs in turn.sets.all)
    left = [pod for pod in old if not is_deleting(pod)]
    useless = [pod for pod in left if not _is_ready(pod)]
    chosen = [*useless, *[pod for pod in left if _is_ready(pod)][: max(0, room)]]
    about = turn.inputs.rollout
    for pod in chosen:
        name = key_of(pod).name
        told = Record(about, "Normal", "RolloutPodRestarted", f"Restarting Pod '{name}': older than restartAt ({text})")
        turn = turn.then([Evict(key_of(pod), uid_of(pod)), told])
    return turn.wake(turn.now + AGAIN)


def _ordered(turn: Turn) -> tuple[ReplicaSet, ...]:
    stable = turn.sets.stable
    rest = (rs for rs in turn.sets.all if stable is None or rs.name != stable.name)
    return (*((stable,) if stable else ()), *rest)


def _created(pod: Obj) -> datetime:
    return parse_timestamp(pod["metadata"]["creationTimestamp"])


def _is_ready(pod: Obj) -> bool:
    condition = find((pod.get("status") or {}).get("conditions") or (), "Ready")
    return condition is not None and condition.get("status") == "True"


def _may_lack(turn: Turn) -> int:
    strategy = turn.rollout.blue_green or turn.rollout.canary or {}
    value = strategy.get("maxUnavailable")
    return scaled("25%" if value is None else value, turn.rollout.replicas, up=False)


def _missing(turn: Turn, replica_set: ReplicaSet) -> int:
    """How many pods of a replica set are not there or not ready: by its status, or by its pods where they know more."""
    serving = sum(1 for pod in pods_of(turn, replica_set) if _is_ready(pod) and not is_deleting(pod))
    return max(0, replica_set.replicas - min(serving, replica_set.available))
