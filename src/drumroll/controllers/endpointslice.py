"""The EndpointSlice controller's view: Services, their pods and slices."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.controllers.services import services_of_pod
from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.endpointslice import MANAGED_BY, MANAGER, SERVICE_NAME, World, reconcile
from drumroll.objects.kinds import ENDPOINT_SLICE, NODE, POD, SERVICE
from drumroll.objects.meta import Key, Obj, key_of, labels_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself


def endpointslice_controller(caches: Caches) -> Controller:
    """Keeps the EndpointSlices of Services with a selector."""
    services, pods, slices, nodes = (caches.of(kind) for kind in (SERVICE, POD, ENDPOINT_SLICE, NODE))

    def of_slice(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        found = (obj for obj in (old, new) if obj is not None and _is_ours(obj))
        return {Key(key_of(obj).namespace, labels_of(obj)[SERVICE_NAME]) for obj in found}

    async def decide(key: Key, now: datetime) -> Plan:
        service = services.get(key)
        if service is None:
            return NOTHING  # the slices go with their owner
        ours = tuple(
            one
            for one in slices.by_namespace(key.namespace)
            if _is_ours(one) and labels_of(one)[SERVICE_NAME] == key.name
        )
        return reconcile(World(service, tuple(pods.by_namespace(key.namespace)), ours, tuple(nodes.items())))

    watches = (Watch(services, itself), Watch(pods, services_of_pod(services)), Watch(slices, of_slice))
    return Controller("endpointslice", "endpoint-slice-controller", watches, decide)


def _is_ours(one: Obj) -> bool:
    labels = labels_of(one)
    return labels.get(MANAGED_BY) == MANAGER and SERVICE_NAME in labels
