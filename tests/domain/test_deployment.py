"""Deployments: properties over random worlds, and tables of what is not a story."""

import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drumroll.domain.actions import Create, Delete, Patch, Plan, Record
from drumroll.domain.deployment import World, reconcile
from drumroll.domain.deployment_revision import appended_history, build_replica_set, classify
from drumroll.domain.deployment_scaling import is_scaling_event
from drumroll.domain.replicas import fence_of, occupied, remaining
from drumroll.objects.apps_v1 import Deployment, ReplicaSet
from drumroll.objects.errors import Forbidden, Invalid
from drumroll.objects.meta import annotations_of
from tests.domain.workloads import START, Cluster, deployment, replica_set, sized

PREFIX = "deployment.kubernetes.io/"


@st.composite
def worlds(draw: st.DrawFn) -> Cluster:
    """A Deployment in the middle of anything, whose replica sets may report anything."""
    replicas = draw(st.integers(0, 12))
    surge, down = draw(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(any))
    d = deployment("v4", replicas, surge, down)
    cluster = Cluster(d)
    for at, image in enumerate(draw(st.lists(st.sampled_from(["v1", "v2", "v3", "v4"]), unique=True, max_size=4))):
        size = draw(st.integers(0, 9))
        one = sized(d, replica_set(image, size, draw(st.integers(0, 9)), born=at))
        one["status"]["replicas"] = draw(st.integers(0, 9))
        cluster.sets[one["metadata"]["uid"]] = one
    return cluster


def up(cluster: Cluster) -> int:
    return sum(map(remaining, cluster.replica_sets))


@given(worlds())
def test_one_step_never_breaks_the_bounds(cluster: Cluster) -> None:
    fence, goal = fence_of(cluster.view), cluster.view.replicas
    up_before, total_before = up(cluster), occupied(cluster.replica_sets)
    cluster.step()
    assert up(cluster) >= min(goal - fence.unavailable, up_before)
    assert occupied(cluster.replica_sets) <= max(goal + fence.surge, total_before)


@given(worlds())
def test_every_world_converges_when_pods_come_up(cluster: Cluster) -> None:
    cluster.converge()
    sizes = {one.name: one.replicas for one in cluster.replica_sets if one.replicas}
    goal = cluster.view.replicas
    assert sizes == ({"web-v4": goal} if goal else {})
    assert cluster.condition("Available")[0] == "True"
    assert cluster.condition("Progressing") == ("True", "NewReplicaSetAvailable")


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_replica_sets_is_irrelevant(cluster: Cluster, chance: random.Random) -> None:
    sets = list(cluster.sets.values())
    straight = reconcile(World(cluster.deployment, tuple(sets)), cluster.now)
    chance.shuffle(sets)
    shuffled = reconcile(World(cluster.deployment, tuple(sets)), cluster.now)
    assert straight.actions == shuffled.actions
    assert straight.settle is not None
    assert shuffled.settle is not None
    assert straight.settle(()) == shuffled.settle(())


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.lists(st.tuples(st.sampled_from(["step", "report", "die", "image", "size"]), st.integers(0, 99))))
def test_the_bounds_hold_along_any_history_and_it_ends_well(cluster: Cluster, history: list[tuple[str, int]]) -> None:
    for move, number in history:
        match move:
            case "step":
                _checked_step(cluster)
            case "image":
                from tests.domain.workloads import template

                cluster.update(template=template(f"v{number % 6}"))
            case "size":
                cluster.update(replicas=number % 13)
            case _ if cluster.sets:
                one = cluster.replica_sets[number % len(cluster.sets)]
                image = one.template["spec"]["containers"][0]["image"]
                ready = 0 if move == "die" else number % (one.replicas + 1)
                cluster.report(image, max(ready, number % 7), ready)
    cluster.converge()
    assert sum(one.replicas for one in cluster.replica_sets) == cluster.view.replicas


def _checked_step(cluster: Cluster) -> None:
    """Scaling keeps proportions, not bounds, as in the original; everything else keeps the bounds."""
    is_scaling = is_scaling_event(cluster.view, cluster.replica_sets)
    fence, goal = fence_of(cluster.view), cluster.view.replicas
    up_before, total_before = up(cluster), occupied(cluster.replica_sets)
    new = classify(cluster.view, cluster.replica_sets).new
    excess = max(0, new.replicas - goal) if new else 0  # a new replica set above the goal is cut at once
    cluster.step()
    if not is_scaling and not excess:
        assert up(cluster) >= min(goal - fence.unavailable, up_before)
        assert occupied(cluster.replica_sets) <= max(goal + fence.surge, total_before)


def plan_of(cluster: Cluster) -> Plan:
    return cluster.plan()


def test_an_empty_selector_is_refused_and_told() -> None:
    found = reconcile(World(deployment(selector={}), ()), START)
    [told, status] = found.actions
    assert isinstance(told, Record)
    assert (told.reason, told.type) == ("SelectingAll", "Warning")
    assert isinstance(status, Patch)
    assert status.patch["status"] == {"observedGeneration": 1}


def test_a_deleting_deployment_only_reports() -> None:
    d = deployment()
    d["metadata"]["deletionTimestamp"] = "2026-11-22T22:00:00Z"
    one = replica_set("v0", 9, 3)
    found = reconcile(World(d, (one,)), START)
    assert found.actions == ()
    assert found.settle is not None
    [status] = found.settle(())
    assert isinstance(status, Patch)
    assert status.patch["status"]["availableReplicas"] == 3


def test_a_taken_name_counts_as_a_collision_and_changes_the_next_name() -> None:
    d = deployment()
    name = build_replica_set(Deployment(d), classify(Deployment(d), []))["metadata"]["name"]
    other = replica_set("x", 1)
    found = reconcile(World(d, (), holder=lambda key: other if key.name == name else None), START)
    [status] = found.actions
    assert isinstance(status, Patch)
    assert status.patch["status"] == {"collisionCount": 1}
    d["status"] = {"collisionCount": 1}
    assert build_replica_set(Deployment(d), classify(Deployment(d), []))["metadata"]["name"] != name


def test_a_failed_create_is_told_in_the_conditions() -> None:
    found = reconcile(World(deployment(), ()), START)
    assert isinstance(found.actions[0], Create)
    assert found.settle is not None
    [status] = found.settle([Invalid("no room")])
    assert isinstance(status, Patch)
    [condition] = status.patch["status"]["conditions"]
    assert condition["reason"] == "ReplicaSetCreateError"
    assert condition["message"].endswith(": no room")


def test_a_terminating_namespace_is_no_failure() -> None:
    found = reconcile(World(deployment(), ()), START)
    assert found.settle is not None
    assert found.settle([Forbidden("going", {"causes": [{"reason": "NamespaceTerminating"}]})]) == ()


def test_an_orphan_that_matches_is_adopted_and_a_stranger_is_left_alone() -> None:
    orphan, stranger = replica_set("v1", 4), replica_set("v2", 1, owner={"uid": "other"})
    del orphan["metadata"]["ownerReferences"]
    found = reconcile(World(deployment(), (orphan, stranger)), START)
    assert [type(one).__name__ for one in found.actions] == ["Adopt"]


def test_one_that_no_longer_matches_is_released() -> None:
    mine = replica_set("v1", 4)
    mine["metadata"]["labels"] = {"app": "other"}
    [release] = reconcile(World(deployment(), (mine,)), START).actions
    assert isinstance(release, Patch)
    assert release.patch["metadata"]["ownerReferences"] == [{"$patch": "delete", "uid": "d"}]


@pytest.mark.parametrize(
    ("limit", "deleted"),
    [
        pytest.param(2, ["web-v1", "web-v2"], id="the lowest revisions go, those that may have pods stay"),
        pytest.param(9, [], id="all within the limit"),
        pytest.param(2**31 - 1, [], id="no limit"),
    ],
)
def test_history_beyond_the_limit_is_deleted_once_complete(limit: int, deleted: list[str]) -> None:
    d = deployment("v9", 4, revisionHistoryLimit=limit)
    olds = [replica_set(f"v{n}", 0, born=n, revision=str(n)) for n in (1, 2, 3, 5)]
    olds.append(replica_set("v0", 0, revision="0"))
    olds[-1]["status"]["replicas"] = 1
    olds.append(replica_set("v4", 0, born=4, revision="1"))
    olds[-1]["metadata"]["generation"] = 2  # cut to nothing, and its controller does not know yet
    new = replica_set("v9", 4, born=9, revision="9")
    cluster = Cluster(d, {one["metadata"]["uid"]: one for one in (*olds, new)})
    cluster.deployment["status"] = {
        "observedGeneration": 1, "replicas": 4, "updatedReplicas": 4, "availableReplicas": 4,
    }  # fmt: skip
    found = [action.key.name for action in plan_of(cluster).actions if isinstance(action, Delete)]
    assert found == deleted


def test_annotations_are_copied_but_not_those_of_the_machinery() -> None:
    d = deployment()
    d["metadata"]["annotations"] = {
        "kubernetes.io/change-cause": "why",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        PREFIX + "revision": "7",
    }
    built = ReplicaSet(build_replica_set(Deployment(d), classify(Deployment(d), [])))
    assert built.annotations == {
        "kubernetes.io/change-cause": "why",
        PREFIX + "revision": "1",
        PREFIX + "desired-replicas": "4",
        PREFIX + "max-replicas": "5",
    }


def test_rolling_back_and_forth_keeps_the_history_of_revisions() -> None:
    cluster = Cluster(deployment("v1"))
    cluster.converge()
    from tests.domain.workloads import template

    for image in ("v2", "v1", "v2", "v1"):
        cluster.update(template=template(image))
        cluster.converge()
    notes = annotations_of(cluster.sets["uid-v1"])
    assert (notes[PREFIX + "revision"], notes[PREFIX + "revision-history"]) == ("5", "1,3")
    assert annotations_of(cluster.deployment)[PREFIX + "revision"] == "5"


def test_a_long_history_is_cut_from_the_front() -> None:
    history = ",".join(str(n) for n in range(1000, 1400))
    longer = appended_history(history, "1400")
    assert len(longer) <= 2000
    assert longer.startswith("1001,")
    assert longer.endswith(",1400")


def test_with_a_rollback_annotation_the_earlier_template_comes_back() -> None:
    d = deployment("v2")
    d["metadata"]["annotations"] = {"deprecated.deployment.rollback.to": "0"}
    cluster = Cluster(d)
    for image, revision in (("v1", "1"), ("v2", "2")):
        one = replica_set(image, 4 if image == "v2" else 0, revision=revision)
        cluster.sets[one["metadata"]["uid"]] = one
    cluster.step()
    assert cluster.events == ['Rolled back deployment "web" to revision 1']
    assert cluster.view.template["spec"]["containers"][0]["image"] == "v1"
    assert cluster.view.annotations == {}


@pytest.mark.parametrize(
    ("to", "message"),
    [
        pytest.param("9", "Unable to find the revision to rollback to.", id="unknown"),
        pytest.param("0", "Unable to find last revision.", id="no earlier one"),
        pytest.param(
            "1", 'The rollback revision contains the same template as current deployment "web"', id="the same"
        ),
    ],
)
def test_a_rollback_that_cannot_be_is_told_and_not_tried_again(to: str, message: str) -> None:
    d = deployment("v1")
    d["metadata"]["annotations"] = {"deprecated.deployment.rollback.to": to}
    cluster = Cluster(d, {"uid-v1": replica_set("v1", 4, revision="1")})
    cluster.step()
    assert cluster.events == [message]
    assert cluster.view.annotations == {}


def test_the_deadline_asks_for_a_look_when_it_has_passed() -> None:
    cluster = Cluster(deployment("v1", progressDeadlineSeconds=60))
    plan = cluster.step()
    assert plan.wake_at == cluster.now + timedelta(seconds=61)
