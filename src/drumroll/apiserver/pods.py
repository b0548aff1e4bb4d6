"""What is peculiar to pods: binding to a node, and eviction under disruption budgets."""

from drumroll.apiserver import codec
from drumroll.apiserver.answering import success
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.deleting import remove
from drumroll.apiserver.options import DeleteOptions, write_options
from drumroll.apiserver.pipeline import check_preconditions
from drumroll.apiserver.routing import Target
from drumroll.objects.decode import BINDING, EVICTION, decode
from drumroll.objects.errors import BadRequest, Conflict, TooManyRequests
from drumroll.objects.kinds import POD, POD_DISRUPTION_BUDGET, Kind
from drumroll.objects.meta import Obj, labels_of, timestamp
from drumroll.objects.selectors import from_object
from drumroll.objects.wire import Request, Response


def _body(request: Request, kind: Kind) -> Obj:
    found = decode(request.body, request.headers.get("content-type", ""), kind, "Ignore").obj
    return found


async def bind(cluster: Cluster, target: Target, request: Request) -> Response:
    """Assign a pod to a node, once. Raises NotFound, Conflict (already assigned, other uid)."""
    body = _body(request, BINDING)
    dry_run = write_options(request, "CreateOptions").dry_run
    node, metadata = (body.get("target") or {}).get("name") or "", body.get("metadata") or {}
    if not node:
        raise BadRequest("target.name: Required value")

    def bound(pod: Obj) -> Obj:
        check_preconditions(target, pod, metadata.get("uid") or "", metadata.get("resourceVersion") or "")
        spec = pod["spec"]
        if pod["metadata"].get("deletionTimestamp"):
            raise _binding_conflict(target.name, f"pod {target.name} is being deleted, cannot be assigned to a host")
        if spec.get("nodeName"):
            raise _binding_conflict(target.name, f'pod {target.name} is already assigned to node "{spec["nodeName"]}"')
        spec["nodeName"] = node
        for name, value in (metadata.get("annotations") or {}).items():
            pod["metadata"].setdefault("annotations", {})[name] = value
        _set_scheduled(pod, timestamp(cluster.now()))
        return pod

    await cluster.change(Target(POD, target.namespace, target.name), bound, dry_run=dry_run)
    return success(201)


def _binding_conflict(name: str, why: str) -> Conflict:
    message = f'Operation cannot be fulfilled on pods/binding "{name}": {why}'
    return Conflict(message, {"name": name, "kind": "pods/binding"})


def _set_scheduled(pod: Obj, moment: str) -> None:
    status = pod.setdefault("status", {})
    others = [entry for entry in status.get("conditions") or () if entry.get("type") != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": moment}
    status["conditions"] = [*others, scheduled]


async def evict(cluster: Cluster, target: Target, request: Request) -> Response:
    """Delete a pod unless a disruption budget forbids it now. Raises NotFound, TooManyRequests."""
    body = _body(request, EVICTION)
    asked = body.get("deleteOptions") or {}
    pod_target = Target(POD, target.namespace, target.name)
    pod = codec.decode(cluster.find(pod_target))
    is_terminal = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed", "Pending")
    if not is_terminal and not pod["metadata"].get("deletionTimestamp"):
        await _spend_budget(cluster, target, pod)
    uid = (asked.get("preconditions") or {}).get("uid") or ""
    dry_run = bool(asked.get("dryRun")) or write_options(request, "CreateOptions").dry_run
    options = DeleteOptions(asked.get("gracePeriodSeconds"), uid, "", asked.get("propagationPolicy") or "", dry_run)
    await remove(cluster, pod_target, options)
    return success(201)


async def _spend_budget(cluster: Cluster, target: Target, pod: Obj) -> None:
    for record in cluster.store.select(POD_DISRUPTION_BUDGET.resource, f"{target.namespace}/"):
        budget = codec.decode(record)
        if not from_object((budget.get("spec") or {}).get("selector")).matches(labels_of(pod)):
            continue
        name = budget["metadata"]["name"]

        def spent(old: Obj) -> Obj:
            status = old.setdefault("status", {})
            if (status.get("disruptionsAllowed") or 0) < 1:
                raise _budget_spent(old, target)
            status["disruptionsAllowed"] -= 1
            status.setdefault("disruptedPods", {})[target.name] = timestamp(cluster.now())
            return old

        await cluster.change(Target(POD_DISRUPTION_BUDGET, target.namespace, name), spent)


def _budget_spent(budget: Obj, target: Target) -> TooManyRequests:
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    needed, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
    why = f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
    cause = {"reason": "DisruptionBudget", "message": why}
    return TooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", {"causes": [cause]})
