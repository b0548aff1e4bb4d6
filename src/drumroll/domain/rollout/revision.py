"""Which replica set runs the wanted template, what a new one looks like, and how revisions are numbered.

Source: argo-rollouts rollout/sync.go (getAllReplicaSetsAndSyncRevision), utils/annotations, utils/replicaset.
"""

from collections.abc import Iterable, Sequence
from copy import deepcopy

import orjson

from drumroll.domain.actions import Action, Create, Delete, Notice, Patch, Record, patch_of
from drumroll.domain.defaults.pod import set_pod_spec_defaults
from drumroll.domain.deployment_revision import LAST_APPLIED, integer
from drumroll.domain.rollout.anti_affinity import with_anti_affinity, without_anti_affinity
from drumroll.domain.rollout.go_json import template_json
from drumroll.domain.rollout.inputs import Sets, Turn, hash_of
from drumroll.domain.templates import is_same_template, safe_hash
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from drumroll.objects.kinds import REPLICA_SET, ROLLOUT
from drumroll.objects.meta import Obj, annotations_of, owner_reference

REVISION = "rollout.argoproj.io/revision"
DESIRED = "rollout.argoproj.io/desired-replicas"
SCALE_DOWN_DEADLINE = "scale-down-deadline"
EPHEMERAL = "rollout.argoproj.io/ephemeral-metadata"
_NOT_COPIED = frozenset({LAST_APPLIED, REVISION, DESIRED, SCALE_DOWN_DEADLINE, EPHEMERAL})
NAME_LIMIT = 253


def pod_hash(rollout: Rollout) -> str:
    """The hash of the wanted template, the same as the original's."""
    return safe_hash(template_json(rollout.template), rollout.status.get("collisionCount"))


def sort_sets(rollout: Rollout, owned: Iterable[Obj], wanted_hash: str) -> Sets:
    """The replica sets that the Rollout controls, by their part in its update.

    The new one has the wanted template's hash or, made by somebody else, its template; the oldest wins.
    """
    ordered = sorted((ReplicaSet(one) for one in owned), key=lambda rs: rs.age_order)
    stable_hash = rollout.status.get("stableRS") or ""
    new = next((rs for rs in ordered if hash_of(rs) == wanted_hash), None)
    new = new or next((rs for rs in ordered if _has_template(rs, rollout)), None)
    stable = next((rs for rs in ordered if stable_hash and hash_of(rs) == stable_hash), None)
    taken = {rs.name for rs in (new, stable) if rs is not None}
    return Sets(new, stable, tuple(rs for rs in ordered if rs.name not in taken))


def _has_template(replica_set: ReplicaSet, rollout: Rollout) -> bool:
    return is_same_template(_defaulted(plain_template(replica_set)), _defaulted(rollout.template))


def _defaulted(template: Obj) -> Obj:
    """A template as API servers store those of replica sets; they leave a Rollout's as it was written."""
    made: Obj = deepcopy(template)
    if made.get("spec"):
        set_pod_spec_defaults(made["spec"])
    return made


def plain_template(replica_set: ReplicaSet) -> Obj:
    """The template as the user wrote it: without the hash label, ephemeral metadata, or a term of antiAffinity."""
    template = without_anti_affinity(replica_set.template)
    meta = dict(template.get("metadata") or {})
    added = ephemeral_of(replica_set)
    for part in ("labels", "annotations"):
        left = {
            name: value
            for name, value in (meta.get(part) or {}).items()
            if name != ROLLOUT_HASH and (added.get(part) or {}).get(name) != value
        }
        meta = {**meta, part: left} if left else {name: value for name, value in meta.items() if name != part}
    return {**template, "metadata": meta} if meta else {n: v for n, v in template.items() if n != "metadata"}


def ephemeral_of(replica_set: ReplicaSet) -> Obj:
    """The labels and annotations that its pods have for their role alone."""
    try:
        found = orjson.loads(replica_set.annotations.get(EPHEMERAL) or "{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def revision_of(annotated: Obj | None) -> int:
    """The revision number of a replica set or Rollout; 0 when there is none."""
    return integer(annotations_of(annotated).get(REVISION)) or 0 if annotated is not None else 0


def build_replica_set(rollout: Rollout, wanted_hash: str, revision: int) -> Obj:
    """The replica set for the wanted template, with no replicas yet: scaling is a decision of its own."""
    template = with_anti_affinity(rollout, rollout.template, wanted_hash)
    selector = rollout.spec.get("selector") or {}
    meta = template.get("metadata") or {}
    labels = {**(meta.get("labels") or {}), ROLLOUT_HASH: wanted_hash}
    copied = {name: value for name, value in rollout.annotations.items() if name not in _NOT_COPIED}
    spec: Obj = {
        "replicas": 0,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), ROLLOUT_HASH: wanted_hash}},
        "template": {**template, "metadata": {**meta, "labels": labels}},
    }
    if rollout.min_ready_seconds:
        spec["minReadySeconds"] = rollout.min_ready_seconds
    return {
        "apiVersion": REPLICA_SET.api_version,
        "kind": REPLICA_SET.name,
        "metadata": {
            "name": f"{rollout.name[: NAME_LIMIT - 1 - len(wanted_hash)]}-{wanted_hash}",
            "namespace": rollout.key.namespace,
            "labels": labels,
            "annotations": {**copied, REVISION: str(revision), DESIRED: str(rollout.replicas)},
            "ownerReferences": [owner_reference(rollout.raw)],
        },
        "spec": spec,
    }


def next_revision(sets: Sets) -> int:
    """One more than any other replica set than the new one has."""
    return max((revision_of(rs.raw) for rs in sets.other), default=0) + 1


def ensure_new(turn: Turn) -> tuple[Action, ...]:
    """What makes the new replica set be there with the newest revision, and the Rollout say so too."""
    rollout, sets = turn.rollout, turn.sets
    wanted = next_revision(sets)
    actions: list[Action] = []
    if sets.new is None:
        made = build_replica_set(rollout, turn.pod_hash, wanted)
        name = made["metadata"]["name"]
        done = ("NewReplicaSetCreated", f"Created ReplicaSet {name} (revision {wanted})")
        failed = ("ReplicaSetCreateError", f"Failed to create ReplicaSet {name}: {{error}}")
        actions.append(Create(made, Notice(rollout.raw, done, failed)))
    elif revision_of(sets.new.raw) < wanted:
        note = {"metadata": {"annotations": {REVISION: str(wanted)}}}
        actions.append(patch_of(REPLICA_SET, sets.new.raw, note))
    else:
        wanted = revision_of(sets.new.raw)
    if revision_of(rollout.raw) != wanted:
        actions += [_noted(rollout, wanted), *_told(turn, wanted)]
    return tuple(actions)


def _told(turn: Turn, revision: int) -> tuple[Action, ...]:
    """The Events of a new revision."""
    about, name = turn.inputs.rollout, turn.sets.new.name if turn.sets.new else f"{turn.rollout.name}-{turn.pod_hash}"
    updated = Record(about, "Normal", "RolloutUpdated", f"Rollout updated to revision {revision}")
    if not turn.status.get("stableRS") or turn.sets.is_stable_new:
        return (updated,)
    text = f"Rollout not completed, started update to revision {revision} ({name})"
    return updated, Record(about, "Normal", "RolloutNotCompleted", text)


def _noted(rollout: Rollout, revision: int) -> Patch:
    return patch_of(ROLLOUT, rollout.raw, {"metadata": {"annotations": {REVISION: str(revision)}}})


def surplus(rollout: Rollout, sets: Sets) -> Sequence[Action]:
    """Deletions of old replica sets beyond the history limit: the oldest without pods, none that waits to be scaled."""
    idle = [
        rs
        for rs in sorted(sets.older, key=lambda rs: (revision_of(rs.raw), rs.age_order))
        if rs.replicas == 0 and rs.current == 0 and rs.is_observed and not rs.is_deleting
        and SCALE_DOWN_DEADLINE not in rs.annotations
    ]  # fmt: skip
    count = max(0, len(sets.older) - rollout.history_limit)
    return [Delete(REPLICA_SET, rs.key, rs.uid, "Background") for rs in idle[:count]]


def is_scaling_event(rollout: Rollout, sets: Sets) -> bool:
    """Whether the wanted number of replicas has changed since the replica sets with pods were last sized."""
    sized = (rs.annotations.get(DESIRED) for rs in sets.all if rs.replicas > 0)
    return any(integer(text) is not None and integer(text) != rollout.replicas for text in sized)
