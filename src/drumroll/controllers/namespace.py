"""The namespace controller's view: namespaces that are going, and what is left in them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from drumroll.client.informer import Informer
from drumroll.domain.actions import NOTHING, DeleteAll, Plan
from drumroll.domain.namespace import reconcile
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import EVENT, KINDS, NAMESPACE, STORED_AS, Kind
from drumroll.objects.meta import Key, Obj, is_deleting, key_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Joined, Watch

SOON = timedelta(milliseconds=50)


def namespace_controller(caches: Caches) -> Controller:
    """Empties namespaces that are being deleted, then lets them go."""
    namespaces = caches.of(NAMESPACE)
    contents: dict[Kind, Informer] = {
        kind: caches.of(kind) for kind in KINDS if kind.namespaced and kind is not EVENT and kind not in STORED_AS
    }

    def of_itself(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        return (key_of(new),) if new is not None and is_deleting(new) else ()

    def of_content(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        changed = new if new is not None else old
        key = Key("", key_of(changed).namespace) if changed is not None else Key("", "")
        namespace = namespaces.get(key)
        return (key,) if namespace is not None and is_deleting(namespace) else ()

    async def decide(key: Key, now: datetime) -> Plan:
        namespace = namespaces.get(key)
        if namespace is None or not is_deleting(namespace):
            return NOTHING
        left = {kind: informer.by_namespace(key.name) for kind, informer in contents.items()}
        if not any(left.values()):
            left = await _look(caches, [*contents, EVENT], key.name)  # our own view may be a moment old
            if {kind for kind, found in left.items() if found} == {EVENT}:
                return Plan((DeleteAll(EVENT, key.name),), wake_at=now + SOON)
        going = frozenset(kind for kind, found in left.items() if all(map(is_deleting, found)))
        return reconcile(namespace, {kind: len(found) for kind, found in left.items()}, going)

    def join(informer: Informer) -> Joined:
        if not informer.kind.namespaced:
            return Joined(lambda old, new: ())
        for kind in [kind for kind in contents if kind.resource == informer.kind.resource]:
            del contents[kind]
        contents[informer.kind] = informer
        return Joined(of_content)

    watches = (Watch(namespaces, of_itself), *(Watch(informer, of_content) for informer in contents.values()))
    return Controller("namespace", "namespace-controller", watches, decide, join=join)


async def _look(caches: Caches, kinds: Iterable[Kind], namespace: str) -> dict[Kind, list[Obj]]:
    found = {}
    for kind in kinds:
        try:
            found[kind] = (await caches.client.list(kind, namespace)).items
        except NotFound:  # a custom kind whose definition is gone
            found[kind] = []
    return found
