"""Rolling back by the legacy annotation, on the server's side; kubectl's `rollout undo` patches by itself instead.

Source: kubernetes pkg/controller/deployment/rollback.go.
"""

from drumroll.domain.actions import Action, Record, Update
from drumroll.domain.deployment_revision import NOT_COPIED, ROLLBACK, integer, revision_of
from drumroll.domain.replicas import Split
from drumroll.domain.templates import is_same_template
from drumroll.objects.apps_v1 import TEMPLATE_HASH, Deployment, ReplicaSet
from drumroll.objects.meta import Obj

NOT_FOUND = "DeploymentRollbackRevisionNotFound"


def wanted_rollback(deployment: Deployment) -> int | None:
    """The revision to roll back to, 0 for the one before; None when none is asked for."""
    return integer(deployment.annotations.get(ROLLBACK))


def rollback(deployment: Deployment, split: Split, revision: int) -> tuple[Action, ...]:
    """Take over the template of that revision; in every case the annotation goes, so that it is tried once."""
    target = _find(split, revision)
    if target is None:
        message = "Unable to find last revision." if revision == 0 else "Unable to find the revision to rollback to."
        return _refused(deployment, NOT_FOUND, message)
    if is_same_template(target.template, deployment.template):
        message = f'The rollback revision contains the same template as current deployment "{deployment.name}"'
        return _refused(deployment, "DeploymentRollbackTemplateUnchanged", message)
    kept = {name: value for name, value in deployment.annotations.items() if name in NOT_COPIED and name != ROLLBACK}
    taken = {name: value for name, value in target.annotations.items() if name not in NOT_COPIED}
    changed = _with(deployment, {**kept, **taken}, _template(target))
    message = f'Rolled back deployment "{deployment.name}" to revision {revision_of(target)}'
    return Update(changed), Record(deployment.raw, "Normal", "DeploymentRollback", message)


def _refused(deployment: Deployment, reason: str, message: str) -> tuple[Action, ...]:
    rest = {name: value for name, value in deployment.annotations.items() if name != ROLLBACK}
    return (
        Record(deployment.raw, "Warning", reason, message),
        Update(_with(deployment, rest, deployment.template)),
    )


def _find(split: Split, revision: int) -> ReplicaSet | None:
    if revision == 0:
        numbers = sorted({revision_of(rs) for rs in split.all} - {0})
        if len(numbers) < 2:
            return None
        revision = numbers[-2]
    return next((rs for rs in split.all if revision_of(rs) == revision), None)


def _with(deployment: Deployment, annotations: dict[str, str], template: Obj) -> Obj:
    meta = {**deployment.raw["metadata"], "annotations": annotations}
    return {**deployment.raw, "metadata": meta, "spec": {**deployment.spec, "template": template}}


def _template(replica_set: ReplicaSet) -> Obj:
    """The template without the label that only replica sets give."""
    meta = replica_set.template.get("metadata") or {}
    labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != TEMPLATE_HASH}
    return {**replica_set.template, "metadata": {**meta, "labels": labels}}
