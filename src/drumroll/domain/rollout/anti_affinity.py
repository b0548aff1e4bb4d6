"""antiAffinity: new pods keep away from nodes where stable ones are, until they are the stable ones themselves.

Source: argo-rollouts utils/replicaset (GenerateReplicaSetAffinity).
"""

from typing import Any

from drumroll.domain.actions import patch_of
from drumroll.domain.rollout.inputs import Turn
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from drumroll.objects.kinds import REPLICA_SET
from drumroll.objects.meta import Obj

PREFERRED, REQUIRED = (
    "preferredDuringSchedulingIgnoredDuringExecution",
    "requiredDuringSchedulingIgnoredDuringExecution",
)


def with_anti_affinity(rollout: Rollout, template: Obj, pod_hash: str) -> Obj:
    """The template with the term that the Rollout asks for; the same one when there are no other pods to avoid."""
    wanted = (rollout.blue_green or rollout.canary or {}).get("antiAffinity")
    stable = rollout.status.get("stableRS") or ""
    if not wanted or stable in ("", pod_hash):
        return template
    expression = {"key": ROLLOUT_HASH, "operator": "In", "values": [stable]}
    selector = {"matchExpressions": [expression]}
    term: Obj = {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}
    field = REQUIRED
    if wanted.get(PREFERRED) is not None:
        field, term = PREFERRED, {"weight": wanted[PREFERRED].get("weight"), "podAffinityTerm": term}
    spec = template.get("spec") or {}
    affinity = spec.get("affinity") or {}
    anti = affinity.get("podAntiAffinity") or {}
    anti = {**anti, field: [*(anti.get(field) or ()), term]}
    return {**template, "spec": {**spec, "affinity": {**affinity, "podAntiAffinity": anti}}}


def without_anti_affinity(template: Obj) -> Obj:
    """The template without such a term."""
    spec = template.get("spec") or {}
    anti = (spec.get("affinity") or {}).get("podAntiAffinity") or {}
    left = {field: [term for term in terms or () if not _is_ours(term)] for field, terms in anti.items()}
    if left == anti:
        return template
    left = {field: terms for field, terms in left.items() if terms}
    affinity = {**spec["affinity"], "podAntiAffinity": left}
    affinity = {name: part for name, part in affinity.items() if part}
    rest = {name: part for name, part in spec.items() if name != "affinity"}
    return {**template, "spec": {**rest, "affinity": affinity} if affinity else rest}


def _is_ours(term: Any) -> bool:
    found = term.get("podAffinityTerm") or term
    expressions = (found.get("labelSelector") or {}).get("matchExpressions") or ()
    return any(one.get("key") == ROLLOUT_HASH for one in expressions)


def without_avoidance(turn: Turn) -> Turn:
    """The turn in which the pods of the stable version, those to come, avoid nobody any more."""
    stable = turn.sets.stable
    if stable is None or not turn.sets.is_stable_new:
        return turn
    left = without_anti_affinity(stable.template)
    if left == stable.template:
        return turn
    patch = {"spec": {"template": {"spec": {"affinity": (left.get("spec") or {}).get("affinity")}}}}
    if patch["spec"]["template"]["spec"]["affinity"]:
        whole = stable.template["spec"]["affinity"]["podAntiAffinity"]
        kept = patch["spec"]["template"]["spec"]["affinity"].get("podAntiAffinity") or {}
        anti = {field: kept.get(field) for field in whole}
        patch["spec"]["template"]["spec"]["affinity"] = {"podAntiAffinity": anti}
    return turn.then([patch_of(REPLICA_SET, stable.raw, patch)])
