"""The legacy Endpoints controller's view: Services, their pods and Endpoints."""

from datetime import datetime

from drumroll.controllers.services import Rosters, services_of_pod
from drumroll.domain.actions import Plan
from drumroll.domain.endpoints import reconcile
from drumroll.objects.kinds import ENDPOINTS, POD, SERVICE
from drumroll.objects.meta import Key
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import MOST_REST, Controller, Watch
from drumroll.reconcile.owners import itself


def endpoints_controller(caches: Caches, rosters: Rosters) -> Controller:
    """Keeps the Endpoints of Services with a selector.

    It may lag a little: nothing routes by it, and with a thousand addresses each state of it is a write of 200 kB.
    """
    services, pods, endpoints = caches.of(SERVICE), caches.of(POD), caches.of(ENDPOINTS)

    async def decide(key: Key, now: datetime) -> Plan:
        service = services.get(key)
        backends = rosters.of(service).backends() if service is not None else ()
        return reconcile(key, service, backends, endpoints.get(key))

    watches = (
        Watch(services, itself),
        Watch(endpoints, itself),
        Watch(pods, services_of_pod(services)),
    )
    return Controller("endpoints", "endpoint-controller", watches, decide, least_rest=MOST_REST)
