"""A Rollout with blue/green in the world of `rollout_world`, with its two Services and AnalysisRuns."""

import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from drumroll.domain.actions import Action, Create, Delete, Patch
from drumroll.domain.rollout.analysis import Templates
from drumroll.domain.rollout.inputs import Inputs
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH
from drumroll.objects.meta import Obj, timestamp
from drumroll.objects.patch import merge
from tests.domain.rollout_world import World, rollout

ANALYSIS = {"templates": [{"templateName": "good"}]}
TEMPLATE = {
    "kind": "AnalysisTemplate",
    "metadata": {"name": "good", "namespace": "shop"},
    "spec": {"metrics": [{"name": "m", "provider": {"web": {"url": "http://x"}}}]},
}


def blue_green(image: str = "v1", replicas: int = 3, **strategy: Any) -> Obj:
    made = rollout(image, replicas)
    made["spec"]["strategy"] = {"blueGreen": {"activeService": "active", "previewService": "preview", **strategy}}
    return made


@dataclass
class BlueGreenWorld(World):
    """`verdict` is what an AnalysisRun comes to at once; empty: it goes on."""

    runs: dict[str, Obj] = field(default_factory=dict)
    verdict: str = "Successful"

    def __post_init__(self) -> None:
        for name in ("active", "preview"):
            meta = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}
            self.services[name] = {"kind": "Service", "metadata": meta, "spec": {"selector": {"app": "web"}}}
            self.endpoints[name] = []

    def inputs(self) -> Inputs:
        found = super().inputs()
        templates = Templates({"good": TEMPLATE}, {})
        return Inputs(
            found.rollout,
            found.replica_sets,
            found.pods,
            found.services,
            runs=tuple(copy.deepcopy(list(self.runs.values()))),
            templates=templates,
            slices=found.slices,
        )

    def apply(self, action: Action) -> None:
        match action:
            case Create(obj) if obj["kind"] == "AnalysisRun":
                self._count += 1
                made = copy.deepcopy(obj)
                created = timestamp(self.now + timedelta(milliseconds=self._count))
                made["metadata"] |= {"uid": f"u{self._count}", "creationTimestamp": created}
                self.runs[made["metadata"]["name"]] = made
            case Patch(kind, key, patch) if kind.name == "AnalysisRun":
                self.runs[key.name] = merge(self.runs[key.name], copy.deepcopy(patch))
            case Delete(kind, key) if kind.name == "AnalysisRun":
                self.runs.pop(key.name, None)
            case _:
                super().apply(action)

    def acknowledge(self) -> None:
        for run in self.runs.values():
            if not run.get("status") and self.verdict:
                run["status"] = {"phase": self.verdict, "message": f"it is {self.verdict}"}

    def led(self, service: str) -> str:
        """The image that a Service leads to; `any` without a hash."""
        wanted = self.services[service]["spec"]["selector"].get(ROLLOUT_HASH)
        return "any" if wanted is None else self.image_of(wanted)

    def crash(self, image: str) -> None:
        """All pods of an image end by themselves, and do not come back."""
        self.good = lambda other: other != image
        for name, pods in self.pods.items():
            if self.sets[name]["spec"]["template"]["spec"]["containers"][0]["image"] == image:
                for pod in pods:
                    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
                    container = {"name": "c", "restartCount": 1, "state": waiting}
                    pod["status"] = {"ready": False, "containerStatuses": [container]}
        self.count()
        self.slice()

    @property
    def state(self) -> str:
        status = self.rollout.get("status") or {}
        pods = " ".join(
            f"{one['spec']['template']['spec']['containers'][0]['image']}:"
            f"{one['status']['availableReplicas']}/{one['spec']['replicas']}"
            for one in self.sets.values()
        )
        message = f" ({status['message']})" if status.get("message") else ""
        return f"{pods} active {self.led('active')} preview {self.led('preview')} {status.get('phase')}{message}"

    def told(self, turns: int = 60) -> list[str]:
        """What has changed, turn by turn, until nothing is left to do."""
        states: list[str] = []
        for _ in range(turns):
            self.replicate()
            self.start()
            self.slice()
            self.acknowledge()
            was_busy = self.turn()
            if not states or states[-1] != self.state:
                states.append(self.state)
            if not was_busy:
                return states
        raise AssertionError(states)


def deployed(**strategy: Any) -> BlueGreenWorld:
    world = BlueGreenWorld(blue_green(**strategy))
    world.settle()
    assert world.state.endswith("Healthy"), world.state
    return world
