"""What every client does: apply a Deployment, watch it roll, patch it, read logs, exec, undo, delete."""

import json
from typing import Any

from tests.e2e.cluster import Cluster
from tests.e2e.shop import deployment

NAME = "shop"
LABELS = {"app": "shop"}
SELECTOR = "app=shop"
OLD, NEW = "storefront:0.0.1", "storefront:0.0.2"
EXEC = ["/bin/sh", "-c", "echo heard"]
SECONDS = 90


def shop(replicas: int = 2) -> dict[str, Any]:
    """The Deployment of the story."""
    return deployment(NAME, OLD, replicas, LABELS)


def image_patch(image: str) -> dict[str, Any]:
    """A strategic merge patch that gives the container another image."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "shop", "image": image}]}}}}


def is_rolled_out(obj: dict[str, Any], image: str) -> bool:
    """What `kubectl rollout status` waits for, and that it is about this image. Source: kubectl polymorphichelpers."""
    status, wanted = obj.get("status") or {}, obj["spec"]["replicas"]
    shown = obj["spec"]["template"]["spec"]["containers"][0]["image"]
    counts = [status.get(field) or 0 for field in ("replicas", "updatedReplicas", "availableReplicas")]
    is_observed = (status.get("observedGeneration") or 0) >= obj["metadata"]["generation"]
    return shown == image and is_observed and counts == [wanted] * 3


def images_that_run(cluster: Cluster, namespace: str) -> set[str]:
    """The images of the pods that are there and are not on their way out."""
    pods = json.loads(cluster.kubectl("get", "pods", "-n", namespace, "-l", SELECTOR, "-o", "json"))["items"]
    return {pod["spec"]["containers"][0]["image"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}


def check_gone(cluster: Cluster, namespace: str) -> None:
    """Nothing of the story is left: the pods go because their owners went."""
    selection = ("get", "deploy,rs,pods", "-n", namespace, "-o", "name")
    cluster.until(lambda: not cluster.kubectl(*selection).strip(), "the Deployment, its ReplicaSets and pods are gone")
