"""Whose turn it is when something changes that a controller owns, or could adopt."""

from collections.abc import Callable, Iterable

from drumroll.client.informer import Informer
from drumroll.objects.meta import Key, Obj, controller_of, is_deleting, key_of, labels_of, uid_of
from drumroll.objects.selectors import from_object
from drumroll.reconcile.loop import Keys


def itself(old: Obj | None, new: Obj | None) -> Iterable[Key]:
    """The changed object."""
    return {key_of(obj) for obj in (old, new) if obj is not None}


def owner_keys(owners: Informer) -> Callable[[Obj], Iterable[Key]]:
    """Finds the one of `owners` that controls an object; none when it is another of the same name."""

    def keys(obj: Obj) -> Iterable[Key]:
        reference = controller_of(obj)
        if reference is None or reference["kind"] != owners.kind.name:
            return ()
        key = Key(key_of(obj).namespace, reference["name"])
        found = owners.get(key)
        return (key,) if found is not None and uid_of(found) == reference["uid"] else ()

    return keys


def owners_of(owners: Informer) -> Keys:
    """The owner before and after the change; for an orphan, all whose selector matches it."""
    owner = owner_keys(owners)

    def adopters(orphan: Obj) -> Iterable[Key]:
        for one in owners.by_namespace(key_of(orphan).namespace):
            if from_object(one["spec"].get("selector") or {}).matches(labels_of(orphan)):
                yield key_of(one)

    def keys(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        found = {key for obj in (old, new) if obj is not None for key in owner(obj)}
        if new is not None and controller_of(new) is None and not is_deleting(new):
            found |= set(adopters(new))
        return found

    return keys
