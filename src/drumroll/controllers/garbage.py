"""The garbage collector's view: every object that has owners or is one, whatever its kind."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from drumroll.client.informer import Informer
from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.garbage import Dependent, OwnerState, World, finalizers_of, is_waiting, reconcile
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import BY_KIND, EVENT, KINDS, STORED_AS, Kind
from drumroll.objects.meta import Key, Obj, is_deleting, key_of, uid_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Joined, Keys, Watch

KNOWN_GONE = 10_000  # uids remembered: a uid never comes back


@dataclass(frozen=True, slots=True)
class Item:
    """An object of any kind."""

    kind: Kind
    key: Key


class _Graph:
    """Who owns whom, over the informers of all kinds."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._kinds: dict[str, set[Kind]] = {}  # by owner: where its dependents are, or were
        self.informers: dict[Kind, Informer] = {
            kind: caches.of(kind) for kind in KINDS if kind is not EVENT and kind not in STORED_AS
        }

        self._custom: dict[tuple[str, str], Kind] = {}  # by group and name: any version names the same objects

    def join(self, informer: Informer) -> tuple[Item, ...]:
        """Know a custom kind. Returns what it may own already."""
        kind = informer.kind
        self.informers = {known: cache for known, cache in self.informers.items() if known.resource != kind.resource}
        self.informers[kind] = informer
        self._custom[kind.group, kind.name] = kind
        return tuple(
            Item(known, key_of(obj))
            for known, cache in self.informers.items()
            for obj in cache.items()
            if any(self.kind_of(one) == kind for one in obj["metadata"].get("ownerReferences") or ())
        )

    def kind_of(self, reference: Obj) -> Kind | None:
        """The kind that an owner reference names; None when it is not served."""
        version, name = reference["apiVersion"], reference["kind"]
        return BY_KIND.get((version, name)) or self._custom.get((version.rpartition("/")[0], name))

    def dependents(self, uid: str) -> tuple[Dependent, ...]:
        """What `uid` owns, whatever its kind."""
        kinds = self._kinds.get(uid, ())
        known = [(kind, self.informers[kind]) for kind in kinds if kind in self.informers]
        return tuple(Dependent(kind, obj) for kind, cache in known for obj in cache.by_owner(uid))

    def note(self, kind: Kind, obj: Obj) -> None:
        """Know that the owners of `obj` own something of its kind; to be called for every object."""
        for reference in obj["metadata"].get("ownerReferences") or ():
            self._kinds.setdefault(reference["uid"], set()).add(kind)

    def forget(self, uid: str) -> None:
        """Nobody asks any more what an object owned that is gone."""
        self._kinds.pop(uid, None)

    async def state(self, reference: Obj, namespace: str) -> OwnerState:
        """The state of an owner; that one is gone is only believed when the server itself says so."""
        kind = self.kind_of(reference)
        if kind is None or kind not in self.informers:
            return OwnerState.SOLID
        uid = reference["uid"]
        if uid in self._gone:
            return OwnerState.GONE
        key = Key(namespace if kind.namespaced else "", reference["name"])
        found = self.informers[kind].get(key)
        if found is None or uid_of(found) != uid:
            try:
                found = await self._caches.client.get(kind, key.namespace, key.name)
            except NotFound:
                found = None
        if found is None or uid_of(found) != uid:
            self._remember(uid)
            return OwnerState.GONE
        return OwnerState.WAITING if is_waiting(found) else OwnerState.SOLID

    def _remember(self, uid: str) -> None:
        self._gone[uid] = None
        if len(self._gone) > KNOWN_GONE:
            self._gone.popitem(last=False)


def garbage_controller(caches: Caches) -> Controller:
    """Deletes what has no owner left, in the background or in the foreground, and lets orphans be."""
    graph = _Graph(caches)

    async def decide(item: Item, now: datetime) -> Plan:
        cache = graph.informers.get(item.kind)
        obj = cache.get(item.key) if cache is not None else None
        if obj is None:
            return NOTHING
        references = obj["metadata"].get("ownerReferences") or ()
        owners = {one["uid"]: await graph.state(one, item.key.namespace) for one in references}
        # Thousands of pods that end make it their owner's turn as often: what it owns matters only when somebody goes.
        matters = is_deleting(obj) or OwnerState.WAITING in owners.values()
        return reconcile(World(item.kind, obj, owners, graph.dependents(uid_of(obj)) if matters else ()))

    watches = tuple(Watch(informer, _keys(kind, graph)) for kind, informer in graph.informers.items())

    def join(informer: Informer) -> Joined:
        return Joined(_keys(informer.kind, graph), graph.join(informer))

    return Controller("garbage", "garbage-collector-controller", watches, decide, workers=20, rest=0.0, join=join)


def _keys(kind: Kind, graph: _Graph) -> Keys:
    def changed(old: Obj | None, new: Obj | None) -> Iterable[Item]:
        if new is None:
            return _after_deletion(old) if old is not None else ()
        graph.note(kind, new)
        if old is not None and _traits(old) == _traits(new):
            return ()
        if is_deleting(new) and finalizers_of(new):
            return (Item(kind, key_of(new)), *_dependents(new))
        return (Item(kind, key_of(new)),) if new["metadata"].get("ownerReferences") else ()

    def _after_deletion(old: Obj) -> Iterable[Item]:
        namespace = key_of(old).namespace
        yield from _dependents(old)
        graph.forget(uid_of(old))
        for reference in old["metadata"].get("ownerReferences") or ():
            owner = graph.kind_of(reference)
            if owner is not None and owner in graph.informers:  # it may have waited for this one
                yield Item(owner, Key(namespace if owner.namespaced else "", reference["name"]))

    def _dependents(obj: Obj) -> Iterable[Item]:
        return (Item(one.kind, key_of(one.obj)) for one in graph.dependents(uid_of(obj)))

    return changed


def _traits(obj: Obj) -> tuple[object, ...]:
    meta = obj["metadata"]
    return meta.get("ownerReferences"), meta.get("finalizers"), meta.get("deletionTimestamp"), meta.get("uid")
