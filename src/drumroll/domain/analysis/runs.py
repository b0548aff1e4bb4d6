"""Runs that belong to something: their names, whether one is ours already, and which old ones go."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drumroll.domain.actions import Action, Delete, patch_of
from drumroll.domain.analysis.names import COMPLETED, POD_HASH, SUCCESSFUL
from drumroll.objects.kinds import ANALYSIS_RUN, kind_of
from drumroll.objects.meta import (
    Obj,
    controller_of,
    is_deleting,
    key_of,
    labels_of,
    owner_reference,
    uid_of,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """How a run is called and marked."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def build_run(owner: Obj, identity: Identity, spec: Obj) -> Obj:
    """An AnalysisRun that `owner` controls."""
    meta: Obj = {
        "name": identity.name,
        "namespace": key_of(owner).namespace,
        "labels": dict(identity.labels),
        "annotations": dict(identity.annotations),
        "ownerReferences": [owner_reference(owner)],
    }
    return {
        "apiVersion": ANALYSIS_RUN.api_version,
        "kind": ANALYSIS_RUN.name,
        "metadata": {name: value for name, value in meta.items() if value},
        "spec": spec,
    }


def place(wanted: Obj, existing: Iterable[Obj], glue: str) -> tuple[Obj, bool]:
    """The object to use, and whether it is there already.

    One of the same name is ours when it has the same owner and the same spec and goes on. Otherwise the name gets the
    next free number, after `glue`: `.` for runs, `-` for experiments.
    """
    by_name = {key_of(one).name: one for one in existing}
    name, number = wanted["metadata"]["name"], 0
    base = name
    while name in by_name:
        if _is_ours(by_name[name], wanted):
            return by_name[name], True
        number += 1
        name = f"{base}{glue}{number}"
    return {**wanted, "metadata": {**wanted["metadata"], "name": name}}, False


def _is_ours(existing: Obj, wanted: Obj) -> bool:
    owner, own = controller_of(existing), controller_of(wanted)
    if owner is None or own is None or owner["uid"] != own["uid"] or is_deleting(existing):
        return False
    if phase_of(existing) in COMPLETED or existing["spec"].get("terminate"):
        return False
    return all(existing["spec"].get(name) == wanted["spec"].get(name) for name in wanted["spec"])


def phase_of(obj: Obj | None) -> str:
    """The phase of a run or experiment, empty when it has none yet."""
    return str(((obj or {}).get("status") or {}).get("phase") or "")


def message_of(obj: Obj) -> str:
    """The message of a run or experiment."""
    return str((obj.get("status") or {}).get("message") or "")


def terminations(objects: Iterable[Obj]) -> tuple[Action, ...]:
    """What ends those runs or experiments that still go on."""
    return tuple(
        patch_of(kind_of(one), one, {"spec": {"terminate": True}})
        for one in objects
        if phase_of(one) not in COMPLETED and not one["spec"].get("terminate") and not is_deleting(one)
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """How many ended runs are kept."""

    successful: int = 5
    unsuccessful: int = 5


def limits_of(rollout: Obj) -> Limits:
    """The limits that a Rollout's spec sets, or the defaults."""
    analysis = rollout["spec"].get("analysis") or {}
    good, bad = analysis.get("successfulRunHistoryLimit"), analysis.get("unsuccessfulRunHistoryLimit")
    return Limits(5 if good is None else good, 5 if bad is None else bad)


def clearances(objects: Iterable[Obj], replica_sets: Sequence[Obj], limits: Limits) -> tuple[Action, ...]:
    """What deletes those ended objects whose ReplicaSet is gone, and the oldest beyond the limits."""
    hashes = {labels_of(one).get(POD_HASH) for one in replica_sets if not is_deleting(one)}
    left = {True: limits.successful, False: limits.unsuccessful}
    deletions = []
    newest_first = sorted(objects, key=lambda one: one["metadata"].get("creationTimestamp") or "", reverse=True)
    for one in newest_first:
        if is_deleting(one):
            continue
        is_kept = labels_of(one).get(POD_HASH) in hashes
        if is_kept and phase_of(one) in COMPLETED:
            is_good = phase_of(one) == SUCCESSFUL
            left[is_good] -= 1
            is_kept = left[is_good] >= 0
        if not is_kept:
            deletions.append(Delete(kind_of(one), key_of(one), uid_of(one)))
    return tuple(deletions)
