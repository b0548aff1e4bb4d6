"""What blocks a Rollout is told, and nothing that it may ask for is passed over in silence."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drumroll.domain.actions import Patch, Plan, Record
from drumroll.domain.custom.installed.rollout import SCHEMA
from drumroll.domain.rollout.anti_affinity import with_anti_affinity, without_anti_affinity, without_avoidance
from drumroll.domain.rollout.decide import decide
from drumroll.domain.rollout.inputs import Inputs
from drumroll.domain.rollout.lacks import BLOCKED, lacks
from drumroll.domain.rollout.steps import step_hash
from drumroll.domain.rollout.validation import faults_of
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.errors import AlreadyExists, Forbidden
from drumroll.objects.patch import merge
from tests.domain.blue_green_world import ANALYSIS, BlueGreenWorld, blue_green
from tests.domain.rollouts import NOW, Obj, hash_for, replica_set, rollout, template, turn
from tests.domain.test_rollout_pods import pod

HERE = 'spec.strategy.blueGreen.activeService: Invalid value: "active": '
NO_IMAGE = "pod p cannot have its image app:1: build, push or name it right"
SOURCES = Path(__file__).parents[2] / "src" / "drumroll"
FOREIGN = re.compile(r"\.trafficRouting\.(istio|alb|ambassador|appMesh|traefik|apisix)\b")
REFUSED = (".steps[].plugin",)
"""Fields that the condition InvalidSpec answers; the tables of test_rollout_validation.py show how."""


def fields(schema: Obj, path: str) -> Iterator[str]:
    for name, one in (schema.get("properties") or {}).items():
        yield f"{path}.{name}"
        yield from fields(one, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def test_every_field_of_the_spec_is_acted_upon_or_refused() -> None:
    folders = ("domain/rollout", "domain/analysis", "domain/experiment", "rollouts")
    files = [path for folder in folders for path in (SOURCES / folder).rglob("*.py") if "validation" not in path.name]
    text = "".join(path.read_text() for path in [*files, SOURCES / "objects" / "argo_v1alpha1.py"])
    words = {word for quoted in re.findall(r'"[^"\n]*"', text) for word in re.findall(r"\w+", quoted)}
    silent = [
        path
        for path in fields(SCHEMA["properties"]["spec"], "spec")
        if path.rpartition(".")[2] not in words
        and not FOREIGN.search(path)
        and ".template." not in path
        and not any(refused in path for refused in REFUSED)
    ]
    assert silent == []


@pytest.mark.parametrize("router", ["istio", "alb", "ambassador", "appMesh", "traefik", "apisix"])
def test_a_foreign_router_is_refused_with_what_there_is_instead(router: str) -> None:
    strategy = {"canaryService": "c", "stableService": "s", "trafficRouting": {router: {"x": 1}}}
    (fault, *_) = faults_of(rollout({"canary": strategy}))
    assert router in fault
    assert "argoproj-labs/gatewayAPI" in fault
    assert "nginx" in fault


def blocked(plan: Plan) -> str:
    for action in plan.actions:
        if isinstance(action, Patch) and action.subresource == "status":
            found = [one for one in action.patch["status"].get("conditions") or () if one["type"] == BLOCKED]
            return str(found[0]["message"]) if found else ""
    return ""


def service(name: str, **meta: Any) -> Obj:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", **meta},
        "spec": {"selector": {"a": "b"}},
    }


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ({}, f'{HERE}service "active" not found'),
        (
            {"active": service("active", annotations={"argo-rollouts.argoproj.io/managed-by-rollouts": "other"})},
            f'{HERE}service "active" is managed by another Rollout',
        ),
        (
            {"active": {**service("active"), "spec": {}}},
            f'{HERE}service "active" selects no pods: give it the selector of the Rollout\'s pods',
        ),
    ],
)
def test_a_service_that_cannot_be_used(services: dict[str, Obj], told: str) -> None:
    plan = decide(Inputs(rollout({"blueGreen": {"activeService": "active"}}), services=services), NOW)
    assert blocked(plan) == told
    assert any(isinstance(action, Record) and action.reason == "InvalidSpec" for action in plan.actions)


def test_a_workload_that_is_not_there() -> None:
    owner = rollout(workloadRef={"kind": "Deployment", "name": "shop"}, status={})
    del owner["spec"]["template"]
    told = "spec.workloadRef: Deployment shop is not there: create it, or correct the reference"
    assert told in blocked(decide(Inputs(owner), NOW))


def test_a_route_that_is_not_there_is_told_once() -> None:
    route = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}}
    owner = rollout({"canary": {"canaryService": "c", "stableService": "s", "trafficRouting": route}})
    one = replica_set(owner, "app:1", 4)
    known = hash_for(owner, "app:1")
    steps = step_hash(Rollout(owner))
    owner["status"] = {"stableRS": known, "currentPodHash": known, "currentStepHash": steps}
    owner["metadata"]["annotations"] = {"rollout.argoproj.io/revision": "1"}
    one["metadata"]["ownerReferences"] = [{"kind": "Rollout", "name": "web", "uid": "ro-1", "controller": True}]
    services = {name: service(name, uid=name, resourceVersion="1") for name in ("c", "s")}
    plan = decide(Inputs(owner, (one,), services=services), NOW)
    assert "web" in blocked(plan)
    events = [
        action for action in plan.actions if isinstance(action, Record) and action.reason == "TrafficRoutingError"
    ]
    assert len(events) == 1
    (patch,) = (action for action in plan.actions if isinstance(action, Patch) and action.subresource == "status")
    owner = merge(owner, {"status": patch.patch["status"]})
    again = decide(Inputs(owner, (one,), services=services), NOW)
    assert not [one for one in again.actions if isinstance(one, Record) and one.reason == "TrafficRoutingError"]


def stuck(state: Obj, *conditions: Obj) -> tuple[str, ...]:
    owner = rollout()
    one = replica_set(owner, "app:1", 1, 0)
    made = pod(one, "p")
    container = {"name": "c", "image": "app:1", "state": state}
    made["status"] = {"containerStatuses": [container] if state else [], "conditions": list(conditions)}
    return lacks(turn(owner, one, pods=(made,)))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"waiting": {"reason": "ImagePullBackOff"}}, (NO_IMAGE,)),
        ({"waiting": {"reason": "ErrImagePull"}}, (NO_IMAGE,)),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, ("container c of pod p does not start: CrashLoopBackOff",)),
        ({"waiting": {"reason": "ContainerCreating"}}, ()),
        ({"running": {}}, ()),
    ],
)  # fmt: skip
def test_pods_that_are_stuck(state: Obj, told: tuple[str, ...]) -> None:
    assert stuck(state) == told


def test_a_pod_without_a_node() -> None:
    assert stuck({}, {"type": "PodScheduled", "status": "False", "message": "too little memory"}) == (
        "no node for pod p: too little memory",
    )


def test_a_replica_set_that_cannot_be_made() -> None:
    owner = rollout({"blueGreen": {"activeService": "active"}})
    plan = decide(Inputs(owner, services={"active": service("active")}), NOW)
    assert plan.settle is not None
    assert plan.settle(()) == ()
    (patch,) = plan.settle((Forbidden("exceeded quota: q"),))
    assert blocked(Plan((patch,))) == "Failed to create new replica set: exceeded quota: q"
    assert isinstance(patch, Patch)
    (progressing,) = (one for one in patch.patch["status"]["conditions"] if one["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ReplicaSetCreateError")


def test_a_name_that_another_replica_set_has() -> None:
    owner = rollout({"blueGreen": {"activeService": "active"}})
    plan = decide(Inputs(owner, services={"active": service("active")}), NOW)
    assert plan.settle is not None
    (patch,) = plan.settle((AlreadyExists("it is there"),))
    assert isinstance(patch, Patch)
    assert patch.patch["status"] == {"collisionCount": 1}


def test_a_quota_that_refuses_pods() -> None:
    owner = rollout()
    one = replica_set(owner, "app:1", 4, 0)
    one["status"] |= {
        "replicas": 2, "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: q"}],
    }  # fmt: skip
    (told,) = lacks(turn(owner, one))
    assert told.endswith("cannot make its pods: exceeded quota: q")


def test_a_template_of_an_analysis_that_is_not_there() -> None:
    world = BlueGreenWorld(blue_green(prePromotionAnalysis={"templates": [{"templateName": "missing"}]}))
    world.settle()
    assert "Degraded (InvalidSpec: spec.strategy.blueGreen.prePromotionAnalysis.templates[0]" in world.state
    conditions = {one["type"]: one for one in world.rollout["status"]["conditions"]}
    assert "AnalysisTemplate 'missing' not found" in conditions[BLOCKED]["message"]
    assert sum(line.startswith("InvalidSpec") for line in world.log) == 1
    world.rollout["spec"]["strategy"]["blueGreen"]["prePromotionAnalysis"] = ANALYSIS
    world.settle()
    assert BLOCKED not in {one["type"] for one in world.rollout["status"]["conditions"]}
    assert world.state.endswith("Healthy")


def test_nothing_is_lacking_in_an_update_that_goes_well() -> None:
    world = BlueGreenWorld(blue_green())
    world.settle()
    assert BLOCKED not in {one["type"] for one in world.rollout["status"]["conditions"]}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"requiredDuringSchedulingIgnoredDuringExecution": {}}, "requiredDuringSchedulingIgnoredDuringExecution"),
        (
            {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 7}},
            "preferredDuringSchedulingIgnoredDuringExecution",
        ),
    ],
)
def test_new_pods_avoid_the_stable_ones_until_they_are_stable(wanted: Obj, field: str) -> None:
    owner = rollout({"canary": {"antiAffinity": wanted}}, "app:2", {"stableRS": "old"})
    made = with_anti_affinity(Rollout(owner), template(), "new")
    (term,) = made["spec"]["affinity"]["podAntiAffinity"][field]
    inner = term.get("podAffinityTerm", term)
    assert inner["topologyKey"] == "kubernetes.io/hostname"
    assert inner["labelSelector"]["matchExpressions"][0]["values"] == ["old"]
    assert term.get("weight") == (7 if "podAffinityTerm" in term else None)
    assert without_anti_affinity(made) == template()
    assert with_anti_affinity(Rollout(owner), template(), "old") == template()
    new = replica_set(owner, "app:2", 4, revision=2)
    owner["status"] = {"stableRS": hash_for(owner, "app:2")}
    (patch,) = without_avoidance(turn(owner, new)).actions
    assert isinstance(patch, Patch)
    assert "affinity" not in merge(new, patch.patch)["spec"]["template"]["spec"]
