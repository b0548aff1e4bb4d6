"""POST of an Eviction: deletion of a pod, if its disruption budget allows one now.

Source: pkg/registry/core/pod/storage/eviction.go.
"""

from drumroll.apiserver import codec
from drumroll.apiserver.answering import success
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.deleting import remove
from drumroll.apiserver.failures import Unclassified, forbidden
from drumroll.apiserver.options import DeleteOptions, write_options
from drumroll.apiserver.routing import Target
from drumroll.objects.decode import EVICTION, decode
from drumroll.objects.errors import BadRequest, TooManyRequests
from drumroll.objects.kinds import POD, POD_DISRUPTION_BUDGET
from drumroll.objects.meta import Obj, labels_of, timestamp
from drumroll.objects.selectors import from_object
from drumroll.objects.wire import Request, Response

MOST_UNDER_WAY = 2000
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."
_SYNC_SECONDS = 10


async def evict(cluster: Cluster, target: Target, request: Request) -> Response:
    """Delete a pod unless a disruption budget forbids it now. Raises BadRequest, NotFound, TooManyRequests."""
    body = decode(request.body, request.headers.get("content-type", ""), EVICTION, "Ignore").obj
    if (body.get("metadata") or {}).get("name", target.name) != target.name:
        raise BadRequest("name in URL does not match name in Eviction object")
    asked = body.get("deleteOptions") or {}
    dry_run = bool(asked.get("dryRun")) or write_options(request, "CreateOptions").dry_run
    pod_target = Target(POD, target.namespace, target.name)
    pod = codec.decode(cluster.find(pod_target))
    budget = None if _needs_no_budget(pod) else _budget_of(cluster, pod)
    if budget is not None and not _is_free(pod, budget):
        await _spend(cluster, target, budget["metadata"]["name"], dry_run=dry_run)
    uid = (asked.get("preconditions") or {}).get("uid") or ""
    options = DeleteOptions(asked.get("gracePeriodSeconds"), uid, "", asked.get("propagationPolicy") or "", dry_run)
    await remove(cluster, pod_target, options)
    return success(201)


def _needs_no_budget(pod: Obj) -> bool:
    """A pod that does not run, or is going anyway, serves nobody."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


def _budget_of(cluster: Cluster, pod: Obj) -> Obj | None:
    found = []
    for record in cluster.store.select(POD_DISRUPTION_BUDGET.resource, f"{pod['metadata']['namespace']}/"):
        budget = codec.decode(record)
        if from_object((budget.get("spec") or {}).get("selector")).matches(labels_of(pod)):
            found.append(budget)
    if len(found) > 1:
        raise Unclassified(_SEVERAL)
    return found[0] if found else None


def _is_free(pod: Obj, budget: Obj) -> bool:
    """Whether a pod that is not ready may go without taking from the budget."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    if any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    healthy, wanted = status.get("currentHealthy") or 0, status.get("desiredHealthy") or 0
    return bool(healthy >= wanted > 0)


async def _spend(cluster: Cluster, target: Target, name: str, *, dry_run: bool) -> None:
    def spent(budget: Obj) -> Obj:
        status = budget.setdefault("status", {})
        _check_room(budget, status, name)
        status["disruptionsAllowed"] -= 1
        status.setdefault("disruptedPods", {})[target.name] = timestamp(cluster.now())
        return budget

    await cluster.change(Target(POD_DISRUPTION_BUDGET, target.namespace, name), spent, dry_run=dry_run)


def _check_room(budget: Obj, status: Obj, name: str) -> None:
    if (status.get("observedGeneration") or 0) < (budget["metadata"].get("generation") or 0):
        raise _not_now(f"The disruption budget {name} is still being processed by the server.", _SYNC_SECONDS)
    allowed = status.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise forbidden(POD_DISRUPTION_BUDGET, name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or ()) > MOST_UNDER_WAY:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden(POD_DISRUPTION_BUDGET, name, why)
    if allowed == 0:
        needed, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        raise _not_now(f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently", 0)


def _not_now(why: str, seconds: int) -> TooManyRequests:
    details: Obj = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if seconds:
        details["retryAfterSeconds"] = seconds
    return TooManyRequests(_VIOLATED, details)
