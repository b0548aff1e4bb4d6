"""How many requests met a version that was taken back: when it is asked, what, and what is said."""

from datetime import UTC, datetime, timedelta

import pytest

from drumroll.domain.actions import Patch, Record
from drumroll.domain.promql.parser import parse
from drumroll.domain.rollout.exposure import DELAY, EXPOSURE, due, queries, reported
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH
from tests.domain.blue_green_world import deployed
from tests.domain.rollout_world import START, World, routed

NEW = {"metadata": {"labels": {ROLLOUT_HASH: "new"}, "annotations": {"rollout.argoproj.io/revision": "7"}}}
AT = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


def aborted(**status):
    weights = {"canary": {"weight": 0}, "stable": {"weight": 100}, "verified": True}
    return {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "5"},
        "spec": {"strategy": {"canary": {"trafficRouting": {"plugins": {}}}}},
        "status": {
            "abort": True, "abortedAt": "2026-11-30T03:00:00Z", "currentPodHash": "new", "stableRS": "old",
            "canary": {"weights": weights}, "duration": {"rolloutStartedAt": "2026-11-30T02:58:00Z"}, **status,
        },
    }  # fmt: skip


def noted(moment):
    return [{"type": EXPOSURE, "status": "True", "lastUpdateTime": moment}]


@pytest.mark.parametrize(
    ("status", "is_due"),
    [
        pytest.param({}, True, id="the traffic is back"),
        pytest.param({"abort": None}, False, id="nothing was taken back"),
        pytest.param({"canary": {"weights": {"canary": {"weight": 20}}}}, False, id="it still has traffic"),
        pytest.param(
            {"canary": {"weights": {"canary": {"weight": 0}, "verified": False}}}, False,
            id="the mesh has not said that the traffic is back",
        ),
        pytest.param({"canary": {}, "updatedReplicas": 1}, False, id="without routing its pods are its traffic"),
        pytest.param({"canary": {}, "updatedReplicas": 0}, True, id="and they are gone"),
        pytest.param({"stableRS": "new"}, False, id="it is the stable version"),
        pytest.param({"conditions": noted("2026-11-30T03:00:10Z")}, False, id="it is known"),
        pytest.param({"conditions": noted("2026-11-29T03:00:10Z")}, True, id="what is known is about another one"),
    ],
)  # fmt: skip
def test_it_is_asked_once_when_the_traffic_is_back(status, is_due):
    assert due(aborted(**status)) == (AT + DELAY if is_due else None)


def test_the_questions_are_about_both_versions_since_the_update_began():
    asked = queries(aborted(), AT + DELAY)
    for text in asked.values():
        parse(text)
    assert asked["met"] == 'sum(increase(drumroll_requests_total{namespace="shop",revision=~"new"}[140s]))'
    assert 'revision=~"new|old"' in asked["all"]


def test_the_mesh_remembers_a_quarter_of_an_hour():
    assert "[900s]" in queries(aborted(), AT + timedelta(hours=3))["all"]


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        (
            {"met": 50.7, "failed": 8.2, "all": 2240.9},
            "About 51 of 2,241 requests (2.3%) met revision 7; it failed 8 of them",
        ),
        ({"met": 0.0, "failed": 0.0, "all": 900.0}, "No request met revision 7, of about 900"),
        ({"met": 3.0, "failed": 3.4, "all": 2.0}, "About 3 of 3 requests (100.0%) met revision 7; it failed 3 of them"),
    ],
)
def test_figures_become_a_sentence(figures, message):
    patch, event = reported(aborted(), (NEW,), figures, AT).actions
    assert isinstance(patch, Patch)
    assert isinstance(event, Record)
    (condition,) = patch.patch["status"]["conditions"]
    assert (condition["status"], condition["message"], event.message) == ("True", message, message)
    assert patch.patch["metadata"]["resourceVersion"] == "5"


def test_without_a_mesh_it_says_that_nobody_knows():
    (patch,) = reported(aborted(), (), "there is no Service prometheus", AT).actions
    (condition,) = patch.patch["status"]["conditions"]
    assert condition["status"] == "Unknown"
    assert (
        condition["message"]
        == "How many requests met the version taken back is not known: there is no Service prometheus"
    )


def test_the_condition_outlives_the_turns_that_follow():
    world = World(routed(steps=[{"setWeight": 20}, {"pause": {}}]))
    world.settle()
    world.update("v2")
    world.settle()
    world.status(abort=True)
    world.settle()
    assert due(world.rollout) == START + DELAY
    world.perform(reported(world.rollout, (), {"met": 1.0, "failed": 0.0, "all": 9.0}, world.now + DELAY))
    world.update("v3")
    world.settle()
    assert EXPOSURE in {one["type"] for one in world.rollout["status"]["conditions"]}


def test_blue_green_that_somebody_aborts_is_reported_too():
    world = deployed(autoPromotionEnabled=False)
    world.update("v2")
    world.settle()
    world.status(abort=True)
    world.settle()
    assert due(world.rollout) == world.now + DELAY
