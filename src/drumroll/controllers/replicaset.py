"""The ReplicaSet controller's view: what it watches, and what a decision about one ReplicaSet needs to know."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.replica import Replica, replica_of
from drumroll.domain.replicaset import World, reconcile
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.kinds import POD, REPLICA_SET
from drumroll.objects.meta import Key, Obj, controller_of, uid_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself, owners_of


def replicaset_controller(caches: Caches) -> Controller:
    """Turns ReplicaSets into pods."""
    replica_sets, pods = caches.of(REPLICA_SET), caches.of(POD)

    replicas = _Replicas()
    pods.subscribe(replicas.changed)

    def pods_on_node(replica_set: Obj) -> Mapping[str, int]:
        owner = controller_of(replica_set)
        related = replica_sets.by_owner(owner["uid"]) if owner else [replica_set]
        everyone = [replicas.read(pod) for one in related for pod in pods.by_owner(uid_of(one))]
        return Counter([one.node for one in everyone if not (one.is_deleting or one.is_finished)])

    async def decide(key: Key, now: datetime) -> Plan:
        found = replica_sets.get(key)
        if found is None:
            return NOTHING
        candidates = caches.owned(POD, found)
        crowds = pods_on_node(found) if len(candidates) > ReplicaSet(found).replicas else {}  # else none is deleted
        return reconcile(World(found, candidates, crowds, replicas.read), now)

    watches = (Watch(replica_sets, itself), Watch(pods, owners_of(replica_sets)))
    return Controller("replicaset", "replicaset-controller", watches, decide)


class _Replicas:
    """What was read of each pod; objects in caches never change, so the same object reads the same."""

    def __init__(self) -> None:
        self._known: dict[str, Replica] = {}

    def read(self, pod: Obj) -> Replica:
        """The pod as a decision sees it."""
        uid = pod["metadata"]["uid"]
        known = self._known.get(uid)
        if known is None or known.pod is not pod:
            known = self._known[uid] = replica_of(pod)
        return known

    def changed(self, old: Obj | None, new: Obj | None) -> None:
        """Called by the informer."""
        if new is None and old is not None:
            self._known.pop(uid_of(old), None)
