"""The ReplicationController controller's view: as that of ReplicaSets."""

from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.crowd import Crowd
from drumroll.domain.replica import replica_of
from drumroll.domain.replicaset import World, reconcile
from drumroll.domain.replicationcontroller import as_replica_set
from drumroll.objects.kinds import POD, REPLICATION_CONTROLLER
from drumroll.objects.meta import Key, Obj, controller_of, is_deleting, key_of, labels_of, uid_of
from drumroll.objects.selectors import from_map
from drumroll.reconcile.caches import ORPHANS, Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself, owner_keys


def replicationcontroller_controller(caches: Caches) -> Controller:
    """Turns ReplicationControllers into pods."""
    controllers, pods = caches.of(REPLICATION_CONTROLLER), caches.of(POD)
    owner = owner_keys(controllers)

    def of_pod(old: Obj | None, new: Obj | None) -> set[Key]:
        found = {key for obj in (old, new) if obj is not None for key in owner(obj)}
        if new is not None and controller_of(new) is None and not is_deleting(new):
            for one in controllers.by_namespace(key_of(new).namespace):
                if from_map(one["spec"].get("selector")).matches(labels_of(new)):
                    found.add(key_of(one))
        return found

    async def decide(key: Key, now: datetime) -> Plan:
        found = controllers.get(key)
        if found is None:
            return NOTHING
        theirs = (replica_of(pod) for pod in pods.by_owner(uid_of(found)))
        crowd = Crowd(replica for replica in theirs if replica.owner == uid_of(found))
        orphans = tuple(pods.indexed(ORPHANS, key.namespace))
        return reconcile(World(as_replica_set(found), crowd, orphans), now)

    watches = (Watch(controllers, itself), Watch(pods, of_pod))
    return Controller("replicationcontroller", "replication-controller", watches, decide)
