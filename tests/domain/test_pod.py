"""Which containers start when (semantics 4.2 and the order of init containers)."""

from datetime import UTC, datetime, timedelta

import pytest

from drumroll.domain.pod import Held, Plan, Run, World, plan_containers
from drumroll.domain.restart import BackOff

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(*init, policy="Always", containers=("web",), sidecars=()):
    first = [{"name": n, **({"restartPolicy": "Always"} if n in sidecars else {})} for n in init]
    return {
        "metadata": {"name": "web"},
        "spec": {"restartPolicy": policy, "initContainers": first, "containers": [{"name": n} for n in containers]},
    }


def debugged(subject):
    subject["spec"]["ephemeralContainers"] = [{"name": "look"}]
    return subject


def up(attempt=0):
    return Run("id", attempt, started_at=NOW)


def done(code=0, ago=1):
    return Run("id", 0, finished_at=NOW - timedelta(seconds=ago), exit_code=code)


def entry(delay, ago):
    return BackOff(timedelta(seconds=delay), NOW - timedelta(seconds=ago))


@pytest.mark.parametrize(
    ("subject", "runs", "started", "expected"),
    [
        pytest.param(pod(), {}, set(), Plan(("web",), initialized=True), id="a fresh pod starts its container"),
        pytest.param(pod(), {"web": up()}, {"web"}, Plan(initialized=True), id="what runs is left alone"),
        pytest.param(pod(), {"web": done(1)}, set(), Plan(("web",), initialized=True), id="a first exit restarts"),
        pytest.param(
            pod(policy="Never"), {"web": done(1)}, set(), Plan(initialized=True, ended=True), id="Never means never"
        ),
        pytest.param(
            pod(policy="OnFailure"), {"web": done(0)}, set(), Plan(initialized=True, ended=True),
            id="OnFailure ends with success",
        ),
        pytest.param(
            pod(policy="OnFailure"), {"web": done(1)}, set(), Plan(("web",), initialized=True),
            id="OnFailure restarts a failure",
        ),
        pytest.param(
            pod(policy="Never", containers=("a", "b")), {"a": done(0), "b": up()}, {"b"}, Plan(initialized=True),
            id="a pod ends with its last container",
        ),
        pytest.param(pod("one", "two"), {}, set(), Plan(("one",)), id="the first init container comes first"),
        pytest.param(pod("one", "two"), {"one": up()}, {"one"}, Plan(), id="the second waits for it"),
        pytest.param(pod("one", "two"), {"one": done()}, set(), Plan(("two",)), id="then it is the second's turn"),
        pytest.param(
            pod("one"), {"one": done()}, set(), Plan(("web",), initialized=True), id="after all of them the others"
        ),
        pytest.param(pod("one"), {"one": done(1)}, set(), Plan(("one",)), id="a failed init container runs again"),
        pytest.param(
            pod("one", policy="Never"), {"one": done(1)}, set(), Plan(ended=True), id="under Never it fails the pod"
        ),
        pytest.param(
            pod("mesh", sidecars=("mesh",)), {"mesh": up()}, set(), Plan(), id="a sidecar must have started first"
        ),
        pytest.param(
            pod("mesh", sidecars=("mesh",)), {"mesh": up()}, {"mesh"}, Plan(("web",), initialized=True),
            id="and then runs beside the others",
        ),
        pytest.param(
            pod("mesh", sidecars=("mesh",)), {"mesh": done(0), "web": up()}, {"web"}, Plan(("mesh",)),
            id="a sidecar that ended comes back whatever its exit code",
        ),
        pytest.param(debugged(pod()), {"web": up()}, {"web"}, Plan(("look",), initialized=True), id="a helper starts"),
        pytest.param(debugged(pod("one")), {"one": up()}, {"one"}, Plan(("look",)), id="also before the others"),
        pytest.param(
            debugged(pod()), {"web": up(), "look": done(1)}, {"web"}, Plan(initialized=True), id="and never again"
        ),
        pytest.param(
            debugged(pod(policy="Never")), {"web": done(), "look": up()}, {"look"}, Plan(initialized=True, ended=True),
            id="a helper does not keep a pod up",
        ),
        pytest.param(
            debugged(pod(policy="Never")), {"web": done()}, set(), Plan(initialized=True, ended=True),
            id="nor does it start in one that has ended",
        ),
        pytest.param(
            debugged(pod("one", policy="Never")), {"one": done(1), "look": up()}, set(), Plan(ended=True),
            id="nor after a failed init container",
        ),
    ],
)  # fmt: skip
def test_plan(subject, runs, started, expected):
    assert plan_containers(subject, World(runs, {}, started), NOW) == expected


@pytest.mark.parametrize(
    ("back_off", "finished_ago", "expected"),
    [
        pytest.param(entry(10, 5), 3, Held(NOW + timedelta(seconds=7), timedelta(seconds=10)), id="it waits"),
        pytest.param(entry(10, 30), 10, None, id="the delay is over"),
        pytest.param(entry(300, 700), 1, None, id="ten minutes of work forget the past"),
    ],
)
def test_back_off_holds_a_crashed_container(back_off, finished_ago, expected):
    world = World({"web": done(1, finished_ago)}, {"web": back_off})
    plan = plan_containers(pod(), world, NOW)
    assert plan.held.get("web") == expected
    assert plan.start == (() if expected else ("web",))
    assert not plan.ended
