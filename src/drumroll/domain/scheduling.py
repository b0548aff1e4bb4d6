"""Admission of pods to the one node: whether there is room. Source: kube-scheduler's NodeResourcesFit, NodeAffinity."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drumroll.domain.pod import is_finished
from drumroll.objects.meta import Obj, labels_of
from drumroll.objects.quantity import milli, whole


@dataclass(frozen=True, slots=True)
class Resources:
    """Requests or room: `cpu` in thousandths of a core, `memory` in bytes, `pods` in pods."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)


def requests_of(pod: Obj) -> Resources:
    """What a pod asks for: the sum over its containers, or its largest init container when that is more."""
    spec = pod["spec"]
    main = Resources(pods=1)
    for container in spec["containers"]:
        main += _container_requests(container)
    cpu, memory = main.cpu, main.memory
    for container in spec.get("initContainers") or ():
        first = _container_requests(container)
        cpu, memory = max(cpu, first.cpu), max(memory, first.memory)
    return Resources(cpu, memory, 1)


def _container_requests(container: Mapping[str, Any]) -> Resources:
    resources = container.get("resources") or {}
    requests = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return Resources(milli(requests.get("cpu", 0)), whole(requests.get("memory", 0)))


def used_by(pods: Iterable[Obj], node_name: str) -> Resources:
    """The room that a node's pods take."""
    total = Resources()
    for pod in pods:
        if pod["spec"].get("nodeName") == node_name and not is_finished(pod):
            total += requests_of(pod)
    return total


def refusals(pod: Obj, node: Obj, used: Resources) -> list[str]:
    """Why the pod does not fit on the node, in the scheduler's words; empty when it does."""
    selector = pod["spec"].get("nodeSelector") or {}
    if any(labels_of(node).get(key) != value for key, value in selector.items()):
        return ["node(s) didn't match Pod's node affinity/selector"]
    if node["spec"].get("unschedulable"):
        return ["node(s) were unschedulable"]
    room, wanted = node["status"]["allocatable"], requests_of(pod)
    reasons = []
    if used.pods + wanted.pods > whole(room["pods"]):
        reasons.append("Too many pods")
    if wanted.cpu and used.cpu + wanted.cpu > milli(room["cpu"]):
        reasons.append("Insufficient cpu")
    if wanted.memory and used.memory + wanted.memory > whole(room["memory"]):
        reasons.append("Insufficient memory")
    return reasons


def unschedulable_message(reasons: list[str]) -> str:
    """The text of FailedScheduling and of the condition PodScheduled=False."""
    counted = ", ".join(f"1 {reason}" for reason in sorted(reasons))
    preemption = "Preemption is not helpful for scheduling"
    if any(reason.startswith(("Insufficient", "Too many")) for reason in reasons):
        preemption = "No preemption victims found for incoming pod"
    tail = f"no new claims to deallocate, preemption: 0/1 nodes are available: 1 {preemption}."
    return f"0/1 nodes are available: {counted}. {tail}"
