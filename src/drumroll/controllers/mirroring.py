"""The EndpointSlice mirroring controller's view: Endpoints that somebody keeps by hand, and their Services."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.domain.actions import Plan
from drumroll.domain.mirroring import MANAGED_BY, MANAGER, SERVICE_NAME, World, reconcile
from drumroll.objects.kinds import ENDPOINT_SLICE, ENDPOINTS, SERVICE
from drumroll.objects.meta import Key, Obj, key_of, labels_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself


def mirroring_controller(caches: Caches) -> Controller:
    """Keeps EndpointSlices of Endpoints whose Service has no selector."""
    services, endpoints, slices = caches.of(SERVICE), caches.of(ENDPOINTS), caches.of(ENDPOINT_SLICE)

    def of_slice(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        found = (obj for obj in (old, new) if obj is not None and _is_ours(obj))
        return {Key(key_of(obj).namespace, labels_of(obj)[SERVICE_NAME]) for obj in found}

    async def decide(key: Key, now: datetime) -> Plan:
        ours = tuple(
            one
            for one in slices.by_namespace(key.namespace)
            if _is_ours(one) and labels_of(one)[SERVICE_NAME] == key.name
        )
        return reconcile(World(services.get(key), endpoints.get(key), ours))

    watches = (Watch(services, itself), Watch(endpoints, itself), Watch(slices, of_slice))
    component = "endpoint-slice-mirroring-controller"
    return Controller("mirroring", component, watches, decide, workers=1, least_rest=0.1)


def _is_ours(one: Obj) -> bool:
    labels = labels_of(one)
    return labels.get(MANAGED_BY) == MANAGER and SERVICE_NAME in labels
