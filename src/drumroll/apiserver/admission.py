"""What the original's standard admission does to new objects: namespaces must live, pods get what all pods have."""

import random

from drumroll.apiserver import codec
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.failures import forbidden, no_namespace, terminating
from drumroll.apiserver.routing import Target
from drumroll.domain.pod_identity import give_identity
from drumroll.objects.custom import CustomKind
from drumroll.objects.errors import MethodNotAllowed
from drumroll.objects.kinds import NAMESPACE, POD, SERVICE_ACCOUNT
from drumroll.objects.meta import Obj

IMMORTAL = frozenset(("default", "kube-system", "kube-public"))
DEFAULT_ACCOUNT = "default"
SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_NOT_READY = "node.kubernetes.io/not-ready"
_UNREACHABLE = "node.kubernetes.io/unreachable"


def admit_create(cluster: Cluster, target: Target, obj: Obj) -> None:
    """Complete a decoded new object, in place. Raises NotFound (namespace), Forbidden (namespace terminating)."""
    if isinstance(target.kind, CustomKind) and target.kind.definition.is_going:
        raise MethodNotAllowed("create not allowed while custom resource definition is terminating", {})
    if target.kind.namespaced:
        _check_namespace(cluster, target, obj)
    if target.kind is POD and isinstance(obj.get("spec"), dict):
        _give_identity(cluster, target, obj)
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


def _give_identity(cluster: Cluster, target: Target, pod: Obj) -> None:
    """Every pod runs as a ServiceAccount, once its namespace has one. Raises Forbidden when it names a missing one."""
    default = cluster.store.get(SERVICE_ACCOUNT.resource, f"{target.namespace}/{DEFAULT_ACCOUNT}")
    if default is None:
        return
    spec = pod["spec"]
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT_ACCOUNT
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    record = default
    if name != DEFAULT_ACCOUNT:
        found = cluster.store.get(SERVICE_ACCOUNT.resource, f"{target.namespace}/{name}")
        if found is None:
            why = f'error looking up service account {target.namespace}/{name}: serviceaccount "{name}" not found'
            raise forbidden(POD, pod["metadata"].get("name", ""), why)
        record = found
    give_identity(pod, codec.decode(record), "".join(random.choices(SUFFIX_LETTERS, k=5)))


def _complete_pod(pod: Obj) -> None:
    spec = pod["spec"]
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
