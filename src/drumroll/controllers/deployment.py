"""The Deployment controller's view: what it watches, and what a decision about one Deployment needs to know."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.deployment import World, reconcile
from drumroll.domain.pod import is_finished
from drumroll.objects.kinds import DEPLOYMENT, POD, REPLICA_SET
from drumroll.objects.meta import Key, Obj, controller_of, key_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself, owner_keys, owners_of


def deployment_controller(caches: Caches) -> Controller:
    """Turns Deployments into ReplicaSets."""
    deployments, replica_sets, pods = (caches.of(kind) for kind in (DEPLOYMENT, REPLICA_SET, POD))

    owner = owner_keys(deployments)

    def of_ended_pod(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        if old is None or (new is not None and not is_finished(new)):
            return ()
        reference = controller_of(old) or {}
        replica_set = replica_sets.get(Key(key_of(old).namespace, reference.get("name", "")))
        return [key for key in owner(replica_set) if _is_recreate(deployments.get(key))] if replica_set else ()

    def has_pods(uid: str) -> bool:
        return any(not is_finished(pod) for pod in pods.by_owner(uid))

    async def decide(key: Key, now: datetime) -> Plan:
        found = deployments.get(key)
        if found is None:
            return NOTHING
        return reconcile(World(found, caches.owned(REPLICA_SET, found), has_pods, replica_sets.get), now)

    watches = (Watch(deployments, itself), Watch(replica_sets, owners_of(deployments)), Watch(pods, of_ended_pod))
    return Controller("deployment", "deployment-controller", watches, decide)


def _is_recreate(deployment: Obj | None) -> bool:
    return deployment is not None and (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"
