"""The Deployment controller's view: what it watches, and what a decision about one Deployment needs to know."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.controllers.caches import Caches
from drumroll.controllers.loop import Controller, Watch
from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.deployment import World, reconcile
from drumroll.domain.replicaset import is_finished
from drumroll.objects.kinds import DEPLOYMENT, POD, REPLICA_SET
from drumroll.objects.meta import Key, Obj, controller_of, key_of, labels_of, uid_of
from drumroll.objects.selectors import from_object


def deployment_controller(caches: Caches) -> Controller:
    """Turns Deployments into ReplicaSets."""
    deployments, replica_sets, pods = (caches.of(kind) for kind in (DEPLOYMENT, REPLICA_SET, POD))

    def of_itself(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        return {key_of(obj) for obj in (old, new) if obj is not None}

    def of_replica_set(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        found = {key for obj in (old, new) if obj is not None for key in _owner(obj)}
        if new is not None and controller_of(new) is None:
            found |= set(_adopters(new))
        return found

    def of_ended_pod(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        if old is None or (new is not None and not is_finished(new)):
            return ()
        owner = controller_of(old) or {}
        replica_set = replica_sets.get(Key(key_of(old).namespace, owner.get("name", "")))
        return [key for key in _owner(replica_set) if _is_recreate(key)] if replica_set else ()

    def _owner(obj: Obj) -> Iterable[Key]:
        owner = controller_of(obj)
        if owner is None or owner["kind"] != DEPLOYMENT.name:
            return ()
        key = Key(key_of(obj).namespace, owner["name"])
        found = deployments.get(key)
        return (key,) if found is not None and uid_of(found) == owner["uid"] else ()

    def _adopters(orphan: Obj) -> Iterable[Key]:
        for one in deployments.by_namespace(key_of(orphan).namespace):
            if from_object(one["spec"].get("selector") or {}).matches(labels_of(orphan)):
                yield key_of(one)

    def _is_recreate(key: Key) -> bool:
        found = deployments.get(key)
        return found is not None and (found["spec"].get("strategy") or {}).get("type") == "Recreate"

    def has_pods(uid: str) -> bool:
        return any(not is_finished(pod) for pod in pods.by_owner(uid))

    async def decide(key: Key, now: datetime) -> Plan:
        found = deployments.get(key)
        if found is None:
            return NOTHING
        return reconcile(World(found, caches.owned(REPLICA_SET, found), has_pods, replica_sets.get), now)

    watches = (Watch(deployments, of_itself), Watch(replica_sets, of_replica_set), Watch(pods, of_ended_pod))
    return Controller("deployment", "deployment-controller", watches, decide)
