"""A ReplicationController is a ReplicaSet whose selector is a plain map.

Source: kubernetes pkg/controller/replication/conversion.go.
"""

from drumroll.objects.meta import Obj


def as_replica_set(controller: Obj) -> Obj:
    """The controller in the form that the ReplicaSet's decisions read; it stays what it is by name, kind and uid."""
    spec = controller.get("spec") or {}
    return {**controller, "spec": {**spec, "selector": {"matchLabels": spec.get("selector") or {}}}}
