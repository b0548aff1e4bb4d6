"""The ServiceAccount controller's view: namespaces and their default account."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.serviceaccount import DEFAULT, reconcile_default_account
from drumroll.objects.kinds import NAMESPACE, SERVICE_ACCOUNT
from drumroll.objects.meta import Key, Obj, key_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch


def serviceaccount_controller(caches: Caches) -> Controller:
    """Gives every namespace its default ServiceAccount."""
    namespaces, accounts = caches.of(NAMESPACE), caches.of(SERVICE_ACCOUNT)

    def of_namespace(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        return (key_of(new),) if new is not None else ()

    def of_account(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        is_gone = old is not None and new is None and key_of(old).name == DEFAULT
        return (Key("", key_of(old).namespace),) if old is not None and is_gone else ()

    async def decide(key: Key, now: datetime) -> Plan:
        namespace = namespaces.get(key)
        if namespace is None:
            return NOTHING
        return reconcile_default_account(namespace, accounts.get(Key(key.name, DEFAULT)))

    watches = (Watch(namespaces, of_namespace), Watch(accounts, of_account))
    return Controller("serviceaccount", "serviceaccount-controller", watches, decide, workers=2)
