"""The EndpointSlice controller's view: Services, their pods and slices."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.controllers.services import Rosters, services_of_pod
from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.endpointslice import MANAGED_BY, MANAGER, SERVICE_NAME, Held, World, held_of, reconcile
from drumroll.domain.roster import Roster
from drumroll.objects.kinds import ENDPOINT_SLICE, POD, SERVICE
from drumroll.objects.meta import Key, Obj, key_of, labels_of, uid_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself


def endpointslice_controller(caches: Caches, rosters: Rosters) -> Controller:
    """Keeps the EndpointSlices of Services with a selector."""
    services, pods, slices = (caches.of(kind) for kind in (SERVICE, POD, ENDPOINT_SLICE))
    shelves: dict[Key, _Shelf] = {}

    def of_slice(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        found = (obj for obj in (old, new) if obj is not None and _is_ours(obj))
        return {Key(key_of(obj).namespace, labels_of(obj)[SERVICE_NAME]) for obj in found}

    async def decide(key: Key, now: datetime) -> Plan:
        service = services.get(key)
        if service is None:
            shelves.pop(key, None)
            return NOTHING  # the slices go with their owner
        ours = (
            one
            for one in slices.by_namespace(key.namespace)
            if _is_ours(one) and labels_of(one)[SERVICE_NAME] == key.name
        )
        roster = rosters.of(service)
        shelf = shelves.get(key)
        if shelf is None or shelf.roster is not roster:
            shelf = shelves[key] = _Shelf(roster)
        return reconcile(World(service, roster, shelf.read(ours)))

    watches = (Watch(services, itself), Watch(pods, services_of_pod(services)), Watch(slices, of_slice))
    return Controller("endpointslice", "endpoint-slice-controller", watches, decide)


def _is_ours(one: Obj) -> bool:
    labels = labels_of(one)
    return labels.get(MANAGED_BY) == MANAGER and SERVICE_NAME in labels


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
