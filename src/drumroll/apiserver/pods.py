"""What is peculiar to pods: binding to a node."""

from drumroll.apiserver.answering import success
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.options import write_options
from drumroll.apiserver.pipeline import check_preconditions
from drumroll.apiserver.routing import Target
from drumroll.objects.decode import BINDING, decode
from drumroll.objects.errors import BadRequest, Conflict
from drumroll.objects.kinds import POD, Kind
from drumroll.objects.meta import Obj, timestamp
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
