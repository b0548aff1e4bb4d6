"""How a namespace ends: its contents are deleted, and when nothing is left it is finalized.

Source: kubernetes pkg/controller/namespace/deletion/namespaced_resources_deleter.go.
"""

from collections.abc import Mapping

from drumroll.domain.actions import NOTHING, DeleteAll, Plan, Update
from drumroll.objects.kinds import Kind
from drumroll.objects.meta import Obj, is_deleting

FINALIZER = "kubernetes"


def reconcile(namespace: Obj, left: Mapping[Kind, int], asked: frozenset[Kind]) -> Plan:
    """Delete what is `left`, by kind, and was not `asked` to go yet; with nothing left, let the namespace go."""
    finalizers = namespace["spec"].get("finalizers") or []
    if not is_deleting(namespace) or FINALIZER not in finalizers:
        return NOTHING
    if any(left.values()):
        name = namespace["metadata"]["name"]
        return Plan(tuple(DeleteAll(kind, name) for kind, count in left.items() if count and kind not in asked))
    rest = [finalizer for finalizer in finalizers if finalizer != FINALIZER]
    return Plan((Update({**namespace, "spec": {**namespace["spec"], "finalizers": rest}}, "finalize"),))
