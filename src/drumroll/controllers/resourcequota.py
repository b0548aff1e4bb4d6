"""The quota controller's view: quotas, and whatever they count in their namespaces."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.client.informer import Informer
from drumroll.domain.actions import NOTHING, Plan, patch_of
from drumroll.domain.quota import is_about, recount, relevant
from drumroll.objects.kinds import EVENT, KINDS, RESOURCE_QUOTA, STORED_AS, Kind
from drumroll.objects.meta import Key, Obj, is_deleting, key_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Keys, Watch
from drumroll.reconcile.owners import itself


def resourcequota_controller(caches: Caches) -> Controller:
    """Keeps the status of ResourceQuotas; the API server adds to it what it admits meanwhile."""
    quotas = caches.of(RESOURCE_QUOTA)
    contents: dict[Kind, Informer] = {
        kind: caches.of(kind) for kind in KINDS if kind.namespaced and kind is not EVENT and kind not in STORED_AS
    }

    def of_content(kind: Kind) -> Keys:
        def keys(old: Obj | None, new: Obj | None) -> Iterable[Key]:
            changed = new if new is not None else old
            if changed is None:
                return
            for quota in quotas.by_namespace(key_of(changed).namespace):
                before, after = (relevant(quota, kind, obj) if obj is not None else {} for obj in (old, new))
                if before != after:
                    yield key_of(quota)

        return keys

    async def decide(key: Key, now: datetime) -> Plan:
        quota = quotas.get(key)
        if quota is None or is_deleting(quota):
            return NOTHING
        found = (
            (kind, obj)
            for kind, informer in contents.items()
            if is_about(quota, kind)
            for obj in informer.by_namespace(key.namespace)
        )
        status, old = recount(quota, found), quota.get("status") or {}
        if status == {"hard": old.get("hard") or {}, "used": old.get("used") or {}}:
            return NOTHING
        removed = {part: dict.fromkeys((old.get(part) or {}).keys() - status[part].keys()) for part in status}
        merged = {part: {**removed[part], **status[part]} for part in status}
        # What was admitted meanwhile is not in our view: then the write must fail, and we look again.
        patch = {"metadata": {"resourceVersion": quota["metadata"]["resourceVersion"]}, "status": merged}
        return Plan((patch_of(RESOURCE_QUOTA, quota, patch, "status"),))

    watches = (Watch(quotas, itself), *(Watch(informer, of_content(kind)) for kind, informer in contents.items()))
    return Controller("resourcequota", "resourcequota-controller", watches, decide, workers=1, least_rest=0.05)
