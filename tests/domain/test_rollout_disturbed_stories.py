"""Stories that the search of `test_rollout_disturbed` found: each came to a standstill, or lost traffic."""

from typing import Any

from drumroll.domain.rollout.validation import faults_of
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH
from tests.domain.canary_world import CanaryWorld
from tests.domain.rollout_world import SERVICES, rollout, routed
from tests.domain.test_rollout_disturbed import TRIAL, begun, come_to_end, weights_of


def canary(replicas: int, *steps: Any, **fields: Any) -> CanaryWorld:
    return begun(routed(replicas=replicas, steps=list(steps), **fields), {})


def under_way(world: CanaryWorld) -> CanaryWorld:
    """The new pods are up, and the mesh has acknowledged nothing of it yet."""
    for _ in range(4):
        world.replicate()
        world.start()
        world.slice()
        world.turn()
    return world


def selected(world: CanaryWorld, service: str) -> str:
    return world.image_of(world.services[service]["spec"]["selector"].get(ROLLOUT_HASH, ""))


def test_a_canary_may_be_scaled_to_no_pods_and_to_no_weight():
    for scale in ({"replicas": 0}, {"weight": 0}):
        assert faults_of(routed(steps=[{"setCanaryScale": scale}])) == ()


def test_a_weight_is_not_waited_for_while_the_canary_is_to_have_no_pods():
    world = canary(1, {"setCanaryScale": {"replicas": 0}}, {"setWeight": 50}, {"pause": {}})
    world.settle()
    assert world.state == "v1:1/1 v2:0/0 step 2 weight 0 Paused (CanaryPauseStep)"


def test_a_canary_given_up_by_a_rollout_of_no_replicas_keeps_no_pod():
    world = under_way(canary(1))
    world.update("v1")
    world.spec(replicas=0)
    come_to_end(world)
    assert world.state == "v1:0/0 v2:0/0 weight 0 Healthy"


def test_the_stable_pods_come_back_for_a_smaller_weight_although_the_canary_stays_as_large():
    world = canary(
        2, {"setCanaryScale": {"weight": 100}}, {"setWeight": 100}, {"setWeight": 0}, {"pause": {}},
        dynamicStableScale=True,
    )  # fmt: skip
    world.settle()
    assert world.state == "v1:2/2 v2:2/2 step 3 weight 0 Paused (CanaryPauseStep)"


def test_each_inconclusive_experiment_is_asked_about_and_not_the_first_alone():
    world = canary(1, {"experiment": TRIAL})
    world.verdict = "Inconclusive"
    for tried in (1, 2, 3):
        world.settle()
        assert world.rollout["status"]["message"] == "InconclusiveExperiment"
        assert len(world.runs) == tried
        world.status(pauseConditions=None)


def test_a_canary_service_that_somebody_led_away_leads_back_also_when_it_leads_to_an_older_version():
    world = canary(2, {"setWeight": 50}, {"pause": {}})
    world.settle()
    world.update("v3")
    world.settle()
    assert world.state == "v1:2/2 v2:0/0 v3:1/1 step 1 weight 50 Paused (CanaryPauseStep)"
    world.edit_service("web-canary", "v2")
    world.settle()
    assert selected(world, "web-canary") == "v3"


def test_a_canary_that_becomes_blue_green_goes_on():
    for routing in (rollout(replicas=2, **SERVICES), routed(replicas=2)):
        world = begun(routing, {})
        strategy = {"activeService": "web-stable", "previewService": "web-canary"}
        world.spec(strategy={"canary": None, "blueGreen": strategy})
        come_to_end(world)
        assert world.state == "v1:0/0 v2:2/2 Healthy"
        assert selected(world, "web-stable") == "v2"
        assert "canary" not in world.rollout["status"]


def test_traffic_goes_back_to_a_service_only_when_its_endpoints_are_the_stable_pods():
    world = under_way(canary(1))
    world.delete_set("v1")
    world.turn()  # all traffic to v2, which is the stable one now; the stable Service still leads nowhere
    world.update("v3")
    for _ in range(6):
        world.replicate()
        world.start()
        world.turn()
        assert weights_of(world) == {"web-stable": 0, "web-canary": 100}, world.state
    come_to_end(world)
    assert world.state == "v2:0/0 v3:1/1 weight 0 Healthy"


def test_when_the_stable_replica_set_is_deleted_the_canary_with_traffic_takes_its_place():
    world = canary(4, {"setWeight": 25}, {"pause": {}})
    world.settle()
    world.delete_set("v1")
    world.good = lambda image: image != "v3"
    world.update("v3")
    world.settle()
    bearer = next(name for name, weight in weights_of(world).items() if weight == 100)
    assert selected(world, bearer) == "v2"
    assert world.state == "v2:4/4 v3:0/1 step 0 weight 0 Progressing (more replicas need to be updated)"
    assert any("takes its place" in line for line in world.log)
    world.heal()
    come_to_end(world)
    assert world.state == "v2:0/0 v3:4/4 step 2 weight 0 Healthy"
