"""The root CA publisher's view: namespaces and their kube-root-ca.crt."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.serviceaccount import ROOT_CA, reconcile_root_ca
from drumroll.objects.kinds import CONFIG_MAP, NAMESPACE
from drumroll.objects.meta import Key, Obj, key_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch


def rootca_controller(caches: Caches, root_ca: str) -> Controller:
    """Publishes the CA's certificate (PEM) in every namespace."""
    namespaces, config_maps = caches.of(NAMESPACE), caches.of(CONFIG_MAP)

    def of_namespace(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        return (key_of(new),) if new is not None else ()

    def of_config_map(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        found = (key_of(obj) for obj in (old, new) if obj is not None)
        return {Key("", key.namespace) for key in found if key.name == ROOT_CA}

    async def decide(key: Key, now: datetime) -> Plan:
        namespace = namespaces.get(key)
        if namespace is None:
            return NOTHING
        return reconcile_root_ca(namespace, config_maps.get(Key(key.name, ROOT_CA)), root_ca)

    watches = (Watch(namespaces, of_namespace), Watch(config_maps, of_config_map))
    return Controller("rootca", "root-ca-cert-publisher", watches, decide, workers=2)
