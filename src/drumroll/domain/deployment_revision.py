"""Which replica set runs the wanted template, what a new one looks like, and how revisions are numbered.

Source: kubernetes pkg/controller/deployment/sync.go (getNewReplicaSet) and util/deployment_util.go.
"""

from collections.abc import Iterable

from drumroll.domain.replicas import Split, fence_of, new_replicas, occupied
from drumroll.domain.templates import is_same_template, template_hash
from drumroll.objects.apps_v1 import TEMPLATE_HASH, Deployment, ReplicaSet
from drumroll.objects.meta import Obj, owner_reference

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
ROLLBACK = "deprecated.deployment.rollback.to"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOT_COPIED = frozenset({LAST_APPLIED, REVISION, HISTORY, DESIRED, MAXIMUM, ROLLBACK})
HISTORY_LIMIT = 2000  # characters
NAME_LIMIT = 253


def classify(deployment: Deployment, sets: Iterable[ReplicaSet]) -> Split:
    """The oldest replica set with the wanted template is the new one, all others are old."""
    ordered = sorted(sets, key=lambda rs: rs.age_order)
    new = next((rs for rs in ordered if is_same_template(rs.template, deployment.template)), None)
    return Split(new, tuple(rs for rs in ordered if rs is not new))


def revision_of(annotated: Deployment | ReplicaSet) -> int:
    """The revision number, 0 when there is none or it is no number."""
    return integer(annotated.annotations.get(REVISION)) or 0


def integer(text: str | None) -> int | None:
    """The decimal number that an annotation holds, or None."""
    try:
        return int(text) if text else None
    except ValueError:
        return None


def next_revision(split: Split) -> int:
    """One more than any old replica set has."""
    return max((revision_of(rs) for rs in split.old), default=0) + 1


def carried_annotations(deployment: Deployment, replica_set: ReplicaSet, revision: int) -> dict[str, str]:
    """The annotations of an existing new replica set that must change, with their new values.

    A replica set that gets a higher revision than it had notes the old one in its history: it was rolled back to.
    """
    current = replica_set.annotations
    changed = {name: value for name, value in _copied(deployment).items() if current.get(name) != value}
    before = current.get(REVISION)
    number = integer(before)
    if before and number is None:
        return changed
    if (number or 0) < revision:
        changed[REVISION] = str(revision)
        if before:
            changed[HISTORY] = appended_history(current.get(HISTORY, ""), before)
    return changed


def appended_history(history: str, revision: str) -> str:
    """The comma-separated history with one more revision; the oldest are dropped to keep it short."""
    numbers = [*history.split(","), revision] if history else [revision]
    while len(",".join(numbers)) > HISTORY_LIMIT:
        numbers.pop(0)
    return ",".join(numbers)


def size_annotations(deployment: Deployment) -> dict[str, str]:
    """What a replica set notes of its deployment's size, for proportional scaling later."""
    ceiling = deployment.replicas + fence_of(deployment).surge
    return {DESIRED: str(deployment.replicas), MAXIMUM: str(ceiling)}


def build_replica_set(deployment: Deployment, split: Split) -> Obj:
    """The replica set for the wanted template, with as many replicas as there is room for."""
    collisions = deployment.status.get("collisionCount")
    short = template_hash(deployment.template, collisions)
    template = deployment.template
    meta = template.get("metadata") or {}
    labels = {**(meta.get("labels") or {}), TEMPLATE_HASH: short}
    selector = deployment.spec.get("selector") or {}
    annotations = {**_copied(deployment), REVISION: str(next_revision(split)), **size_annotations(deployment)}
    spec: Obj = {
        "replicas": new_replicas(deployment, occupied(split.old), 0),
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), TEMPLATE_HASH: short}},
        "template": {**template, "metadata": {**meta, "labels": labels}},
    }
    if deployment.min_ready_seconds:
        spec["minReadySeconds"] = deployment.min_ready_seconds
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment.name[: NAME_LIMIT - 1 - len(short)]}-{short}",
            "namespace": deployment.key.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(deployment.raw)],
        },
        "spec": spec,
    }


def _copied(deployment: Deployment) -> dict[str, str]:
    return {name: value for name, value in deployment.annotations.items() if name not in NOT_COPIED}
