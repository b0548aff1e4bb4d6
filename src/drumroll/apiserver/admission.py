"""What the original's standard admission does to new objects: namespaces must live, pods get what all pods have."""

from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.failures import forbidden, no_namespace, terminating
from drumroll.apiserver.routing import Target
from drumroll.objects.kinds import NAMESPACE, POD
from drumroll.objects.meta import Obj

IMMORTAL = frozenset(("default", "kube-system", "kube-public"))
_NOT_READY = "node.kubernetes.io/not-ready"
_UNREACHABLE = "node.kubernetes.io/unreachable"


def admit_create(cluster: Cluster, target: Target, obj: Obj) -> None:
    """Complete a decoded new object, in place. Raises NotFound (namespace), Forbidden (namespace terminating)."""
    if target.kind.namespaced:
        _check_namespace(cluster, target, obj)
    if target.kind is POD:
        _complete_pod(obj)


def _check_namespace(cluster: Cluster, target: Target, obj: Obj) -> None:
    record = cluster.store.get(NAMESPACE.resource, target.namespace)
    if record is None:
        raise no_namespace(target.namespace)
    is_doomed = b'"Terminating"' in record.value and b'"deletionTimestamp"' in record.value
    if is_doomed and target.kind.plural != "events":
        raise terminating(target.kind, obj["metadata"].get("name", ""), target.namespace)


def admit_delete(target: Target) -> None:
    """Raises Forbidden for the namespaces that a cluster cannot be without."""
    if target.kind is NAMESPACE and target.name in IMMORTAL:
        raise forbidden(NAMESPACE, target.name, "this namespace may not be deleted")


def _complete_pod(pod: Obj) -> None:
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec.get("serviceAccount") or "default"
    spec["serviceAccount"] = spec["serviceAccountName"]
    tolerations = spec.get("tolerations") or []
    for key in (_NOT_READY, _UNREACHABLE):
        if not any(_tolerates(toleration, key) for toleration in tolerations):
            added = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            tolerations = [*tolerations, added]
    spec["tolerations"] = tolerations


def _tolerates(toleration: Obj, key: str) -> bool:
    matches_key = toleration.get("key") == key or (
        not toleration.get("key") and toleration.get("operator", "Equal") == "Exists"
    )
    return matches_key and toleration.get("effect") in (None, "", "NoExecute")
