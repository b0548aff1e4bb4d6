"""The EndpointSlice controller's view: Services, their pods and slices."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.controllers.services import Rosters, services_of_pod
from drumroll.controllers.slices import services_of_slice, slices_of
from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.endpointslice import MANAGER, Held, World, held_of, reconcile
from drumroll.domain.roster import Roster
from drumroll.objects.kinds import ENDPOINT_SLICE, POD, SERVICE
from drumroll.objects.meta import Key, Obj, uid_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself


def endpointslice_controller(caches: Caches, rosters: Rosters) -> Controller:
    """Keeps the EndpointSlices of Services with a selector."""
    services, pods, slices = (caches.of(kind) for kind in (SERVICE, POD, ENDPOINT_SLICE))
    shelves: dict[Key, _Shelf] = {}

    async def decide(key: Key, now: datetime) -> Plan:
        service = services.get(key)
        if service is None:
            shelves.pop(key, None)
            return NOTHING  # the slices go with their owner
        roster = rosters.of(service)
        shelf = shelves.get(key)
        if shelf is None or shelf.roster is not roster:
            shelf = shelves[key] = _Shelf(roster)
        return reconcile(World(service, roster, shelf.read(slices_of(slices, key, MANAGER))))

    watches = (
        Watch(services, itself),
        Watch(pods, services_of_pod(services)),
        Watch(slices, services_of_slice(MANAGER)),
    )
    return Controller("endpointslice", "endpoint-slice-controller", watches, decide)


class _Shelf:
    """What was read of the slices of one Service; objects in caches never change, so the same object reads the same."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._known: dict[str, Held] = {}

    def read(self, slices: Iterable[Obj]) -> tuple[Held, ...]:
        """The slices as a decision sees them."""
        self._known = {uid_of(one): self._read(one) for one in slices}
        return tuple(self._known.values())

    def _read(self, one: Obj) -> Held:
        known = self._known.get(uid_of(one))
        return known if known is not None and known.slice is one else held_of(one, self.roster)
