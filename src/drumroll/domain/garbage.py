"""What happens to objects whose owners are going or gone.

Source: kubernetes pkg/controller/garbagecollector/garbagecollector.go (attemptToDeleteItem, processDeletingDependents).
"""

from dataclasses import dataclass
from enum import Enum, auto

from drumroll.domain.actions import NOTHING, Delete, Patch, Plan, Together
from drumroll.objects import wire
from drumroll.objects.kinds import BY_KIND, Kind
from drumroll.objects.meta import Obj, is_deleting, key_of, uid_of

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


class OwnerState(Enum):
    """What is known of an owner."""

    SOLID = auto()  # there, or of a kind that we cannot look up
    WAITING = auto()  # going, once its dependents are gone
    GONE = auto()  # known for certain


@dataclass(frozen=True, slots=True)
class Dependent:
    """An object that has the object in question as an owner."""

    kind: Kind
    obj: Obj


@dataclass(frozen=True, slots=True)
class World:
    """An object, the state of each owner by uid, and what it owns itself."""

    kind: Kind
    obj: Obj
    owners: dict[str, OwnerState]
    dependents: tuple[Dependent, ...] = ()


def finalizers_of(obj: Obj) -> list[str]:
    """The finalizers; never None."""
    return obj["metadata"].get("finalizers") or []


def is_waiting(obj: Obj) -> bool:
    """Whether an object is going in the foreground: it stays until what it owns is gone."""
    return is_deleting(obj) and FOREGROUND in finalizers_of(obj)


def reconcile(world: World) -> Plan:
    """Let an object go with its owners, or let its dependents go with it, as its deletion was asked for."""
    if is_deleting(world.obj):
        if ORPHAN in finalizers_of(world.obj):
            return _orphan_dependents(world)
        return _wait_for_dependents(world) if is_waiting(world.obj) else NOTHING
    states = set(world.owners.values())
    if not states:
        return NOTHING
    unneeded = [uid for uid, state in world.owners.items() if state is not OwnerState.SOLID]
    if OwnerState.SOLID in states:
        return Plan((_without_owners(world.kind, world.obj, unneeded),)) if unneeded else NOTHING
    return Plan((Delete(world.kind, key_of(world.obj), uid_of(world.obj), _policy(world, states)),))


def _policy(world: World, states: set[OwnerState]) -> str:
    if OwnerState.WAITING in states and world.dependents:
        return "Foreground"
    finalizers = finalizers_of(world.obj)
    if ORPHAN in finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers else "Background"


def _orphan_dependents(world: World) -> Plan:
    uid = uid_of(world.obj)
    releases = tuple(_without_owners(one.kind, one.obj, [uid]) for one in world.dependents)
    done = _without_finalizer(world, ORPHAN)
    return Plan((Together(releases), done) if releases else (done,))


def _wait_for_dependents(world: World) -> Plan:
    uid = uid_of(world.obj)
    blocking = any(
        owner.get("blockOwnerDeletion")
        for one in world.dependents
        for owner in one.obj["metadata"].get("ownerReferences") or ()
        if owner["uid"] == uid
    )
    return NOTHING if blocking else Plan((_without_finalizer(world, FOREGROUND),))


def _without_owners(kind: Kind, obj: Obj, uids: list[str]) -> Patch:
    if (kind.api_version, kind.name) not in BY_KIND:  # custom kinds know no strategic merge
        meta = obj["metadata"]
        rest = [one for one in meta.get("ownerReferences") or () if one["uid"] not in uids]
        kept = {"uid": uid_of(obj), "resourceVersion": meta["resourceVersion"], "ownerReferences": rest}
        return Patch(kind, key_of(obj), {"metadata": kept})
    references = [{"$patch": "delete", "uid": uid} for uid in uids]
    patch = {"metadata": {"uid": uid_of(obj), "ownerReferences": references}}
    return Patch(kind, key_of(obj), patch, content_type=wire.STRATEGIC_MERGE_PATCH)


def _without_finalizer(world: World, finalizer: str) -> Patch:
    rest = [one for one in finalizers_of(world.obj) if one != finalizer]
    meta = {"uid": uid_of(world.obj), "resourceVersion": world.obj["metadata"]["resourceVersion"], "finalizers": rest}
    return Patch(world.kind, key_of(world.obj), {"metadata": meta})
