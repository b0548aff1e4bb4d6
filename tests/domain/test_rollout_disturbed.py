"""What holds of a canary whatever others do meanwhile, and wherever the controller is killed.

Traffic is led only to what is ready; the controller comes to rest; the status is consistent; and when everything is
there again, the update comes to its end, by the moments at which the controller asks to be woken.
"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drumroll.domain.rollout.decide import decide
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH
from drumroll.objects.meta import timestamp
from tests.domain.blue_green_world import ANALYSIS
from tests.domain.canary_world import SERVICE_NAMES, CanaryWorld
from tests.domain.rollout_world import GATEWAY, SERVICES, rollout, routed
from tests.domain.test_rollout_properties import IMAGES, check_traffic, ready
from tests.searching import examples

ROUTES = {"trafficRouting": {**GATEWAY, "managedRoutes": [{"name": "head"}, {"name": "mirror"}]}}
MATCH = [{"headerName": "x", "headerValue": {"exact": "1"}}]
TRIAL = {"templates": [{"name": "a", "specRef": "canary", "replicas": 1, "weight": 10}]}

ANYWHERE = st.one_of(
    st.builds(lambda n: {"setWeight": n}, st.sampled_from([0, 5, 20, 50, 80, 100])),
    st.builds(lambda n: {"pause": {"duration": n}}, st.sampled_from([5, "10s"])),
    st.just({"pause": {}}),
    st.just({"analysis": ANALYSIS}),
)
ROUTED = st.one_of(
    ANYWHERE,
    st.builds(lambda n: {"setCanaryScale": {"replicas": n}}, st.integers(0, 5)),
    st.builds(lambda n: {"setCanaryScale": {"weight": n}}, st.sampled_from([0, 10, 100])),
    st.just({"setCanaryScale": {"matchTrafficWeight": True}}),
    st.just({"setHeaderRoute": {"name": "head", "match": MATCH}}),
    st.just({"setHeaderRoute": {"name": "head"}}),
    st.just({"setMirrorRoute": {"name": "mirror", "match": [{"path": {"prefix": "/"}}], "percentage": 50}}),
    st.just({"experiment": TRIAL}),
)
THRESHOLD = st.sampled_from([{"type": "Percent", "value": 50}, {"type": "Pod", "value": 1}])
COMMON = {
    "analysis": st.just(ANALYSIS),
    "replicaProgressThreshold": THRESHOLD,
    "maxSurge": st.integers(0, 2),
    "maxUnavailable": st.integers(1, 2),
}
STRATEGIES = st.fixed_dictionaries(
    {"steps": st.lists(ROUTED, max_size=5)},
    optional={
        **COMMON,
        "dynamicStableScale": st.booleans(),
        "abortScaleDownDelaySeconds": st.sampled_from([0, 10]),
        "minPodsPerReplicaSet": st.integers(1, 3),
    },
)
BASIC = st.fixed_dictionaries({"steps": st.lists(ANYWHERE, max_size=5)}, optional=COMMON)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "progressDeadlineAbort": st.booleans(),
        "progressDeadlineSeconds": st.sampled_from([20, 600]),
        "rollbackWindow": st.just({"revisions": 1}),
        "revisionHistoryLimit": st.integers(0, 2),
    },
)

COURSE = (
    *[st.tuples(st.just("tick"), st.integers(1, 4)) for _ in range(4)],
    st.tuples(st.just("turn"), st.sampled_from([0, 1, 2, 3, 4, 1000])),
    st.tuples(st.just("settle"), st.just(200)),
    st.tuples(st.just("acknowledge"), st.none()),
    st.tuples(st.just("replicate"), st.none()),
    st.tuples(st.just("start"), st.integers(1, 4)),
    st.tuples(st.just("slice"), st.sampled_from(["", *SERVICE_NAMES])),
    st.tuples(st.just("forward"), st.integers(1, 40)),
)
PEOPLE = (
    st.tuples(st.just("update"), st.sampled_from(IMAGES)),
    st.tuples(st.just("update"), st.sampled_from(IMAGES)),
    st.tuples(st.just("status"), st.sampled_from(
        [{"abort": True}, {"abort": False}, {"promoteFull": True}, {"pauseConditions": None}]
    )),
    st.tuples(st.just("spec"), st.builds(lambda n: {"replicas": n}, st.integers(1, 5))),
    st.tuples(st.just("spec"), st.builds(lambda yes: {"paused": yes}, st.booleans())),
    st.tuples(st.just("verdict"), st.sampled_from(["Successful", "Failed", "Error", "Inconclusive", ""])),
)  # fmt: skip
OTHERS = (
    st.tuples(st.just("spec"), st.builds(lambda n: {"replicas": n}, st.integers(0, 5))),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("crash"), st.sampled_from([*SERVICE_NAMES, *IMAGES])),
    st.tuples(st.just("heal"), st.none()),
    st.tuples(st.just("delete_set"), st.sampled_from(IMAGES)),
    st.tuples(st.just("delete_service"), st.sampled_from(SERVICE_NAMES)),
    st.tuples(st.just("delete_route"), st.none()),
    st.tuples(st.just("delete_runs"), st.none()),
    st.tuples(st.just("restore"), st.none()),
    st.tuples(st.just("edit_route"), st.sampled_from([0, 30, 100])),
    st.tuples(st.just("edit_service"), st.tuples(st.sampled_from(SERVICE_NAMES), st.sampled_from(["", *IMAGES]))),
    st.tuples(st.just("has_template"), st.booleans()),
)


def history(*events: Any) -> Any:
    return st.lists(st.one_of(*events), min_size=8, max_size=30)


def occur(world: CanaryWorld, event: str, argument: Any) -> None:
    if event == "tick":
        for _ in range(argument):
            world.replicate()
            world.start()
            world.slice()
            observed(world)
    elif event == "turn":
        observed(world, argument)
    elif event in ("status", "spec", "canary"):
        getattr(world, event)(**argument)
    elif event in ("verdict", "has_template"):
        setattr(world, event, argument)
    elif event == "restart":
        world.spec(restartAt=timestamp(world.now))
    elif event == "edit_service":
        world.edit_service(*argument)
    elif argument is None:
        getattr(world, event)()
    else:
        getattr(world, event)(argument)


def asked(world: CanaryWorld) -> dict[str, int]:
    """The weights that the controller has asked for; somebody else may have written others into the route."""
    weights = ((world.rollout.get("status") or {}).get("canary") or {}).get("weights")
    parts = (weights["stable"], weights["canary"]) if weights else ()
    return {part["serviceName"]: part["weight"] for part in parts} or {"web-stable": 100, "web-canary": 0}


def weights_of(world: CanaryWorld) -> dict[str, int]:
    return {ref["name"]: ref["weight"] for rule in world.route["spec"]["rules"][-1:] for ref in rule["backendRefs"]}


def observed(world: CanaryWorld, writes: int = 1000) -> None:
    """One turn, of which we see that it raises no weight of what is not ready as long as anything else is."""
    before = asked(world)
    alive = {name for pods in world.pods.values() for name in ready(pods)}
    world.turn(writes)
    after = asked(world)
    serving = {name: len(alive & ready(world.endpoints.get(name, []))) for name in SERVICE_NAMES}
    for name in SERVICE_NAMES:
        other = next(one for one in SERVICE_NAMES if one != name)
        if after[name] > before[name] and serving[name] == 0 and world.rollout["spec"]["replicas"]:
            assert serving[other] == 0 or not before[other], (name, before, after, world.state)


def consistent(world: CanaryWorld) -> None:
    """What the status says of itself agrees, and it is about what there is."""
    status, canary = world.rollout["status"], world.rollout["spec"]["strategy"].get("canary") or {}
    steps = canary.get("steps") or []
    is_refused = "InvalidSpec" in (status.get("message") or "")  # then the rest of the status is as it was
    assert is_refused or 0 <= (status.get("currentStepIndex") or 0) <= len(steps), status
    assert (status.get("message") is not None) == (status["phase"] != "Healthy"), status
    if status["phase"] == "Healthy":
        assert status["stableRS"] == status["currentPodHash"] == world.wanted_hash, status
        assert not status.get("abort"), status
        assert not status.get("pauseConditions"), status
    if status.get("abort") and not is_refused:
        assert status["phase"] == "Degraded", status
    weights = (status.get("canary") or {}).get("weights")
    if weights:
        assert all(0 <= part["weight"] <= 100 for part in (weights["canary"], weights["stable"])), weights
        additional = sum(one["weight"] for one in weights.get("additional") or ())
        assert weights["canary"]["weight"] + weights["stable"]["weight"] + additional == 100, weights


def is_still(world: CanaryWorld) -> None:
    """Without any change around it the controller soon has nothing left to write."""
    for _ in range(30):
        if not world.turn():
            consistent(world)
            return
    raise AssertionError(("writes and writes", world.state, decide(world.inputs(), world.now).actions))


def come_to_end(world: CanaryWorld) -> None:
    """Everything is there, people go on where they are asked, time goes to where the controller wants to be woken."""
    world.heal()
    world.restore()
    world.verdict = "Successful"
    world.spec(paused=None)
    told = []
    for _ in range(80):
        world.settle()
        consistent(world)
        status = world.rollout["status"]
        told.append(world.state)
        if world.wake_at is not None:
            assert world.wake_at > world.now, ("wakes for what is over", world.state)
            world.now = world.wake_at
        elif status.get("abort"):
            world.status(abort=False)
        elif status.get("pauseConditions"):
            world.status(pauseConditions=None)
        else:
            assert status["phase"] == "Healthy", ("stands still", told[-5:])
            return
    raise AssertionError(("never ends", told[-10:]))


def check_ended(world: CanaryWorld) -> None:
    replicas = world.rollout["spec"]["replicas"]
    image = world.rollout["spec"]["template"]["spec"]["containers"][0]["image"]
    status, canary = world.rollout["status"], world.rollout["spec"]["strategy"].get("canary") or {}
    assert world.image_of(status["stableRS"]) == image
    keeps = canary.get("abortScaleDownDelaySeconds") == 0
    for one in world.sets.values():
        is_wanted = world.image_of(one["metadata"]["labels"][ROLLOUT_HASH]) == image
        assert (keeps and not is_wanted) or one["spec"]["replicas"] == (replicas if is_wanted else 0), world.state
    assert all(run["status"]["phase"] != "Running" for run in world.runs.values()), world.runs
    if canary.get("trafficRouting"):
        assert weights_of(world) == {"web-stable": 100, "web-canary": 0}, world.state
        assert len(world.route["spec"]["rules"]) == 1, world.route["spec"]
        selected = {name: world.services[name]["spec"]["selector"].get(ROLLOUT_HASH) for name in SERVICE_NAMES}
        assert set(selected.values()) == {world.wanted_hash}, world.state


def begun(one: Any, spec: dict[str, Any]) -> CanaryWorld:
    one["spec"] |= spec
    world = CanaryWorld(one)
    world.settle()
    world.acknowledge()
    world.update("v2")
    return world


searched = settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])


@searched
@given(STRATEGIES, SPECS, st.integers(1, 5), history(*COURSE, *PEOPLE))
def test_with_any_steps_and_sizes_traffic_goes_only_to_what_is_ready(
    strategy: dict[str, Any], spec: dict[str, Any], replicas: int, events: list[tuple[str, Any]]
) -> None:
    world = begun(routed(replicas=replicas, **strategy, **ROUTES), spec)
    floor = replicas
    for event, argument in events:
        occur(world, event, argument)
        floor = min(floor, world.rollout["spec"]["replicas"])
        check_traffic(world, 1)
        assert world.available >= floor, world.state
    is_still(world)
    come_to_end(world)
    check_traffic(world, world.rollout["spec"]["replicas"])
    check_ended(world)


@searched
@given(BASIC, SPECS, st.integers(1, 5), history(*COURSE, *PEOPLE))
def test_without_routing_the_bounds_hold_with_any_steps_and_sizes(
    strategy: dict[str, Any], spec: dict[str, Any], replicas: int, events: list[tuple[str, Any]]
) -> None:
    strategy = {"maxSurge": 1, "maxUnavailable": 1, **strategy}
    world = begun(rollout(replicas=replicas, **strategy), spec)
    sizes = {replicas}
    for event, argument in events:
        occur(world, event, argument)
        sizes.add(world.rollout["spec"]["replicas"])
        assert world.available >= min(sizes) - strategy["maxUnavailable"], world.state
        there = sum(one["spec"]["replicas"] for one in world.sets.values())
        assert there <= max(sizes) + strategy["maxSurge"], world.state
    is_still(world)
    come_to_end(world)
    check_ended(world)


@searched
@given(
    st.one_of(
        st.builds(lambda kept, n: routed(replicas=n, **kept, **ROUTES), STRATEGIES, st.integers(0, 5)),
        st.builds(lambda kept, n: rollout(replicas=n, **kept), BASIC, st.integers(0, 5)),
        st.builds(lambda kept, n: rollout(replicas=n, **kept, **SERVICES), BASIC, st.integers(0, 5)),
    ),
    SPECS,
    history(
        *COURSE,
        *PEOPLE,
        *OTHERS,
        st.tuples(
            st.just("canary"),
            st.one_of(
                st.builds(lambda steps: {"steps": steps}, st.lists(ANYWHERE, max_size=4)),
                st.builds(lambda n: {"maxSurge": n}, st.integers(1, 3)),
            ),
        ),
    ),
)
def test_whatever_others_do_the_controller_rests_and_the_update_ends_when_all_is_there_again(
    one: Any, spec: dict[str, Any], events: list[tuple[str, Any]]
) -> None:
    world = begun(one, spec)
    for event, argument in events:
        occur(world, event, argument)
    is_still(world)
    come_to_end(world)
    check_ended(world)
