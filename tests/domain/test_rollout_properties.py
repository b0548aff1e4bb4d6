"""What holds along any history of updates, promotions and aborts, wherever the controller is killed."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from drumroll.domain.rollout.ping_pong import names_of
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from drumroll.objects.meta import Obj
from tests.domain.rollout_world import World, rollout, routed
from tests.searching import examples

STEPS = [
    [], [{"setWeight": 20}], [{"setWeight": 50}, {"pause": {}}, {"setWeight": 80}, {"pause": {"duration": 5}}],
    [{"setWeight": 10}, {"pause": {"duration": "10s"}}, {"setWeight": 0}, {"setWeight": 100}],
]  # fmt: skip
IMAGES = ("v1", "v2", "v3")
STRATEGIES = st.fixed_dictionaries(
    {"steps": st.sampled_from(STEPS)},
    optional={
        "dynamicStableScale": st.booleans(),
        "abortScaleDownDelaySeconds": st.sampled_from([0, 10]),
        "pingPong": st.just({"pingService": "web-stable", "pongService": "web-canary"}),
    },
)
BASIC = st.fixed_dictionaries(
    {"steps": st.sampled_from(STEPS), "maxSurge": st.integers(0, 3), "maxUnavailable": st.integers(0, 2)}
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), st.integers(0, 4)),
        st.tuples(st.just("turn"), st.just(1000)),
        *[st.tuples(st.just("tick"), st.integers(1, 4)) for _ in range(4)],
        st.tuples(st.just("settle"), st.just(200)),
        st.tuples(st.just("replicate"), st.just(0)),
        st.tuples(st.just("start"), st.integers(1, 4)),
        st.tuples(st.just("slice"), st.sampled_from(["web-stable", "web-canary", ""])),
        st.tuples(st.just("acknowledge"), st.just(0)),
        st.tuples(st.just("update"), st.sampled_from(IMAGES)),
        st.tuples(st.just("forward"), st.integers(1, 40)),
        st.tuples(st.just("status"), st.sampled_from(
            [{"abort": True}, {"abort": False}, {"promoteFull": True}, {"pauseConditions": None},
             {"abort": True, "promoteFull": True}]
        )),
    ),
    min_size=12, max_size=40,
)  # fmt: skip


def happen(world: World, event: str, argument: Any) -> None:
    if event == "status":
        world.status(**argument)
    elif event == "tick":  # all but the mesh
        for _ in range(argument):
            world.replicate()
            world.start()
            world.slice()
            world.turn()
    elif event in ("replicate", "acknowledge"):
        getattr(world, event)()
    else:
        getattr(world, event)(argument)


def ready(pods: list[Obj]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods if pod["status"]["ready"]}


def check_traffic(world: World, replicas: int) -> None:
    """Whatever gets traffic, by the mesh's last word, has ready pods for it: selected ones, which the mesh knows."""
    alive = {name for pods in world.pods.values() for name in ready(pods)}
    for service, weight in world.mesh.items():
        if weight == 0 or service not in world.services:  # an experiment's is its own affair
            continue
        needed = max(1, weight * replicas // 100)
        assert len(alive & ready(world.endpoints[service])) >= needed, (service, weight, world.state)
        wanted = world.services[service]["spec"]["selector"].get(ROLLOUT_HASH)
        if wanted:
            selected = [
                pods
                for name, pods in world.pods.items()
                if world.sets[name]["metadata"]["labels"][ROLLOUT_HASH] == wanted
            ]
            assert sum(len(ready(pods)) for pods in selected) >= needed, (service, weight, world.state)


def come_to_rest(world: World) -> None:
    """Everything that waits for time or for a person gets it."""
    for _ in range(12):
        world.settle()
        world.forward(60)
        world.settle()
        if world.rollout["status"].get("abort"):
            world.status(abort=False)
        elif world.rollout["status"].get("pauseConditions"):
            world.status(pauseConditions=None)
        elif world.rollout["status"]["phase"] == "Healthy":
            break
    world.forward(60)
    world.settle()


def check_end(world: World, replicas: int) -> None:
    image = world.rollout["spec"]["template"]["spec"]["containers"][0]["image"]
    assert world.rollout["status"]["phase"] == "Healthy", world.state
    assert world.image_of(world.rollout["status"]["stableRS"]) == image
    sizes = {world.image_of(one["metadata"]["labels"][ROLLOUT_HASH]): one for one in world.sets.values()}
    keeps = world.rollout["spec"]["strategy"]["canary"].get("abortScaleDownDelaySeconds") == 0
    for name, one in sizes.items():
        assert keeps or one["spec"]["replicas"] == (replicas if name == image else 0), world.state


def started(one: Obj) -> World:
    world = World(one)
    world.settle()
    world.acknowledge()
    world.update("v2")
    return world


@settings(max_examples=examples(60))
@given(STRATEGIES, st.integers(1, 6), EVENTS)
def test_traffic_only_goes_to_what_is_ready_and_every_update_ends(
    strategy: dict[str, Any], replicas: int, events: list[tuple[str, Any]]
) -> None:
    world = started(routed(replicas=replicas, **strategy))
    for event, argument in events:
        happen(world, event, argument)
        check_traffic(world, replicas)
        assert world.available >= replicas, world.state
    come_to_rest(world)
    check_traffic(world, replicas)
    check_end(world, replicas)


@settings(max_examples=examples(60))
@given(BASIC, st.integers(1, 6), EVENTS)
def test_without_traffic_routing_the_bounds_hold_and_every_update_ends(
    strategy: dict[str, Any], replicas: int, events: list[tuple[str, Any]]
) -> None:
    if strategy["maxSurge"] == strategy["maxUnavailable"] == 0:
        strategy = {**strategy, "maxUnavailable": 1}
    world = started(rollout(replicas=replicas, **strategy))
    floor = replicas - min(replicas, strategy["maxUnavailable"])
    for event, argument in events:
        happen(world, event, argument)
        assert world.available >= floor, world.state
        assert sum(one["spec"]["replicas"] for one in world.sets.values()) <= replicas + strategy["maxSurge"], (
            world.state
        )
    come_to_rest(world)
    check_end(world, replicas)


@settings(max_examples=examples(40))
@given(STRATEGIES, st.integers(1, 5), EVENTS)
def test_a_version_whose_pods_never_come_up_gets_no_traffic_and_takes_no_pod_away(
    strategy: dict[str, Any], replicas: int, events: list[tuple[str, Any]]
) -> None:
    world = started(routed(replicas=replicas, **strategy))
    world.good = lambda image: image != "v2"
    for event, argument in events:
        happen(world, event, argument)
        check_traffic(world, replicas)
        assert world.available >= replicas, world.state
    world.update("v2")
    world.settle()
    assert world.mesh[names_of(Rollout(world.rollout), world.rollout["status"]).canary] == 0
    assert world.available >= replicas
