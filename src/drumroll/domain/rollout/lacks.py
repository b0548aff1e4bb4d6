"""What a Rollout waits for that will not come by itself: the condition `drumroll.dev/Blocked`.

It is there only as long as something is lacking, and names what, where, and what to do.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from drumroll.domain.actions import Action, Record
from drumroll.domain.deployment_status import condition, find, without
from drumroll.domain.rollout.failing import containers_of, pods_of
from drumroll.domain.rollout.inputs import Turn
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.meta import Obj, is_deleting, key_of

BLOCKED = "drumroll.dev/Blocked"
FAULTS = frozenset({"TrafficRoutingError", "AnalysisRunError"})
"""Reasons of the Events about what could not be done in a turn."""

_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_STUCK = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"})
_MOST = 1000


def lacks(turn: Turn) -> tuple[str, ...]:
    """What is lacking, each as a sentence."""
    found = [action.message for action in turn.actions if isinstance(action, Record) and action.reason in FAULTS]
    for rs in (turn.sets.new, turn.sets.stable):
        if rs is not None:
            found += _pods_refused(rs)
            found += _pods_stuck(turn, rs)
    return tuple(dict.fromkeys(found))


def with_blocked(conditions: Sequence[Obj], lacking: Sequence[str], now: datetime) -> list[Obj]:
    """The conditions with, or without, the one that tells what is lacking."""
    if not lacking:
        return without(conditions, BLOCKED)
    text = "; ".join(lacking)
    text = text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
    before = find(conditions, BLOCKED)
    if before is not None and before["message"] == text:
        return list(conditions)
    fresh = condition(BLOCKED, "True", "Lacking", text, now)
    if before is not None:
        fresh["lastTransitionTime"] = before["lastTransitionTime"]
    return [*without(conditions, BLOCKED), fresh]


def without_told(actions: Sequence[Action], conditions: Sequence[Obj]) -> tuple[Action, ...]:
    """The actions without Events about faults that the condition has told before."""
    told = (find(conditions, BLOCKED) or {}).get("message", "")
    return tuple(
        one for one in actions if not (isinstance(one, Record) and one.reason in FAULTS and one.message in told)
    )


def _pods_refused(replica_set: ReplicaSet) -> Iterator[str]:
    failure = find(replica_set.status.get("conditions") or (), "ReplicaFailure")
    if failure is not None and failure.get("status") == "True" and replica_set.current < replica_set.replicas:
        yield f"ReplicaSet {replica_set.name} cannot make its pods: {failure.get('message', '')}"


def _pods_stuck(turn: Turn, replica_set: ReplicaSet) -> Iterator[str]:
    """What holds the first of its pods that is stuck; the others wait for the same, as a rule."""
    pods = sorted(pods_of(turn, replica_set), key=lambda pod: key_of(pod).name)
    found = (text for pod in pods if not is_deleting(pod) for text in _stuck(pod))
    first = next(found, None)
    if first is not None:
        yield first


def _stuck(pod: Obj) -> Iterator[str]:
    name, status = key_of(pod).name, pod.get("status") or {}
    scheduled = find(status.get("conditions") or (), "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        yield f"no node for pod {name}: {scheduled.get('message', '')}"
    for one in containers_of(pod):
        reason = ((one.get("state") or {}).get("waiting") or {}).get("reason")
        if reason in _IMAGE:
            yield f"pod {name} cannot have its image {one.get('image') or ''}: build, push or name it right"
        elif reason in _STUCK:
            yield f"container {one['name']} of pod {name} does not start: {reason}"
