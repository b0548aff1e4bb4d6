"""A canary in the world of `rollout_world`, with AnalysisRuns and Experiments, and with everything that others may do.

Pods crash and heal; Services, routes, replica sets and templates are deleted and come back; somebody edits the weights
of the route or the selector of a Service; the Rollout's spec changes in mid-update.
"""

import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from drumroll.domain.actions import Action, Create, Delete, Evict, Patch
from drumroll.domain.rollout.analysis import Templates
from drumroll.domain.rollout.inputs import Inputs
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH
from drumroll.objects.meta import Obj, timestamp
from drumroll.objects.patch import merge
from tests.domain.blue_green_world import TEMPLATE
from tests.domain.rollout_world import World, http_route

SERVICE_NAMES = ("web-stable", "web-canary")


@dataclass
class CanaryWorld(World):
    """`verdict` is what runs and experiments come to at once; empty: they go on."""

    runs: dict[tuple[str, str], Obj] = field(default_factory=dict)
    verdict: str = "Successful"
    has_template: bool = True
    has_route: bool = True

    def inputs(self) -> Inputs:
        found = super().inputs()
        runs = copy.deepcopy(list(self.runs.values()))
        return replace(
            found,
            pods=tuple(_shown(pod) for pod in found.pods),
            routes=found.routes if self.has_route else (),
            runs=tuple(one for one in runs if one["kind"] == "AnalysisRun"),
            experiments=tuple(one for one in runs if one["kind"] == "Experiment"),
            templates=Templates({"good": TEMPLATE} if self.has_template else {}, {}),
        )

    def apply(self, action: Action) -> None:
        match action:
            case Create(obj) if obj["kind"] in ("AnalysisRun", "Experiment"):
                self._count += 1
                made = copy.deepcopy(obj)
                created = timestamp(self.now + timedelta(milliseconds=self._count))
                made["metadata"] |= {"uid": f"u{self._count}", "creationTimestamp": created}
                assert (obj["kind"], obj["metadata"]["name"]) not in self.runs
                self.runs[obj["kind"], obj["metadata"]["name"]] = made
            case Patch(kind, key, patch) if kind.name in ("AnalysisRun", "Experiment"):
                self.runs[kind.name, key.name] = merge(self.runs[kind.name, key.name], copy.deepcopy(patch))
            case Delete(kind, key) if kind.name in ("AnalysisRun", "Experiment"):
                del self.runs[kind.name, key.name]
            case Evict(key, _):
                for pods in self.pods.values():
                    pods[:] = [pod for pod in pods if pod["metadata"]["name"] != key.name]
                self.count()
                self.slice()
            case _:
                super().apply(action)

    def replicate(self, name: str = "") -> None:
        super().replicate(name)
        for pods in self.pods.values():
            for pod in pods:
                pod["metadata"].setdefault("creationTimestamp", timestamp(self.now))

    def acknowledge(self) -> None:
        if self.has_route:
            super().acknowledge()
        for run in self.runs.values():
            self._judge(run)

    def _judge(self, run: Obj) -> None:
        status = run.setdefault("status", {})
        if status.get("phase") in ("Successful", "Failed", "Error", "Inconclusive"):
            return
        if run["spec"].get("terminate"):
            status["phase"] = "Successful"
        elif "phase" not in status:
            status["phase"] = "Running"
            status["templateStatuses"] = [
                {"name": one["name"], "serviceName": f"x-{one['name']}", "podTemplateHash": "x"}
                for one in run["spec"].get("templates") or ()
                if "service" in one
            ]
        elif self.verdict:
            run["status"] = {"phase": self.verdict, "message": f"it is {self.verdict}"}

    # what others do

    def spec(self, **fields: Any) -> None:
        self._patch("Rollout", "web", {"spec": fields}, "")

    def canary(self, **fields: Any) -> None:
        self.spec(strategy={"canary": fields})

    def crash(self, image: str) -> None:
        """All pods of an image, or of the Service of that name, end by themselves, and do not come back."""
        if image in self.services:
            image = self.image_of(self.services[image]["spec"]["selector"].get(ROLLOUT_HASH, ""))
        self.good = lambda other: other != image
        for name, pods in self.pods.items():
            if self.sets[name]["spec"]["template"]["spec"]["containers"][0]["image"] == image:
                for pod in pods:
                    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
                    pod["status"] = {
                        "ready": False,
                        "containerStatuses": [{"name": "c", "restartCount": 1, "state": waiting}],
                    }
        self.count()
        self.slice()

    def heal(self) -> None:
        self.good = lambda image: True
        for pods in self.pods.values():
            for pod in pods:
                pod["status"].pop("containerStatuses", None)

    def delete_set(self, image: str) -> None:
        for name, one in list(self.sets.items()):
            if one["spec"]["template"]["spec"]["containers"][0]["image"] == image:
                del self.sets[name], self.pods[name]
        self.slice()

    def delete_runs(self) -> None:
        """Somebody deletes every AnalysisRun and Experiment."""
        self.runs.clear()

    def delete_service(self, name: str) -> None:
        self.services.pop(name, None)
        self.endpoints.pop(name, None)

    def delete_route(self) -> None:
        self.has_route = False

    def restore(self) -> None:
        """Who has deleted Services or the route makes them again, as they were in the beginning."""
        for name in SERVICE_NAMES:
            if name not in self.services:
                self._count += 1
                meta = {"name": name, "namespace": "shop", "uid": f"s{self._count}", "resourceVersion": "1"}
                self.services[name] = {"kind": "Service", "metadata": meta, "spec": {"selector": {"app": "web"}}}
                self.endpoints[name] = []
        if not self.has_route:
            self.has_route = True
            self.route = http_route()
        self.has_template = True

    def edit_route(self, weight: int) -> None:
        if self.has_route:
            rules = copy.deepcopy(self.route["spec"]["rules"])
            for rule in rules:
                for ref in rule["backendRefs"]:
                    ref["weight"] = weight if ref["name"] == "web-canary" else 100 - weight
            self._patch("HTTPRoute", "web", {"spec": {"rules": rules}}, "")

    def edit_service(self, name: str, image: str) -> None:
        """Somebody leads a Service to an image's pods, or (empty) to all."""
        if name in self.services:
            hashes = [
                one["metadata"]["labels"][ROLLOUT_HASH]
                for one in self.sets.values()
                if one["spec"]["template"]["spec"]["containers"][0]["image"] == image
            ]
            self._patch("Service", name, {"spec": {"selector": {ROLLOUT_HASH: hashes[0] if hashes else None}}}, "")


def _shown(pod: Obj) -> Obj:
    """A pod as the API shows it."""
    is_ready = "True" if pod["status"]["ready"] else "False"
    return {**pod, "status": {**pod["status"], "conditions": [{"type": "Ready", "status": is_ready}]}}
