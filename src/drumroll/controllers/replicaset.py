"""The ReplicaSet controller's view: what it watches, and what a decision about one ReplicaSet needs to know."""

from collections import Counter
from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.crowd import Crowds
from drumroll.domain.replicaset import World, reconcile
from drumroll.objects.kinds import POD, REPLICA_SET
from drumroll.objects.meta import Key, Obj, controller_of, uid_of
from drumroll.reconcile.caches import ORPHANS, Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself, owners_of


def replicaset_controller(caches: Caches) -> Controller:
    """Turns ReplicaSets into pods."""
    replica_sets, pods = caches.of(REPLICA_SET), caches.of(POD)

    crowds = Crowds()
    pods.subscribe(crowds.changed)

    def pods_on_node(replica_set: Obj) -> Counter[str]:
        owner = controller_of(replica_set)
        related = replica_sets.by_owner(owner["uid"]) if owner else [replica_set]
        return sum((crowds.of(uid_of(one)).on_node for one in related), Counter())

    async def decide(key: Key, now: datetime) -> Plan:
        found = replica_sets.get(key)
        if found is None:
            return NOTHING
        orphans = tuple(pods.indexed(ORPHANS, key.namespace))
        return reconcile(World(found, crowds.of(uid_of(found)), orphans, pods_on_node(found)), now)

    watches = (Watch(replica_sets, itself), Watch(pods, owners_of(replica_sets)))
    return Controller("replicaset", "replicaset-controller", watches, decide)
