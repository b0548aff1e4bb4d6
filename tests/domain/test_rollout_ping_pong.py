"""Canaries whose two Services take turns: which one is stable, and that nobody is led elsewhere under load."""

from typing import Any

import pytest

from drumroll.domain.rollout.ping_pong import Names, names_of
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from tests.domain.rollout_world import World, rollout, routed
from tests.domain.test_rollout_canary import deployed

PAIR = {"pingService": "web-stable", "pongService": "web-canary"}  # the names of the Services that the world has
PING, PONG = PAIR["pingService"], PAIR["pongService"]
STEPS = [{"setWeight": 20}, {"pause": {}}]


def taking_turns(**canary: Any) -> World:
    return deployed(routed(stableService=None, canaryService=None, pingPong=PAIR, steps=STEPS, **canary))


def leads(world: World, service: str) -> str:
    """The image of the pods that a Service selects."""
    return world.image_of(world.services[service]["spec"]["selector"].get(ROLLOUT_HASH, ""))


def stable(world: World) -> str:
    return str(world.rollout["status"]["canary"]["stablePingPong"])


def promote(world: World) -> None:
    world.status(pauseConditions=None)
    world.settle()


def after(stable: str) -> dict[str, Any]:
    return {"canary": {"stablePingPong": stable}}


@pytest.mark.parametrize(
    ("strategy", "status", "expected"),
    [
        pytest.param({}, {}, Names("", ""), id="no Services"),
        pytest.param({"stableService": "s", "canaryService": "c"}, {}, Names("s", "c"), id="the plain pair"),
        pytest.param({"pingPong": PAIR}, {}, Names(PONG, PING), id="nothing was promoted yet: pong is stable"),
        pytest.param(
            {"pingPong": PAIR}, {"canary": {"stablePingPong": "ping"}}, Names(PING, PONG), id="ping is stable"
        ),
        pytest.param(
            {"pingPong": PAIR}, {"canary": {"stablePingPong": "pong"}}, Names(PONG, PING), id="pong is stable"
        ),
        pytest.param(
            {"pingPong": PAIR, "stableService": "s", "canaryService": "c"}, {}, Names(PONG, PING), id="both pairs"
        ),
    ],
)
def test_which_service_has_which_part(strategy: dict[str, Any], status: dict[str, Any], expected: Names) -> None:
    assert names_of(Rollout(rollout(**strategy)), status) == expected


def test_the_first_deployment_makes_ping_the_stable_one() -> None:
    world = taking_turns()
    assert (stable(world), leads(world, PING), world.mesh) == ("ping", "v1", {PING: 100, PONG: 0})


def test_at_a_promotion_the_parts_change_and_no_selector_and_no_weight() -> None:
    world = taking_turns()
    for image, before, after, weights in (
        ("v2", "ping", "pong", {PING: 0, PONG: 100}),
        ("v3", "pong", "ping", {PING: 100, PONG: 0}),
    ):
        old, new = (PING, PONG) if after == "pong" else (PONG, PING)
        elder = leads(world, old)
        world.update(image)
        world.settle()
        assert (stable(world), world.mesh[old], world.mesh[new]) == (before, 80, 20)
        assert (leads(world, old), leads(world, new)) == (elder, image)
        promote(world)
        assert (stable(world), world.mesh) == (after, weights)
        assert (leads(world, old), leads(world, new)) == (elder, image)  # nobody was led elsewhere
        shown = world.rollout["status"]["canary"]["weights"]
        assert (shown["stable"]["serviceName"], shown["stable"]["weight"]) == (new, 100)
        assert (shown["canary"]["serviceName"], shown["canary"]["weight"]) == (old, 0)
        world.forward(31)
        world.settle()
        assert world.state.startswith("v1:0/0"), world.state


def test_the_route_is_not_written_at_a_promotion() -> None:
    world = taking_turns()
    world.update("v2")
    world.settle()
    world.status(pauseConditions=None)
    while stable(world) == "ping":
        world.replicate()
        world.start()
        world.slice()
        world.acknowledge()
        world.turn()
    generation = world.route["metadata"]["generation"]
    world.settle()
    assert world.route["metadata"]["generation"] == generation


def test_an_abort_leaves_the_services_where_they_are() -> None:
    world = taking_turns()
    world.update("v2")
    world.settle()
    world.status(abort=True)
    world.settle()
    assert (stable(world), world.mesh) == ("ping", {PING: 100, PONG: 0})
    assert (leads(world, PING), leads(world, PONG)) == ("v1", "v2")
    world.update("v3")
    world.settle()
    assert (leads(world, PING), leads(world, PONG), world.mesh[PONG]) == ("v1", "v3", 20)
    promote(world)
    assert (stable(world), world.mesh) == ("pong", {PING: 0, PONG: 100})
