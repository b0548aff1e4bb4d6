"""workloadRef: a Deployment, ReplicaSet or PodTemplate gives the pods' template, and may be scaled down for it.

Source: argo-rollouts utils/rollout (templateRef), rollout/sync.go (scaleDeployment).
"""

from drumroll.domain.actions import patch_of
from drumroll.domain.rollout.inputs import Inputs, Turn
from drumroll.objects.apps_v1 import TEMPLATE_HASH
from drumroll.objects.kinds import DEPLOYMENT
from drumroll.objects.meta import Obj


def with_template(inputs: Inputs) -> Obj:
    """The Rollout with the pod template (and selector) of its workload in it, when it refers to one."""
    spec = inputs.rollout.get("spec") or {}
    if not spec.get("workloadRef") or inputs.workload is None:
        return inputs.rollout
    given = inputs.workload if inputs.workload.get("kind") == "PodTemplate" else inputs.workload.get("spec") or {}
    selector = spec.get("selector") or _without_hash(given.get("selector") or {}, "matchLabels")
    template = dict(given.get("template") or {})
    if template.get("metadata"):
        template["metadata"] = _without_hash(template["metadata"], "labels")
    return {**inputs.rollout, "spec": {**spec, "template": template, "selector": selector}}


def _without_hash(obj: Obj, part: str) -> Obj:
    """Without the label by which a Deployment tells its own replica sets apart."""
    labels = obj.get(part) or {}
    return {**obj, part: {k: v for k, v in labels.items() if k != TEMPLATE_HASH}} if TEMPLATE_HASH in labels else obj


def with_workload_scaled(turn: Turn) -> Turn:
    """The turn that takes the Deployment's own pods down: never, when the Rollout is whole, or as its pods come up.

    `progressively` gives them back when the first version of the Rollout is given up.
    """
    workload = turn.inputs.workload
    if workload is None:
        return turn.with_status(workloadObservedGeneration=None)
    generation = workload["metadata"].get("generation")
    turn = turn.with_status(workloadObservedGeneration=str(generation) if generation is not None else None)
    down = (turn.rollout.spec.get("workloadRef") or {}).get("scaleDown") or "never"
    if workload.get("kind", DEPLOYMENT.name) != DEPLOYMENT.name or down == "never":
        return turn
    size = _size(turn, down)
    current = (workload.get("spec") or {}).get("replicas", 1)
    if size is None or size == current:
        return turn
    return turn.then([patch_of(DEPLOYMENT, workload, {"spec": {"replicas": size}})])


def _size(turn: Turn, down: str) -> int | None:
    """How many pods the Deployment shall have; None: as many as it has."""
    new, wanted = turn.sets.new, turn.rollout.replicas
    available = new.available if new is not None else 0
    current: int = ((turn.inputs.workload or {}).get("spec") or {}).get("replicas", 1)
    is_whole = turn.sets.is_stable_new and available >= wanted
    if down == "onsuccess":
        return 0 if is_whole else None
    if turn.sets.stable is not None and not turn.sets.is_stable_new:
        return None  # a later update: the Deployment has long gone
    if turn.is_aborted:
        return wanted if turn.sets.stable is None else None
    return min(current, max(0, wanted - available))
