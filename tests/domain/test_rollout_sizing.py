"""How many pods a canary has: tables worked out by hand from the original's rules."""

from typing import Any

import pytest

from drumroll.domain.rollout.inputs import Sets
from drumroll.domain.rollout.sizing import Sizes, approximate, basic, is_enough, routed
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj
from tests.domain.rollout_world import GATEWAY, rollout

# fmt: off
NEAREST = [
    # total, weight, surge, canary, stable
    (0, 50, 1, 0, 0), (1, 0, 0, 0, 1), (1, 50, 0, 1, 0), (1, 49, 0, 0, 1), (1, 50, 1, 1, 1), (1, 1, 1, 1, 1),
    (2, 50, 0, 1, 1), (3, 50, 0, 2, 1), (3, 50, 1, 2, 2), (3, 49, 0, 1, 2), (10, 1, 0, 1, 9), (10, 1, 1, 1, 10),
    (10, 18, 1, 2, 9), (10, 19, 1, 2, 9), (10, 20, 1, 2, 8), (10, 24, 1, 3, 8), (10, 25, 1, 3, 8),
    (10, 99, 1, 10, 1), (10, 99, 0, 9, 1), (10, 100, 1, 10, 0), (5, 10, 1, 1, 5), (5, 25, 0, 1, 4), (5, 25, 1, 1, 4),
]
STEPS = [
    # replicas, weight, surge, unavailable, stable (wanted, available), canary, older, what comes (stable, canary)
    (10, 100, 3, 0, (7, 8), (6, 3), None, (7, 6)),
    (10, 20, 2, 0, (10, 10), (0, 0), None, (10, 2)),
    (10, 20, "20%", 0, (10, 10), (0, 0), None, (10, 2)),
    (10, 20, "20%", 0, (10, 10), (2, 2), None, (8, 2)),
    (10, 30, 2, 0, (10, 10), (0, 0), None, (10, 2)),
    (10, 20, 0, 2, (10, 10), (0, 0), None, (8, 0)),
    (10, 20, 0, "20%", (10, 10), (0, 0), None, (8, 0)),
    (10, 30, 0, 2, (10, 10), (0, 0), None, (8, 0)),
    (10, 50, 2, 1, (10, 10), (0, 0), None, (9, 2)),
    (10, 0, 1, 1, (10, 10), (1, 1), None, (10, 0)),
    (10, 100, 1, 1, (1, 1), (10, 10), None, (0, 10)),
    (1, 20, 1, 0, (1, 1), (0, 0), None, (1, 1)),
    (1, 90, 1, 0, (1, 1), (0, 0), None, (1, 1)),
    (10, 30, 1, 0, (1, 1), (0, 0), (3, 3), (7, 1)),
    (10, 30, 0, 3, (8, 5), (4, 4), None, (7, 3)),
    (10, 100, 1, 0, (10, 2), (10, 8), None, (2, 9)),
    (10, 30, 0, 1, (8, 6), (4, 2), (3, 3), (8, 4)),
    (10, 5, 0, 1, (10, 10), (0, 0), None, (9, 0)),
    (10, 5, 0, 1, (9, 9), (0, 0), None, (9, 1)),
    (10, 10, "0%", "0%", (10, 10), (0, 0), None, (9, 0)),
    (4, 100, 1, 0, (4, 1), (0, 0), None, (4, 1)),
    (4, 100, 1, 0, (4, 1), (1, 1), None, (3, 1)),
    (3, 99, 0, 2, (3, 3), (0, 0), None, (1, 0)),
    (3, 99, 0, 2, (1, 1), (0, 0), None, (1, 2)),
    (4, 0, 1, 0, (0, 0), (4, 4), None, (1, 4)),
    (4, 0, 1, 0, (1, 0), (4, 4), None, (1, 4)),
]
# fmt: on


def replica_set(name: str, wanted: int, available: int) -> ReplicaSet:
    spec, status = {"replicas": wanted, "template": {}}, {"replicas": available, "availableReplicas": available}
    return ReplicaSet({"metadata": {"name": name, "labels": {}}, "spec": spec, "status": status})


def during(strategy: Obj, replicas: int, **status: Any) -> tuple[Rollout, Obj]:
    """A Rollout in its first step."""
    found = {"currentPodHash": "new", "stableRS": "old", "currentStepIndex": 0, **status}
    return Rollout({**rollout(replicas=replicas, **strategy), "status": found}), found


@pytest.mark.parametrize(("total", "weight", "surge", "canary", "stable"), NEAREST)
def test_the_nearest_ratio_of_whole_pods_is_chosen(
    total: int, weight: int, surge: int, canary: int, stable: int
) -> None:
    assert approximate(total, weight, 100, surge) == Sizes(canary, stable)


@pytest.mark.parametrize(("replicas", "weight", "surge", "unavailable", "stable", "canary", "older", "wanted"), STEPS)
def test_a_basic_canary_takes_the_original_steps(
    replicas: int,
    weight: int,
    surge: Any,
    unavailable: Any,
    stable: tuple[int, int],
    canary: tuple[int, int],
    older: tuple[int, int] | None,
    wanted: tuple[int, int],
) -> None:
    strategy = {"maxSurge": surge, "maxUnavailable": unavailable, "steps": [{"setWeight": weight}]}
    one, status = during(strategy, replicas)
    others = (replica_set("older", *older),) if older else ()
    found = basic(one, status, Sets(replica_set("new", *canary), replica_set("old", *stable), others))
    assert (found.stable, found.new) == wanted


ROUTED = [
    # what the strategy says besides its one step, the step, replicas, status, canary, stable
    ({}, {"setWeight": 20}, 10, {}, 2, 10),
    ({}, {"setWeight": 1}, 10, {}, 1, 10),
    ({}, {"setWeight": 0}, 10, {}, 0, 10),
    ({}, {"setCanaryScale": {"replicas": 9}}, 1, {}, 9, 1),
    ({}, {"setCanaryScale": {"weight": 200}}, 4, {}, 8, 4),
    ({}, {"setCanaryScale": {"matchTrafficWeight": True}}, 4, {}, 0, 4),
    ({"minPodsPerReplicaSet": 3}, {"setWeight": 10}, 10, {}, 3, 10),
    ({"minPodsPerReplicaSet": 30}, {"setWeight": 10}, 10, {}, 10, 10),
    ({"minPodsPerReplicaSet": 3}, {"setWeight": 0}, 10, {}, 0, 10),
    ({}, {"setWeight": 40}, 10, {"promoteFull": True}, 10, 10),
    ({}, {"setWeight": 40}, 10, {"abort": True}, 0, 10),
    ({"dynamicStableScale": True}, {"setWeight": 40}, 10, {}, 4, 6),
    ({"dynamicStableScale": True}, {"setWeight": 41}, 10, {}, 5, 6),
    ({"dynamicStableScale": True}, {"setWeight": 40}, 10, {"weights": (20, 80)}, 4, 8),
    ({"dynamicStableScale": True}, {"setWeight": 60}, 10, {"weights": (60, 40), "abort": True}, 6, 10),
]


@pytest.mark.parametrize(("strategy", "step", "replicas", "status", "canary", "stable"), ROUTED)
def test_traffic_routing_sizes_by_weight_and_keeps_the_stable_pods(
    strategy: Obj, step: Obj, replicas: int, status: Obj, canary: int, stable: int
) -> None:
    weights = status.get("weights")
    if weights:
        status = {name: value for name, value in status.items() if name != "weights"}
        status["canary"] = {"weights": {"canary": {"weight": weights[0]}, "stable": {"weight": weights[1]}}}
    one, full = during({**strategy, "trafficRouting": GATEWAY, "steps": [step]}, replicas, **status)
    assert routed(one, full) == Sizes(canary, stable)


def test_a_greatest_weight_other_than_100_counts() -> None:
    one, status = during({"trafficRouting": {**GATEWAY, "maxTrafficWeight": 1000}, "steps": [{"setWeight": 15}]}, 100)
    assert routed(one, status) == Sizes(2, 100)


@pytest.mark.parametrize(
    ("threshold", "available", "enough"),
    [({}, 4, False), ({}, 5, True), ({"type": "Percentage", "value": 80}, 4, True),
     ({"type": "Percentage", "value": 81}, 4, False), ({"type": "Pods", "value": 3}, 3, True),
     ({"type": "Pods", "value": 9}, 5, True)],
)  # fmt: skip
def test_a_threshold_says_how_many_of_five_pods_will_do(threshold: Obj, available: int, enough: bool) -> None:
    one = Rollout(rollout(replicaProgressThreshold=threshold))
    assert is_enough(one, 5, available) is enough
