"""What holds along any history of a blue/green Rollout, wherever the controller is killed.

After the turns that follow at once: the active Service selects pods of which one is available, as long as there is a
stable version with one. After anything at all: nobody is led to a version that never was whole.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.blue_green_world import ANALYSIS, BlueGreenWorld, blue_green
from tests.domain.test_rollout_properties import IMAGES, come_to_rest, happen
from tests.searching import examples

STRATEGIES = st.fixed_dictionaries(
    {},
    optional={
        "autoPromotionEnabled": st.booleans(),
        "autoPromotionSeconds": st.sampled_from([0, 5]),
        "previewReplicaCount": st.integers(0, 3),
        "scaleDownDelaySeconds": st.sampled_from([0, 10]),
        "abortScaleDownDelaySeconds": st.sampled_from([5, 10]),
        "prePromotionAnalysis": st.just(ANALYSIS),
        "postPromotionAnalysis": st.just(ANALYSIS),
    },
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), st.integers(0, 4)),
        st.tuples(st.just("turn"), st.just(1000)),
        st.tuples(st.just("replicate"), st.just(0)),
        st.tuples(st.just("start"), st.integers(1, 4)),
        st.tuples(st.just("slice"), st.sampled_from(["active", "preview", ""])),
        st.tuples(st.just("acknowledge"), st.just(0)),
        st.tuples(st.just("verdict"), st.sampled_from(["Successful", "Successful", "Failed", "Inconclusive", ""])),
        st.tuples(st.just("update"), st.sampled_from(IMAGES)),
        st.tuples(st.just("forward"), st.integers(1, 40)),
        st.tuples(st.just("status"), st.sampled_from(
            [{"abort": True}, {"abort": False}, {"promoteFull": True}, {"pauseConditions": None},
             {"abort": True, "promoteFull": True}]
        )),
    ),
    min_size=5,
    max_size=40,
)  # fmt: skip


def happens(world: BlueGreenWorld, event: str, argument: Any) -> None:
    if event == "verdict":
        world.verdict = argument
    elif event == "heal":
        world.good = lambda image: True
    elif event == "crash":
        world.crash(world.led(argument) if argument in world.services else argument)
    else:
        happen(world, event, argument)


def _stable(world: BlueGreenWorld) -> str:
    return world.image_of((world.rollout.get("status") or {}).get("stableRS") or "")


def available(world: BlueGreenWorld, image: str) -> int:
    return sum(
        one["status"]["availableReplicas"]
        for one in world.sets.values()
        if one["spec"]["template"]["spec"]["containers"][0]["image"] == image
    )


def started(replicas: int, **strategy: Any) -> BlueGreenWorld:
    world = BlueGreenWorld(blue_green(replicas=replicas, **strategy))
    world.settle()
    assert world.led("active") == "v1"
    return world


def rests(world: BlueGreenWorld, replicas: int) -> None:
    world.good, world.verdict = lambda image: True, "Successful"
    for run in world.runs.values():
        run.setdefault("status", {"phase": "Successful"})
    come_to_rest(world)
    image = world.rollout["spec"]["template"]["spec"]["containers"][0]["image"]
    assert world.state.endswith(f"active {image} preview {image} Healthy"), world.state
    assert _stable(world) == image
    sizes = {other: available(world, other) for other in IMAGES if other != image}
    assert available(world, image) == replicas, world.state
    assert not any(sizes.values()), world.state


@settings(max_examples=examples(200))
@given(STRATEGIES, st.integers(1, 4), EVENTS)
def test_the_active_service_always_leads_to_a_whole_version_and_every_update_ends(
    strategy: dict[str, Any], replicas: int, events: list[tuple[str, Any]]
) -> None:
    world = started(replicas, **strategy)
    for event, argument in events:
        happens(world, event, argument)
        assert available(world, world.led("active")) >= replicas, world.state
        reached = {pod["metadata"]["name"] for pod in world.endpoints["active"]}
        alive = {pod["metadata"]["name"] for pods in world.pods.values() for pod in pods if pod["status"]["ready"]}
        assert len(reached & alive) >= replicas, (world.state, "by the last EndpointSlice")
    rests(world, replicas)


DEEDS = st.one_of(
    st.tuples(st.just("update"), st.sampled_from(IMAGES)),
    st.tuples(st.just("crash"), st.sampled_from(["active", "preview", *IMAGES])),
    st.tuples(st.just("heal"), st.none()),
    st.tuples(st.just("verdict"), st.sampled_from(["Successful", "Failed", ""])),
    st.tuples(st.just("forward"), st.sampled_from([6, 40])),
    st.tuples(st.just("status"), st.sampled_from([{"abort": True}, {"abort": False}, {"pauseConditions": None}])),
)
ROUNDS = st.sampled_from([0, 1, 2, 3, 4, 5, 8])
STORMS = st.lists(st.tuples(DEEDS, ROUNDS), min_size=4, max_size=12)


def pass_by(world: BlueGreenWorld, rounds: int, seen: Callable[[], None]) -> None:
    """So many times everything that goes on by itself, and the controller in the end."""
    for _ in range(rounds):
        world.replicate()
        world.start()
        world.slice()
        world.acknowledge()
        world.turn()
        seen()


@settings(max_examples=examples(200))
@given(STRATEGIES, st.integers(1, 4), STORMS)
def test_whatever_crashes_the_active_service_leads_to_what_is_ready_while_there_is_a_stable_version(
    strategy: dict[str, Any], replicas: int, events: list[tuple[tuple[str, Any], int]]
) -> None:
    world = started(replicas, **strategy)

    def check() -> None:
        led = available(world, world.led("active"))
        assert led > 0 or available(world, _stable(world)) == 0, world.state

    world.update("v2")
    for (event, argument), rounds in events:
        pass_by(world, rounds, check)
        happens(world, event, argument)
        world.count()
        for _ in range(3):  # a turn that notes a new template, one that gives it a revision, one that acts
            world.turn()
        check()
    rests(world, replicas)
