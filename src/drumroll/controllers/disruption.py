"""The disruption controller's view: budgets, the pods that they select, and who owns these."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.disruption import World, reconcile
from drumroll.objects.kinds import (
    BY_KIND,
    DEPLOYMENT,
    POD,
    POD_DISRUPTION_BUDGET,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
)
from drumroll.objects.meta import Key, Obj, controller_of, key_of, labels_of, uid_of
from drumroll.objects.selectors import from_object
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself

_SCALED = (DEPLOYMENT, REPLICA_SET, REPLICATION_CONTROLLER, STATEFUL_SET)


def disruption_controller(caches: Caches) -> Controller:
    """Keeps the status of PodDisruptionBudgets, by which evictions are allowed."""
    budgets, pods = caches.of(POD_DISRUPTION_BUDGET), caches.of(POD)
    scaled = {kind: caches.of(kind) for kind in _SCALED}

    def of_pod(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        states = [obj for obj in (old, new) if obj is not None]
        for budget in budgets.by_namespace(key_of(states[0]).namespace):
            matches = from_object((budget.get("spec") or {}).get("selector")).matches
            if any(matches(labels_of(pod)) for pod in states):
                yield key_of(budget)

    def of_owner(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        if old is not None and new is not None and old["spec"].get("replicas") == new["spec"].get("replicas"):
            return ()
        changed = new if new is not None else old
        return [key_of(one) for one in budgets.by_namespace(key_of(changed).namespace)] if changed else ()

    def owner_of(obj: Obj) -> Obj | None:
        reference = controller_of(obj)
        kind = BY_KIND.get((reference["apiVersion"], reference["kind"])) if reference else None
        if reference is None or kind not in scaled:
            return None
        found = scaled[kind].get(Key(key_of(obj).namespace, reference["name"]))
        return found if found is not None and uid_of(found) == reference["uid"] else None

    def scale_of(pod: Obj) -> tuple[str, int] | None:
        top = owner = owner_of(pod)
        while owner is not None:
            top, owner = owner, owner_of(owner)
        return (uid_of(top), top["spec"].get("replicas") or 0) if top is not None else None

    async def decide(key: Key, now: datetime) -> Plan:
        budget = budgets.get(key)
        if budget is None:
            return NOTHING
        return reconcile(World(budget, tuple(pods.by_namespace(key.namespace)), scale_of), now)

    owners = (Watch(informer, of_owner) for informer in scaled.values())
    watches = (Watch(budgets, itself), Watch(pods, of_pod), *owners)
    return Controller("disruption", "controllermanager", watches, decide, workers=1)
