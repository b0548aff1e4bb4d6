"""ReplicaSets: how many pods come and go, which ones, and what is reported."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.actions import Create, Delete, Patch, Plan, Together
from drumroll.domain.crowd import Crowd
from drumroll.domain.replica import replica_of
from drumroll.domain.replicaset import World, reconcile, slow_start
from drumroll.domain.replicaset_ranking import first_to_die
from drumroll.objects.errors import Forbidden
from drumroll.objects.meta import Obj, controller_of, timestamp
from tests.domain.workloads import START, pod, replica_set

NOW = START + timedelta(hours=1)
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-v1", "uid": "uid-v1", "controller": True}


def owned(name: str, **fields: Any) -> Obj:
    return pod(name, ownerReferences=[OWNER], **fields)


def decide(replicas: int, pods: list[Obj], **spec: Any) -> Plan:
    one = replica_set("v1", replicas)
    one["spec"].update(spec)
    return reconcile(world(one, pods), NOW)


def world(one: Obj, pods: list[Obj]) -> World:
    """With the pods sorted into those of the replica set and those of nobody."""
    mine = Crowd(found for found in map(replica_of, pods) if found.owner == one["metadata"]["uid"])
    return World(one, mine, tuple(one for one in pods if controller_of(one) is None))


def flat(plan: Plan) -> list[Any]:
    return [one for group in plan.actions if isinstance(group, Together) for one in group.actions]


@pytest.mark.parametrize(
    ("pods", "creates", "deletes"),
    [
        pytest.param([], 3, 0, id="none yet"),
        pytest.param([owned("a"), owned("b"), owned("c")], 0, 0, id="all there"),
        pytest.param([owned("a"), owned("b", phase="Failed")], 2, 0, id="ended ones do not count"),
        pytest.param([owned("a"), owned("b", deletionTimestamp="x")], 2, 0, id="nor do those that are going"),
        pytest.param([owned(name) for name in "abcde"], 0, 2, id="too many"),
        pytest.param([pod("a", ownerReferences=[{**OWNER, "uid": "other"}])], 3, 0, id="strangers do not count"),
    ],
)
def test_how_many(pods: list[Obj], creates: int, deletes: int) -> None:
    actions = flat(decide(3, pods))
    assert sum(isinstance(one, Create) for one in actions) == creates
    assert sum(isinstance(one, Delete) for one in actions) == deletes


def test_a_deleting_one_neither_creates_nor_deletes() -> None:
    one = replica_set("v1", 3)
    one["metadata"]["deletionTimestamp"] = "x"
    assert reconcile(World(one, Crowd()), NOW).actions == ()


def test_at_most_five_hundred_in_one_turn() -> None:
    assert len(flat(decide(900, []))) == 500


@given(st.integers(0, 1000))
def test_slow_start_doubles_and_loses_none(count: int) -> None:
    sizes = list(slow_start(count))
    assert sum(sizes) == count
    assert sizes[:-1] == [2**n for n in range(len(sizes) - 1)]


def test_a_matching_orphan_is_adopted() -> None:
    [adopt] = decide(3, [pod("a")]).actions
    assert type(adopt).__name__ == "Adopt"


def test_one_that_lost_its_label_is_released() -> None:
    [release] = decide(3, [owned("a", labels={"app": "other"})]).actions
    assert isinstance(release, Patch)


def first(pods: list[Obj], count: int, crowds: dict[str, int], now: datetime) -> list[Obj]:
    return [one.pod for one in first_to_die([replica_of(one) for one in pods], count, crowds, now)]


def seconds(ago: float) -> str:
    return timestamp(NOW - timedelta(seconds=ago))


def ranked(name: str, **change: Any) -> Obj:
    """A ready pod, ready and created an hour ago, changed in one respect."""
    one = owned(name, ready=change.pop("ready", True), phase=change.pop("phase", "Running"))
    one["spec"]["nodeName"] = change.pop("node", "n")
    one["status"]["conditions"][0]["lastTransitionTime"] = change.pop("ready_since", seconds(3600))
    one["status"]["conditions"].insert(0, {"type": "PodScheduled", "status": "True"})
    one["metadata"]["creationTimestamp"] = change.pop("created", seconds(3600))
    one["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": change.pop("cost", "0")}
    one["status"]["containerStatuses"] = [{"restartCount": change.pop("restarts", 0)}]
    assert not change
    return one


@pytest.mark.parametrize(
    ("victim", "survivor"),
    [
        pytest.param({"node": ""}, {}, id="1 unbound before bound"),
        pytest.param({"phase": "Pending", "ready": False}, {"phase": "Unknown", "ready": False}, id="2 pending first"),
        pytest.param({"phase": "Unknown", "ready": False}, {"ready": False}, id="2 unknown before running"),
        pytest.param({"ready": False}, {}, id="3 not ready before ready"),
        pytest.param({"cost": "-5"}, {}, id="4 the cheaper one"),
        pytest.param({"node": "crowded"}, {}, id="5 where more related pods are"),
        pytest.param({"ready_since": seconds(60)}, {}, id="6 ready for a shorter time"),
        pytest.param({"restarts": 3}, {"restarts": 1}, id="7 restarted more often"),
        pytest.param({"created": seconds(60)}, {}, id="8 younger"),
        pytest.param({"ready": False, "cost": "100"}, {"cost": "-100"}, id="readiness outweighs cost"),
        pytest.param({"restarts": 1, "created": seconds(3600)}, {"created": seconds(60)}, id="restarts outweigh age"),
        pytest.param({"ready_since": None}, {"ready_since": seconds(1)}, id="an unknown moment counts as just now"),
        pytest.param({"cost": "0"}, {"cost": "a lot"}, id="a cost that is no number counts as 0: the uid decides"),
        pytest.param({"ready": False}, {"ready": False, "ready_since": None}, id="only of ready ones: the uid decides"),
        pytest.param({"ready_since": seconds(3601)}, {}, id="about as long: the uid decides"),
    ],
)
def test_who_dies_first(victim: Obj, survivor: Obj, request: pytest.FixtureRequest) -> None:
    """The survivor's uid is the smaller one, unless the uid decides: else every row would pass by that alone."""
    names = ("a", "b") if request.node.callspec.id.endswith("the uid decides") else ("b", "a")
    one, other = ranked(names[0], **victim), ranked(names[1], **survivor)
    crowds = {"crowded": 3, "n": 1}
    for pods in ([one, other], [other, one]):
        assert first(pods, 1, crowds, NOW) == [one]


def test_the_container_that_restarted_most_often_counts_and_init_containers_come_second() -> None:
    calm, shaky, unlucky = ranked("a", restarts=2), ranked("b"), ranked("c")
    shaky["status"]["containerStatuses"] = [{"restartCount": 0}, {"restartCount": 3}]
    unlucky["status"]["containerStatuses"] = [{"restartCount": 2}]
    unlucky["status"]["initContainerStatuses"] = [{"restartCount": 9}]
    assert first([calm, shaky, unlucky], 3, {}, NOW) == [shaky, unlucky, calm]


@given(st.permutations([ranked(str(n), cost=str(n % 3), restarts=n % 2, ready=n % 4 != 0) for n in range(8)]))
def test_the_order_of_pods_is_irrelevant(pods: list[Obj]) -> None:
    names = [one["metadata"]["name"] for one in first(pods, 4, {}, NOW)]
    random.Random(1).shuffle(pods)
    assert names == [one["metadata"]["name"] for one in first(pods, 4, {}, NOW)]


def reported(plan: Plan, failures: tuple = ()) -> Obj:
    assert plan.settle is not None
    [patch] = plan.settle(failures)
    assert isinstance(patch, Patch)
    return patch.patch["status"]


def test_the_counts() -> None:
    labels = {"app": "web", "version": "1"}
    pods = [
        owned("a", labels=labels),
        owned("b"),
        owned("c", ready=False),
        owned("d", deletionTimestamp="x"),
        owned("e", phase="Succeeded"),
    ]
    one = replica_set("v1", 3)
    one["spec"]["template"] = {"metadata": {"labels": labels}}
    status = reported(reconcile(world(one, pods), NOW))
    names = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "terminatingReplicas")
    assert [status[name] for name in names] == [3, 1, 2, 2, 1]


def test_a_pod_is_available_when_it_has_been_ready_for_long_enough_and_then_it_is_looked_at_again() -> None:
    young, old = owned("a"), owned("b")
    young["status"]["conditions"][0]["lastTransitionTime"] = seconds(4)
    plan = decide(2, [young, old], minReadySeconds=10)
    assert reported(plan)["availableReplicas"] == 1
    assert plan.wake_at == NOW + timedelta(seconds=6)


def test_nothing_is_written_when_nothing_changed() -> None:
    plan = decide(2, [owned("a"), owned("b")])
    one = replica_set("v1", 2)
    one["status"] = {**reported(plan), "conditions": None}
    again = reconcile(world(one, [owned("a"), owned("b")]), NOW)
    assert again.settle is not None
    assert again.settle(()) == ()


def test_a_failed_create_becomes_a_condition_and_a_success_takes_it_away() -> None:
    status = reported(decide(1, []), (Forbidden("exceeded quota"),))
    [condition] = status["conditions"]
    assert (condition["reason"], condition["message"]) == ("FailedCreate", "exceeded quota")
    one = replica_set("v1", 1, 1)
    one["status"]["conditions"] = status["conditions"]
    assert reported(reconcile(world(one, [owned("a")]), NOW))["conditions"] is None


def test_what_was_just_deleted_is_counted_as_going_unless_it_failed() -> None:
    plan = decide(1, [owned("a"), owned("b", ready=False), owned("c")])
    gone, kept = reported(plan), reported(plan, (Forbidden("no"),))
    names = ("replicas", "readyReplicas", "availableReplicas", "terminatingReplicas")
    assert [gone[name] for name in names] == [1, 1, 1, 2]
    assert [kept[name] for name in names] == [3, 2, 2, 0]


def test_the_report_is_of_the_moment_of_the_decision_though_the_crowd_goes_on() -> None:
    crowd = Crowd([replica_of(owned("a"))])
    plan = reconcile(World(replica_set("v1", 1, 0), crowd), NOW)
    crowd.put(replica_of(owned("b")))
    assert reported(plan)["replicas"] == 1
