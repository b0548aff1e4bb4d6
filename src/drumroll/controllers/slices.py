"""Which EndpointSlices one controller manages for which Service."""

from collections.abc import Iterable, Iterator

from drumroll.client.informer import Informer
from drumroll.domain.endpointslice import MANAGED_BY, SERVICE_NAME
from drumroll.objects.meta import Key, Obj, key_of, labels_of
from drumroll.reconcile.loop import Keys


def services_of_slice(manager: str) -> Keys:
    """The Services of a slice of that manager's, as it was or as it is."""

    def keys(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        found = (obj for obj in (old, new) if obj is not None and _is_managed(obj, manager))
        return {Key(key_of(obj).namespace, labels_of(obj)[SERVICE_NAME]) for obj in found}

    return keys


def slices_of(slices: Informer, service: Key, manager: str) -> Iterator[Obj]:
    """The slices that this manager keeps for a Service."""
    for one in slices.by_namespace(service.namespace):
        if _is_managed(one, manager) and labels_of(one)[SERVICE_NAME] == service.name:
            yield one


def _is_managed(one: Obj, manager: str) -> bool:
    labels = labels_of(one)
    return labels.get(MANAGED_BY) == manager and SERVICE_NAME in labels
