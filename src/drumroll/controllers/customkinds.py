"""Which kinds definitions add: told to the caches, which tell the controllers that care about every kind."""

from drumroll.objects.custom import is_accepted, kinds_of
from drumroll.objects.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from drumroll.objects.meta import Obj
from drumroll.reconcile.caches import Caches


def follow_definitions(caches: Caches) -> None:
    """From now on, keep an informer for every custom kind that is served."""

    def changed(old: Obj | None, new: Obj | None) -> None:
        kind = watched_kind(new) if new is not None and is_accepted(new) else None
        if kind is not None:
            caches.add(kind)
        elif old is not None and new is None:
            caches.drop(old["metadata"]["name"])

    caches.of(CUSTOM_RESOURCE_DEFINITION).subscribe(changed)


def watched_kind(crd: Obj) -> Kind | None:
    """The kind by which to watch a definition's objects: of the preferred version; None when none is served."""
    served = next(kinds_of(crd), None)
    if served is None:
        return None
    return Kind(served.group, served.version, served.name, served.plural, served.singular, served.namespaced)
