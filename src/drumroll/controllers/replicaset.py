"""The ReplicaSet controller's view: what it watches, and what a decision about one ReplicaSet needs to know."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from drumroll.controllers.caches import Caches
from drumroll.controllers.loop import Controller, Watch
from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.replicaset import World, is_finished, reconcile
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.kinds import POD, REPLICA_SET
from drumroll.objects.meta import Key, Obj, controller_of, is_deleting, key_of, labels_of, uid_of
from drumroll.objects.selectors import from_object


def replicaset_controller(caches: Caches) -> Controller:
    """Turns ReplicaSets into pods."""
    replica_sets, pods = caches.of(REPLICA_SET), caches.of(POD)

    def of_itself(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        return {key_of(obj) for obj in (old, new) if obj is not None}

    def of_pod(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        found = {key for obj in (old, new) if obj is not None for key in _owner(obj)}
        if new is not None and controller_of(new) is None and not is_deleting(new):
            found |= set(_adopters(new))
        return found

    def _owner(pod: Obj) -> Iterable[Key]:
        owner = controller_of(pod)
        if owner is None or owner["kind"] != REPLICA_SET.name:
            return ()
        key = Key(key_of(pod).namespace, owner["name"])
        found = replica_sets.get(key)
        return (key,) if found is not None and uid_of(found) == owner["uid"] else ()

    def _adopters(orphan: Obj) -> Iterable[Key]:
        for one in replica_sets.by_namespace(key_of(orphan).namespace):
            if from_object(one["spec"].get("selector") or {}).matches(labels_of(orphan)):
                yield key_of(one)

    def pods_on_node(replica_set: Obj) -> Mapping[str, int]:
        owner = controller_of(replica_set)
        related = replica_sets.by_owner(owner["uid"]) if owner else [replica_set]
        everyone = (pod for one in related for pod in pods.by_owner(uid_of(one)))
        return Counter(pod["spec"].get("nodeName") or "" for pod in everyone if _is_active(pod))

    async def decide(key: Key, now: datetime) -> Plan:
        found = replica_sets.get(key)
        if found is None:
            return NOTHING
        candidates = caches.owned(POD, found)
        crowds = pods_on_node(found) if _has_surplus(found, candidates) else {}
        return reconcile(World(found, candidates, crowds), now)

    watches = (Watch(replica_sets, of_itself), Watch(pods, of_pod))
    return Controller("replicaset", "replicaset-controller", watches, decide)


def _has_surplus(replica_set: Obj, candidates: Sequence[Obj]) -> bool:
    return sum(map(_is_active, candidates)) > ReplicaSet(replica_set).replicas


def _is_active(pod: Obj) -> bool:
    return not is_deleting(pod) and not is_finished(pod)
