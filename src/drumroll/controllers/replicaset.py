"""The ReplicaSet controller's view: what it watches, and what a decision about one ReplicaSet needs to know."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from drumroll.controllers.caches import Caches
from drumroll.controllers.loop import Controller, Watch
from drumroll.controllers.owners import itself, owners_of
from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.pod import is_finished
from drumroll.domain.replicaset import World, reconcile
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.kinds import POD, REPLICA_SET
from drumroll.objects.meta import Key, Obj, controller_of, is_deleting, uid_of


def replicaset_controller(caches: Caches) -> Controller:
    """Turns ReplicaSets into pods."""
    replica_sets, pods = caches.of(REPLICA_SET), caches.of(POD)

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

    watches = (Watch(replica_sets, itself), Watch(pods, owners_of(replica_sets)))
    return Controller("replicaset", "replicaset-controller", watches, decide)


def _has_surplus(replica_set: Obj, candidates: Sequence[Obj]) -> bool:
    return sum(map(_is_active, candidates)) > ReplicaSet(replica_set).replicas


def _is_active(pod: Obj) -> bool:
    return not is_deleting(pod) and not is_finished(pod)
