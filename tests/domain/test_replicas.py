"""The tables of section 1.4 and 1.6: rounding, room, shares."""

from typing import Any

import pytest

from drumroll.domain.deployment_revision import classify
from drumroll.domain.deployment_rolling import shrink_old
from drumroll.domain.deployment_scaling import is_scaling_event, scale
from drumroll.domain.replicas import Fence, fence_of, new_replicas
from drumroll.objects.apps_v1 import Deployment, ReplicaSet
from tests.domain.workloads import deployment, replica_set


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "fence"),
    [
        pytest.param(4, "25%", "25%", Fence(1, 1), id="a quarter of four"),
        pytest.param(10, "25%", "25%", Fence(3, 2), id="surge is rounded up, unavailable down"),
        pytest.param(1, "25%", "25%", Fence(1, 0), id="one replica surges and is never missing"),
        pytest.param(3, 0, "25%", Fence(0, 1), id="both at zero: one may be unavailable"),
        pytest.param(2, 0, "1%", Fence(0, 1), id="the source's first example"),
        pytest.param(1, "1%", "25%", Fence(1, 0), id="the source's second example"),
        pytest.param(0, 5, 5, Fence(5, 0), id="nothing wanted, nothing may be missing"),
        pytest.param(3, 1, 9, Fence(1, 3), id="no more than all may be missing"),
        pytest.param(4, 0, 2, Fence(0, 2), id="no surge, two may be unavailable"),
        pytest.param(400, "50%", "25%", Fence(200, 100), id="percentages of four hundred"),
        pytest.param(100, "30%", "1%", Fence(30, 1), id="percentages of a hundred"),
    ],
)
def test_fence(replicas: int, surge: Any, unavailable: Any, fence: Fence) -> None:
    assert fence_of(Deployment(deployment("v1", replicas, surge, unavailable))) == fence


def test_recreate_has_no_fence() -> None:
    assert fence_of(Deployment(deployment(strategy={"type": "Recreate"}))) == Fence(0, 0)


@pytest.mark.parametrize(
    ("total", "current", "expected"),
    [
        pytest.param(10, 0, 3, id="as far as the surge goes"),
        pytest.param(13, 5, 5, id="no room"),
        pytest.param(11, 8, 10, id="no more than wanted"),
        pytest.param(15, 4, 4, id="over the ceiling nothing grows, nothing shrinks"),
    ],
)
def test_room_for_new_replicas(total: int, current: int, expected: int) -> None:
    assert new_replicas(Deployment(deployment("v2", 10, 3, 2)), total, current) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param([(12, 12)], (0, 0), [("web-o0", 8)], id="spare ones down to the floor"),
        pytest.param([(6, 3), (6, 3)], (0, 0), [("web-o0", 3), ("web-o1", 5)], id="unavailable ones, only so many"),
        pytest.param([(4, 2), (9, 9)], (0, 0), [("web-o0", 2), ("web-o0", 0), ("web-o1", 8)], id="first the sick"),
        pytest.param([(8, 8)], (5, 0), [], id="a broken update takes no more"),
        pytest.param([(8, 8)], (5, 1), [("web-o0", 7)], id="one for each that comes up"),
        pytest.param([(8, 7)], (5, 0), [], id="nor the sick ones, when the new ones are needed"),
        pytest.param([(5, 5), (5, 5)], (0, 0), [("web-o0", 3)], id="the oldest first"),
        pytest.param([(0, 0)], (10, 10), [], id="nothing left to shrink"),
    ],
)
def test_how_old_replica_sets_shrink(old: list, new: tuple[int, int], expected: list[tuple[str, int]]) -> None:
    """Ten wanted, surge 3, unavailable 2: a floor of 8. Sizes and available replicas as given."""
    sets = [replica_set(f"o{n}", *sizes, born=n) for n, sizes in enumerate(old)]
    sets.append(replica_set("v2", *new, born=9))
    split = classify(Deployment(deployment("v2", 10, 3, 2)), [ReplicaSet(one) for one in sets])
    steps = shrink_old(Deployment(deployment("v2", 10, 3, 2)), split)
    assert [(step.replica_set.name, step.replicas) for step in steps] == expected


def proportional(replicas: int, old: tuple[int, int], new: tuple[int, int], maximum: int) -> dict[str, int]:
    d = Deployment(deployment("v2", replicas, 3, 2))
    notes = {"desired_replicas": "10", "max_replicas": str(maximum)}
    sets = [replica_set("v1", *old, **notes), replica_set("v2", *new, born=1, **notes)]
    split = classify(d, [ReplicaSet(one) for one in sets])
    return {step.replica_set.name: step.replicas for step in scale(d, split)}


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        pytest.param(30, {"web-v1": 20, "web-v2": 13}, id="conformance vector: 8 and 5 of 13 become 20 and 13 of 33"),
        pytest.param(5, {"web-v1": 5, "web-v2": 3}, id="down in proportion"),
        pytest.param(0, {"web-v1": 0, "web-v2": 0}, id="to nothing"),
        pytest.param(10, {"web-v1": 8, "web-v2": 5}, id="unchanged sizes are kept, only annotations are refreshed"),
    ],
)
def test_a_change_of_size_in_mid_rollout_is_shared_in_proportion(replicas: int, expected: dict[str, int]) -> None:
    assert proportional(replicas, (8, 8), (5, 0), 13) == expected


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        pytest.param(12, [("web-v2", 7), ("web-v1", 6)], id="among equals the newer grows first"),
        pytest.param(8, [("web-v1", 4), ("web-v2", 5)], id="among equals the older shrinks first"),
    ],
)
def test_ties_in_proportional_scaling(replicas: int, expected: list[tuple[str, int]]) -> None:
    d = Deployment(deployment("v2", replicas, 1, 0))
    notes = {"desired_replicas": "9", "max_replicas": "10"}
    sets = [replica_set("v1", 5, **notes), replica_set("v2", 5, 0, born=1, **notes)]
    steps = scale(d, classify(d, [ReplicaSet(one) for one in sets]))
    assert [(step.replica_set.name, step.replicas) for step in steps] == expected


def test_a_saturated_new_replica_set_takes_all() -> None:
    d = Deployment(deployment("v2", 4))
    sets = [replica_set("v1", 2), replica_set("v2", 4, desired_replicas="4", born=1)]
    steps = scale(d, classify(d, [ReplicaSet(one) for one in sets]))
    assert [(step.replica_set.name, step.replicas) for step in steps] == [("web-v1", 0)]


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        pytest.param([("v1", 3), ("v2", 0)], [("web-v1", 4)], id="the only active one, though it is old"),
        pytest.param([("v1", 0), ("v2", 0)], [("web-v2", 4)], id="none active: the new one"),
        pytest.param([("v0", 0), ("v1", 0)], [("web-v1", 4)], id="none active, no new one: the youngest"),
        pytest.param([("v1", 4)], [], id="nothing to do"),
    ],
)
def test_with_at_most_one_active_replica_set_it_gets_the_size(sets: list, expected: list) -> None:
    d = Deployment(deployment("v2", 4))
    found = [ReplicaSet(replica_set(image, size, born=at)) for at, (image, size) in enumerate(sets)]
    steps = scale(d, classify(d, found))
    assert [(step.replica_set.name, step.replicas) for step in steps] == expected


@pytest.mark.parametrize(
    ("size", "note", "expected"),
    [
        pytest.param(3, "3", True, id="noted another size"),
        pytest.param(3, "4", False, id="noted this size"),
        pytest.param(0, "3", False, id="without replicas its note is old"),
        pytest.param(3, "x", False, id="no number"),
    ],
)
def test_scaling_event(size: int, note: str, expected: bool) -> None:
    one = ReplicaSet(replica_set("v1", size, desired_replicas=note))
    assert is_scaling_event(Deployment(deployment()), [one]) is expected
