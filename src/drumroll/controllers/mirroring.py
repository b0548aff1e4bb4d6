"""The EndpointSlice mirroring controller's view: Endpoints that somebody keeps by hand, and their Services."""

from datetime import datetime

from drumroll.controllers.slices import services_of_slice, slices_of
from drumroll.domain.actions import Plan
from drumroll.domain.mirroring import MANAGER, World, reconcile
from drumroll.objects.kinds import ENDPOINT_SLICE, ENDPOINTS, SERVICE
from drumroll.objects.meta import Key
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself


def mirroring_controller(caches: Caches) -> Controller:
    """Keeps EndpointSlices of Endpoints whose Service has no selector."""
    services, endpoints, slices = caches.of(SERVICE), caches.of(ENDPOINTS), caches.of(ENDPOINT_SLICE)

    async def decide(key: Key, now: datetime) -> Plan:
        return reconcile(World(services.get(key), endpoints.get(key), tuple(slices_of(slices, key, MANAGER))))

    watches = (Watch(services, itself), Watch(endpoints, itself), Watch(slices, services_of_slice(MANAGER)))
    component = "endpoint-slice-mirroring-controller"
    return Controller("mirroring", component, watches, decide, workers=1, least_rest=0.1)
