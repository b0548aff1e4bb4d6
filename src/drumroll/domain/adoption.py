"""Who belongs to whom: a controller adopts orphans that its selector matches, and releases what it no longer matches.

Source: kubernetes pkg/controller/controller_ref_manager.go.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from drumroll.domain.actions import Adopt, Patch
from drumroll.objects import wire
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj, controller_of, is_deleting, key_of, labels_of, uid_of


@dataclass(frozen=True, slots=True)
class Claim:
    """What is owned already, and the steps to own exactly what the selector matches."""

    owned: tuple[Obj, ...]
    actions: tuple[Adopt | Patch, ...]


def claim(owner: Obj, kind: Kind, candidates: Iterable[Obj], is_selected: Callable[[Mapping[str, str]], bool]) -> Claim:
    """Sort out `candidates` of `kind`: those of other controllers are left alone, in whatever state they are."""
    owned: list[Obj] = []
    actions: list[Adopt | Patch] = []
    uid, going = uid_of(owner), is_deleting(owner)
    for obj in candidates:
        controller = controller_of(obj)
        if controller is None:
            if not going and not is_deleting(obj) and is_selected(labels_of(obj)):
                actions.append(Adopt(owner, kind, key_of(obj), uid_of(obj)))
        elif controller["uid"] == uid:
            if is_selected(labels_of(obj)):
                owned.append(obj)
            elif not going:
                actions.append(_release(uid, kind, obj))
    return Claim(tuple(owned), tuple(actions))


def _release(owner_uid: str, kind: Kind, obj: Obj) -> Patch:
    references = [{"$patch": "delete", "uid": owner_uid}]
    patch = {"metadata": {"uid": uid_of(obj), "ownerReferences": references}}
    return Patch(kind, key_of(obj), patch, content_type=wire.STRATEGIC_MERGE_PATCH)
