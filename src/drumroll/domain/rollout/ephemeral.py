"""Labels and annotations that pods have only as long as they have a role: canary or stable, preview or active.

They go to the pods that there are and to the replica set's template for those to come; an annotation of the replica set
notes which they are. Source: argo-rollouts rollout/ephemeralmetadata.go.
"""

from typing import Any

import orjson

from drumroll.domain.actions import Action, Patch, patch_of
from drumroll.domain.rollout.failing import pods_of
from drumroll.domain.rollout.inputs import Turn, hash_of
from drumroll.domain.rollout.revision import EPHEMERAL, ephemeral_of
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.kinds import POD, REPLICA_SET
from drumroll.objects.meta import Obj, is_deleting

PARTS = ("labels", "annotations")


def with_metadata(turn: Turn) -> Turn:
    """The turn that gives each role's pods its labels and annotations, the pods that there are first."""
    sets, strategy = turn.sets, turn.rollout.blue_green or turn.rollout.canary or {}
    fresh, lasting = (
        ("previewMetadata", "activeMetadata")
        if turn.rollout.blue_green is not None
        else ("canaryMetadata", "stableMetadata")
    )
    if sets.new is not None:
        is_over = turn.status.get("stableRS") in (None, "", hash_of(sets.new))
        turn = turn.then(_given(turn, sets.new, strategy.get(lasting if is_over else fresh) or {}))
    if sets.stable is not None and not sets.is_stable_new:
        turn = turn.then(_given(turn, sets.stable, strategy.get(lasting) or {}))
    return turn


def _given(turn: Turn, replica_set: ReplicaSet, wanted: Obj) -> tuple[Action, ...]:
    before = ephemeral_of(replica_set)
    after = {part: wanted[part] for part in PARTS if wanted.get(part)}
    patches: list[Action] = []
    for pod in pods_of(turn, replica_set):
        change = _change(pod["metadata"], before, after, {})
        if change and not is_deleting(pod):
            patches.append(patch_of(POD, pod, {"metadata": change}))
    patch = _of_set(turn, replica_set, before, after)
    return (*patches, *((patch,) if patch else ()))


def _of_set(turn: Turn, replica_set: ReplicaSet, before: Obj, after: Obj) -> Patch | None:
    is_new = turn.sets.new is not None and replica_set.name == turn.sets.new.name
    written = (turn.rollout.template.get("metadata") or {}) if is_new else {}
    change = _change(replica_set.template.get("metadata") or {}, before, after, written)
    patch: Obj = {"spec": {"template": {"metadata": change}}} if change else {}
    if before != after:
        note = orjson.dumps(after).decode() if after else None
        patch["metadata"] = {"annotations": {EPHEMERAL: note}}
    return patch_of(REPLICA_SET, replica_set.raw, patch) if patch else None


def _change(meta: Obj, before: Obj, after: Obj, written: Obj) -> Obj:
    """What takes the one metadata away and brings the other; what the template itself says comes back."""
    found: Obj = {}
    for part in PARTS:
        old, new, there = before.get(part) or {}, after.get(part) or {}, meta.get(part) or {}
        own = written.get(part) or {}
        wanted: dict[str, Any] = {**{name: own.get(name) for name in old}, **new}
        change = {name: value for name, value in wanted.items() if there.get(name) != value}
        if change:
            found[part] = change
    return found
