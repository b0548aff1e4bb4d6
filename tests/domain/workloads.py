"""Builders of Deployments, ReplicaSets and pods, and a world in which their decisions take effect."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from drumroll.domain.actions import Action, Create, Delete, Patch, Plan, Record, Together, Update
from drumroll.domain.deployment import World, reconcile
from drumroll.domain.deployment_revision import size_annotations
from drumroll.objects.apps_v1 import Deployment, ReplicaSet
from drumroll.objects.meta import Obj, timestamp

START = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)


def deployment(image: str = "v1", replicas: int = 4, surge: Any = 1, unavailable: Any = 1, **spec: Any) -> Obj:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": strategy,
            "template": template(image),
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            **spec,
        },
    }


def template(image: str) -> Obj:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def replica_set(
    image: str, replicas: int, available: int | None = None, *, born: int = 0, owner: Obj | None = None, **notes: str
) -> Obj:
    """A replica set called after its image; `born` is its age's order, `notes` are annotations by short name."""
    up = replicas if available is None else available
    prefix = "deployment.kubernetes.io/"
    annotations = {prefix + name.replace("_", "-"): value for name, value in notes.items()}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": (owner or {}).get("uid", "d")}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"web-{image}",
            "namespace": "shop",
            "uid": f"uid-{image}",
            "generation": 1,
            "creationTimestamp": timestamp(START + timedelta(seconds=born)),
            "labels": {"app": "web", "pod-template-hash": image},
            "annotations": annotations,
            "ownerReferences": [{**reference, "controller": True}],
        },
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(image)},
        "status": {
            "replicas": replicas,
            "readyReplicas": up,
            "availableReplicas": up,
            "observedGeneration": 1,
            "terminatingReplicas": 0,
        },
    }


def pod(name: str = "a", *, ready: bool = True, phase: str = "Running", **meta: Any) -> Obj:
    status = "True" if ready else "False"
    condition = {"type": "Ready", "status": status, "lastTransitionTime": timestamp(START)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "creationTimestamp": timestamp(START),
            "labels": {"app": "web"},
            **meta,
        },
        "spec": {"nodeName": "n", "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": phase, "podIP": "10.0.0.1", "conditions": [condition]},
    }


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@dataclass
class Cluster:
    """A Deployment and its replica sets; pods exist only as counts."""

    deployment: Obj
    sets: dict[str, Obj] = field(default_factory=dict)
    now: datetime = START + timedelta(hours=1)
    events: list[str] = field(default_factory=list)
    born: int = 100

    @property
    def view(self) -> Deployment:
        return Deployment(self.deployment)

    @property
    def replica_sets(self) -> list[ReplicaSet]:
        return [ReplicaSet(one) for one in self.sets.values()]

    def plan(self) -> Plan:
        holders = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in self.sets.values()}
        world = World(
            self.deployment, tuple(self.sets.values()), holder=lambda key: holders.get((key.namespace, key.name))
        )
        return reconcile(world, self.now)

    def step(self) -> Plan:
        """Decide once, and let it take effect."""
        plan = self.plan()
        for action in (*plan.actions, *(plan.settle(()) if plan.settle else ())):
            self.take(action)
        return plan

    def take(self, action: Action) -> None:
        match action:
            case Create(obj, notice):
                self.born += 1
                image = obj["spec"]["template"]["spec"]["containers"][0]["image"]
                meta = {**obj["metadata"], "uid": f"uid-{image}", "generation": 1, "name": f"web-{image}"}
                meta["creationTimestamp"] = timestamp(START + timedelta(seconds=self.born))
                self.sets[f"uid-{image}"] = {**obj, "metadata": meta}
                if notice and notice.done[0]:
                    self.events.append(notice.done[1].replace(obj["metadata"]["name"], meta["name"]))
            case Patch(kind, _, patch):
                uid = patch["metadata"]["uid"]
                if kind.name == "Deployment":
                    self.deployment = merged(self.deployment, patch)
                else:
                    self.sets[uid] = merged(self.sets[uid], patch)
            case Update(obj):
                self.deployment = obj
            case Delete(_, _, uid):
                self.events.append(f"Deleted {self.sets.pop(uid)['metadata']['name']}")
            case Record(_, _, _, message):
                self.events.append(message)
            case Together(actions):
                for one in actions:
                    self.take(one)

    def update(self, **spec: Any) -> None:
        """A user's change."""
        generation = self.deployment["metadata"]["generation"] + 1
        meta = {**self.deployment["metadata"], "generation": generation}
        self.deployment = {**self.deployment, "metadata": meta, "spec": {**self.deployment["spec"], **spec}}

    def report(self, image: str, current: int, available: int) -> None:
        """A replica set's controller reports."""
        one = self.sets[f"uid-{image}"]
        counts = {"replicas": current, "readyReplicas": available, "availableReplicas": available}
        self.sets[f"uid-{image}"] = merged(one, {"status": {**counts, "observedGeneration": 1}})

    def catch_up(self) -> None:
        """Every replica set gets all its pods, and all are available."""
        for one in list(self.sets.values()):
            wanted = one["spec"]["replicas"]
            self.report(one["spec"]["template"]["spec"]["containers"][0]["image"], wanted, wanted)

    def converge(self, turns: int = 200) -> int:
        """Decide and catch up until nothing changes any more; how many turns that took."""
        for turn in range(turns):
            before = (self.deployment, dict(self.sets))
            self.step()
            self.catch_up()
            if (self.deployment, self.sets) == before:
                return turn
        raise AssertionError(f"still moving after {turns} turns")

    def condition(self, kind: str) -> tuple[str, str]:
        found = next(one for one in self.view.conditions if one["type"] == kind)
        return found["status"], found["reason"]


def sized(owner: Obj, one: Obj) -> Obj:
    """The replica set with the annotations that its deployment's size gives it."""
    annotations = {**one["metadata"]["annotations"], **size_annotations(Deployment(owner))}
    return {**one, "metadata": {**one["metadata"], "annotations": annotations}}


__all__ = ["START", "Cluster", "deployment", "pod", "replace", "replica_set", "sized", "template"]
