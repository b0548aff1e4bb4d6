"""The ClusterRole aggregation controller's view: roles that are made of others."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan, patch_of
from drumroll.domain.rbac import aggregated
from drumroll.objects.kinds import CLUSTER_ROLE
from drumroll.objects.meta import Key, Obj, key_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch


def clusterrole_controller(caches: Caches) -> Controller:
    """Keeps the rules of every ClusterRole with an aggregationRule the sum of those of the roles that it selects."""
    roles = caches.of(CLUSTER_ROLE)

    def of_role(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        return tuple(key_of(role) for role in roles.items() if role.get("aggregationRule"))

    async def decide(key: Key, now: datetime) -> Plan:
        role = roles.get(key)
        if role is None or not role.get("aggregationRule"):
            return NOTHING
        rules = aggregated(role["aggregationRule"].get("clusterRoleSelectors") or (), roles.items(), key.name)
        if (role.get("rules") or []) == rules:
            return NOTHING
        return Plan((patch_of(CLUSTER_ROLE, role, {"rules": rules}),))

    return Controller("clusterrole", "clusterrole-aggregation-controller", (Watch(roles, of_role),), decide, workers=1)
