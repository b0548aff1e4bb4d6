"""Rollouts and ReplicaSets for tests of decisions about them."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from drumroll.domain.rollout.inputs import Inputs, Turn
from drumroll.domain.rollout.revision import build_replica_set, pod_hash, sort_sets
from drumroll.objects.argo_v1alpha1 import Rollout

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Obj = dict[str, Any]


def template(image: str = "app:1") -> Obj:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def rollout(strategy: Obj | None = None, image: str = "app:1", status: Obj | None = None, **spec: Any) -> Obj:
    body: Obj = {
        "replicas": 4,
        "selector": {"matchLabels": {"app": "web"}},
        "template": template(image),
        "strategy": {"canary": {}} if strategy is None else strategy,
        **spec,
    }
    meta = {"namespace": "default", "name": "web", "uid": "ro-1", "generation": 1, "resourceVersion": "7"}
    made: Obj = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": meta, "spec": body}
    if status is not None:
        made["status"] = status
    return made


def replica_set(owner: Obj, image: str, replicas: int, available: int | None = None, revision: int = 1) -> Obj:
    """A ReplicaSet of the Rollout for that image, as its controller would have made it; all its pods are there."""
    other = deepcopy(owner)
    other["spec"]["template"] = template(image)
    view = Rollout(other)
    made = build_replica_set(view, pod_hash(view), revision)
    up = replicas if available is None else available
    made["metadata"] |= {
        "uid": f"rs-{image}", "creationTimestamp": f"2026-01-01T00:00:{revision:02}Z", "generation": 1,
        "resourceVersion": "3",
    }  # fmt: skip
    made["spec"]["replicas"] = replicas
    made["status"] = {
        "replicas": replicas, "readyReplicas": up, "availableReplicas": up, "observedGeneration": 1,
    }  # fmt: skip
    return made


def hash_for(owner: Obj, image: str) -> str:
    other = deepcopy(owner)
    other["spec"]["template"] = template(image)
    return pod_hash(Rollout(other))


def turn(owner: Obj, *sets: Obj, **inputs: Any) -> Turn:
    view = Rollout(owner)
    wanted = pod_hash(view)
    found = Inputs(owner, replica_sets=tuple(sets), **inputs)
    return Turn(found, view, wanted, sort_sets(view, sets, wanted), dict(view.status), NOW)
