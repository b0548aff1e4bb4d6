"""A Rollout with its replica sets, pods, Services and route, in which the decisions about it take effect.

What takes time in a cluster happens in steps of its own: pods become ready, EndpointSlices follow selectors, and the
mesh takes over a route's weights. So a test may let any of them come late, or end the controller between two writes.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from drumroll.domain.actions import Action, Create, Delete, Patch, Plan, Record
from drumroll.domain.rollout.decide import decide
from drumroll.domain.rollout.inputs import Inputs
from drumroll.domain.rollout.revision import pod_hash
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from drumroll.objects.errors import Conflict
from drumroll.objects.meta import Obj, timestamp
from drumroll.objects.patch import merge

START = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
GATEWAY = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web", "namespace": "shop"}}}
SERVICES = {"stableService": "web-stable", "canaryService": "web-canary"}


def rollout(image: str = "v1", replicas: int = 4, **canary: Any) -> Obj:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "uid": "r", "generation": 1, "resourceVersion": "1"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
            "strategy": {"canary": canary},
        },
    }


def routed(image: str = "v1", replicas: int = 4, **canary: Any) -> Obj:
    return rollout(image, replicas, **{**SERVICES, "trafficRouting": GATEWAY, **canary})


def http_route() -> Obj:
    refs = [{"name": "web-stable", "port": 80, "weight": 100}, {"name": "web-canary", "port": 80, "weight": 0}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "shop", "uid": "h", "generation": 1, "resourceVersion": "1"},
        "spec": {
            "parentRefs": [{"name": "gate"}],
            "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": refs}],
        },
    }


@dataclass
class World:
    """`good` tells of an image whether its pods become ready."""

    rollout: Obj
    now: datetime = START
    sets: dict[str, Obj] = field(default_factory=dict)
    pods: dict[str, list[Obj]] = field(default_factory=dict)
    services: dict[str, Obj] = field(default_factory=dict)
    endpoints: dict[str, list[Obj]] = field(default_factory=dict)
    route: Obj = field(default_factory=http_route)
    mesh: dict[str, int] = field(default_factory=lambda: {"web-stable": 100, "web-canary": 0})
    good: Callable[[str], bool] = lambda image: True
    log: list[str] = field(default_factory=list)
    wake_at: datetime | None = None
    _count: int = 0
    most_pods: int = 0

    def __post_init__(self) -> None:
        for name in ("web-stable", "web-canary"):
            meta = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}
            self.services[name] = {"kind": "Service", "metadata": meta, "spec": {"selector": {"app": "web"}}}
            self.endpoints[name] = []

    # the controller

    def inputs(self) -> Inputs:
        everything = [self.rollout, self.sets, self.pods, self.services, self.endpoints, self.route]
        found, sets, pods, services, endpoints, route = orjson.loads(orjson.dumps(everything))  # copies, fast
        slices = [
            {
                "metadata": {
                    "name": f"{name}-x",
                    "namespace": "shop",
                    "labels": {"kubernetes.io/service-name": name},
                },
                "endpoints": [
                    {"targetRef": {"name": pod["metadata"]["name"]}, "conditions": {"ready": True}} for pod in there
                ],
            }
            for name, there in endpoints.items()
        ]
        return Inputs(
            found,
            tuple(sets.values()),
            tuple(pod for some in pods.values() for pod in some),
            services,
            (route,),
            slices=tuple(slices),
        )

    def turn(self, writes: int = 1000) -> bool:
        """One turn of the controller, which ends after so many writes; False when it had nothing to do."""
        plan = decide(self.inputs(), self.now)
        self.wake_at = plan.wake_at
        return self.perform(plan, writes)

    def perform(self, plan: Plan, writes: int = 1000) -> bool:
        done = False
        actions = [*plan.actions]
        settled = False
        while actions or not settled:
            if not actions:
                settled = True
                actions = list(plan.settle(()) if plan.settle else ())
                continue
            action = actions.pop(0)
            if not isinstance(action, Record):
                if writes == 0:
                    return True
                writes -= 1
                done = True
            try:
                self.apply(action)
            except Conflict:
                return True
        return done

    def apply(self, action: Action) -> None:
        match action:
            case Record(_, _, reason, message):
                self.log.append(f"{reason}: {message}")
            case Create(obj):
                self._count += 1
                made = copy.deepcopy(obj)
                made["metadata"] |= {
                    "uid": f"u{self._count}",
                    "resourceVersion": "1",
                    "generation": 1,
                    "creationTimestamp": timestamp(self.now + timedelta(milliseconds=self._count)),
                }
                self.sets[made["metadata"]["name"]] = made
                self.pods[made["metadata"]["name"]] = []
                self.count()
            case Patch(kind, key, patch, subresource):
                self._patch(kind.name, key.name, copy.deepcopy(patch), subresource)
            case Delete(_, key):
                del self.sets[key.name], self.pods[key.name]
            case _:
                raise AssertionError(action)

    def _patch(self, kind: str, name: str, patch: Obj, subresource: str) -> None:
        there = {"ReplicaSet": self.sets, "Service": self.services}.get(kind)
        if kind == "HTTPRoute":
            self.route = self._merged(self.route, patch, grows="spec" in patch)
        elif kind == "Rollout":
            assert subresource == "status" or "status" not in patch
            self.rollout = self._merged(self.rollout, patch, grows="spec" in patch)
        else:
            assert there is not None
            there[name] = self._merged(there[name], patch, grows="spec" in patch)

    def _merged(self, obj: Obj, patch: Obj, *, grows: bool) -> Obj:
        expected = patch.get("metadata", {}).pop("resourceVersion", None)
        if expected not in (None, obj["metadata"].get("resourceVersion")):
            raise Conflict(f"{obj['kind']} has changed")
        made: Obj = merge(obj, patch)
        self._count += 1
        meta = {**made["metadata"], "resourceVersion": str(self._count)}
        if grows:
            meta["generation"] = (meta.get("generation") or 0) + 1
        return {**made, "metadata": meta}

    # the cluster

    def count(self) -> None:
        """Every replica set's status, as its pods are."""
        for name, one in self.sets.items():
            ready = sum(1 for pod in self.pods[name] if pod["status"]["ready"])
            one["status"] = {
                "replicas": len(self.pods[name]),
                "readyReplicas": ready,
                "availableReplicas": ready,
                "observedGeneration": one["metadata"]["generation"],
            }

    def replicate(self, name: str = "") -> None:
        """Replica sets make and delete pods; those that are not ready go first."""
        for key, one in self.sets.items():
            if name and key != name:
                continue
            pods = self.pods[key]
            pods.sort(key=lambda pod: not pod["status"]["ready"])
            while len(pods) > one["spec"]["replicas"]:
                pods.pop()
            while len(pods) < one["spec"]["replicas"]:
                self._count += 1
                owner = {"kind": "ReplicaSet", "name": key, "uid": one["metadata"]["uid"], "controller": True}
                meta = {"name": f"{key}-{self._count}", "namespace": "shop", "ownerReferences": [owner]}
                spec = one["spec"]["template"]["spec"]
                pods.append({"metadata": meta, "spec": spec, "status": {"ready": False}})
        self.most_pods = max(self.most_pods, sum(map(len, self.pods.values())))
        self.count()

    def start(self, most: int = 1000) -> None:
        """Pods become ready, if they ever do."""
        for name, pods in self.pods.items():
            image = self.sets[name]["spec"]["template"]["spec"]["containers"][0]["image"]
            for pod in pods:
                if most and not pod["status"]["ready"] and self.good(image):
                    pod["status"]["ready"] = True
                    most -= 1
        self.count()

    def slice(self, name: str = "") -> None:
        """EndpointSlices follow the selectors and the pods."""
        for service, one in self.services.items():
            if name and name != service:
                continue
            wanted = one["spec"]["selector"].get(ROLLOUT_HASH)
            self.endpoints[service] = [
                pod
                for key, pods in self.pods.items()
                if wanted in (None, self.sets[key]["metadata"]["labels"][ROLLOUT_HASH])
                for pod in pods
                if pod["status"]["ready"]
            ]

    def acknowledge(self) -> None:
        """The mesh takes over the route's weights and says so."""
        self.mesh = {
            ref["name"]: ref.get("weight", 1)
            for rule in self.route["spec"]["rules"]
            if not rule.get("name")
            for ref in rule["backendRefs"]
        }
        generation = self.route["metadata"]["generation"]
        taken = {"type": "drumroll.dev/Acknowledged", "status": "True", "observedGeneration": generation}
        self.route["status"] = {"parents": [{"controllerName": "drumroll.dev/gateway", "conditions": [taken]}]}

    def settle(self, turns: int = 200) -> None:
        """Everything happens at once, until nothing is left to do; waits for deadlines that are up to `forward`."""
        for _ in range(turns):
            self.replicate()
            self.start()
            self.slice()
            self.acknowledge()
            if not self.turn():
                return
        raise AssertionError(f"does not come to rest: {self.state}")

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # people

    def update(self, image: str) -> None:
        container = {"name": "c", "image": image}
        self._patch("Rollout", "web", {"spec": {"template": {"spec": {"containers": [container]}}}}, "")

    def status(self, **fields: Any) -> None:
        self._patch("Rollout", "web", {"status": fields}, "status")

    # what tests look at

    @property
    def state(self) -> str:
        status = self.rollout.get("status") or {}
        sizes = {one["spec"]["template"]["spec"]["containers"][0]["image"]: one for one in self.sets.values()}
        pods = " ".join(
            f"{image}:{one['status']['availableReplicas']}/{one['spec']['replicas']}" for image, one in sizes.items()
        )
        weights = (status.get("canary") or {}).get("weights") or {}
        asked = f" weight {weights['canary']['weight']}" if weights else ""
        if weights.get("verified") is False:
            asked += "?"
        index = status.get("currentStepIndex")
        step = "" if index is None else f" step {index}"
        message = f" ({status['message']})" if status.get("message") else ""
        return f"{pods}{step}{asked} {status.get('phase')}{message}"

    @property
    def available(self) -> int:
        return sum(one["status"]["availableReplicas"] for one in self.sets.values())

    def image_of(self, pod_hash: str) -> str:
        for one in self.sets.values():
            if one["metadata"]["labels"][ROLLOUT_HASH] == pod_hash:
                image: str = one["spec"]["template"]["spec"]["containers"][0]["image"]
                return image
        return ""

    @property
    def wanted_hash(self) -> str:
        return pod_hash(Rollout(self.rollout))
