"""Phase, conditions and container statuses (semantics 4.5), and the patch that tells them."""

from datetime import UTC, datetime, timedelta

import pytest

from drumroll.domain.pod import Run
from drumroll.domain.pod_status import ContainerView, PodFacts, Waiting, build_status, status_patch
from drumroll.objects.schema import message
from drumroll.objects.strategic import merge_map

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def up():
    return Run("c1", 0, started_at=NOW)


def done(code=0, **more):
    return Run("c1", 0, started_at=NOW, finished_at=LATER, exit_code=code, **more)


def view(run=None, name="web", ready=False, **more):
    started = run is not None and run.is_running
    return ContainerView({"name": name, "image": "x"}, run, started=started, ready=ready, **more)


CRASHING = view(done(1), waiting=Waiting("CrashLoopBackOff", "back-off 10s"))


def pod(policy="Always", deleting=False, status=None, **spec):
    meta = {"name": "web", "namespace": "default", "generation": 1}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:30Z"
    return {"metadata": meta, "spec": {"restartPolicy": policy, "containers": [], **spec}, "status": status or {}}


def status_of(subject, *views, init=(), ip="10.244.0.5", now=NOW):
    return build_status(subject, PodFacts(init, views, ip, "10.244.0.1", NOW), now)


@pytest.mark.parametrize(
    ("subject", "views", "init", "expected"),
    [
        pytest.param(pod(), [view()], [], "Pending", id="nothing has started"),
        pytest.param(pod(), [view(up())], [], "Running", id="one runs"),
        pytest.param(pod(), [view(up()), view(name="b")], [], "Pending", id="one still waits for its first start"),
        pytest.param(pod(), [view(up()), CRASHING], [], "Running", id="one runs, one backs off"),
        pytest.param(pod(), [CRASHING], [], "Running", id="all back off under Always"),
        pytest.param(pod(), [view(done(0))], [], "Running", id="exited but restartable"),
        pytest.param(pod("Never"), [view(done(0))], [], "Succeeded", id="all exited with 0"),
        pytest.param(pod("Never"), [view(done(0)), view(done(1))], [], "Failed", id="one exited with 1"),
        pytest.param(pod("OnFailure"), [view(done(1))], [], "Running", id="OnFailure restarts"),
        pytest.param(pod("OnFailure"), [view(done(0))], [], "Succeeded", id="OnFailure with success"),
        pytest.param(pod(), [view()], [view(up(), "one")], "Pending", id="init still runs"),
        pytest.param(pod("Never"), [view()], [view(done(1), "one")], "Failed", id="init failed under Never"),
        pytest.param(pod(), [view()], [view(done(1), "one")], "Pending", id="init failed, will run again"),
        pytest.param(pod(deleting=True), [view(up())], [], "Running", id="deleting, still runs"),
        pytest.param(pod(deleting=True), [view(done(0))], [], "Succeeded", id="deleted, exited with 0"),
        pytest.param(pod(deleting=True), [view(done(137))], [], "Failed", id="deleted, killed"),
        pytest.param(pod(status={"phase": "Failed"}), [view(up())], [], "Failed", id="a terminal phase stays"),
    ],
)
def test_phase(subject, views, init, expected):
    assert status_of(subject, *views, init=init)["phase"] == expected


def test_conditions_of_a_ready_pod_in_their_order():
    conditions = status_of(pod(), view(up(), ready=True))["conditions"]
    assert [(c["type"], c["status"], c["observedGeneration"]) for c in conditions] == [
        ("PodReadyToStartContainers", "True", 1),
        ("Initialized", "True", 1),
        ("Ready", "True", 1),
        ("ContainersReady", "True", 1),
        ("PodScheduled", "True", 1),
    ]


def test_added_containers_are_shown_and_count_for_nothing():
    facts = PodFacts([], [view(up(), ready=True)], "10.244.0.5", "10.244.0.1", NOW, [view(done(1), "look")])
    status = build_status(pod(), facts, NOW)
    (added,) = status["ephemeralContainerStatuses"]
    assert (added["name"], added["ready"], added["state"]["terminated"]["exitCode"]) == ("look", False, 1)
    assert "started" not in added
    assert (status["phase"], condition(status, "Ready")[0]) == ("Running", "True")


def condition(status, kind):
    found = next(c for c in status["conditions"] if c["type"] == kind)
    return found["status"], found.get("reason"), found.get("message")


def test_unready_containers_are_named():
    status = status_of(pod(), view(up()), view(up(), "b"), view(up(), "c", ready=True))
    expected = ("False", "ContainersNotReady", "containers with unready status: [web b]")
    assert condition(status, "Ready") == condition(status, "ContainersReady") == expected


def test_uninitialized_containers_are_named():
    status = status_of(pod(), view(), init=[view(done(0), "one"), view(up(), "two")])
    expected = ("False", "ContainersNotInitialized", "containers with incomplete status: [two]")
    assert condition(status, "Initialized") == expected


@pytest.mark.parametrize(("code", "reason"), [(0, "PodCompleted"), (1, "PodFailed")])
def test_an_ended_pod_is_not_ready(code, reason):
    status = status_of(pod("Never"), view(done(code)))
    assert condition(status, "Ready") == ("False", reason, None)
    assert condition(status, "PodReadyToStartContainers")[0] == "False"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (
            [],
            ("False", "ReadinessGatesNotReady",
             'corresponding condition of pod readiness gate "x/y" does not exist.'),
        ),
        (
            [{"type": "x/y", "status": "False"}],
            ("False", "ReadinessGatesNotReady",
             'the status of pod readiness gate "x/y" is not "True", but False'),
        ),
        ([{"type": "x/y", "status": "True"}], ("True", None, None)),
    ],
)  # fmt: skip
def test_readiness_gates(conditions, expected):
    subject = pod(status={"conditions": conditions}, readinessGates=[{"conditionType": "x/y"}])
    status = status_of(subject, view(up(), ready=True))
    assert condition(status, "Ready") == expected
    assert condition(status, "ContainersReady") == ("True", None, None)


def test_a_condition_keeps_its_time_until_its_status_changes():
    first = status_of(pod(), view(up()))
    second = status_of(pod(status=first), view(up(), ready=True), now=LATER)
    times = {c["type"]: c["lastTransitionTime"] for c in second["conditions"]}
    assert times["Ready"] == "2026-01-01T00:01:00Z"
    assert times["Initialized"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("subject", "state", "last"),
    [
        pytest.param(view(), {"waiting": {"reason": "ContainerCreating"}}, {}, id="not started yet"),
        pytest.param(view(up()), {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, {}, id="running"),
        pytest.param(
            CRASHING,
            {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            {"terminated": {"exitCode": 1, "reason": "Error"}},
            id="a crashed one that waits shows its last end",
        ),
        pytest.param(
            view(done(0, message="bye")),
            {"terminated": {"exitCode": 0, "reason": "Completed", "message": "bye"}},
            {},
            id="an ended one with its message",
        ),
        pytest.param(
            view(done(137, oom_killed=True)), {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, {},
            id="out of memory",
        ),
        pytest.param(
            view(up(), previous=done(2)), {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            {"terminated": {"exitCode": 2, "reason": "Error"}}, id="a restarted one shows the run before",
        ),
    ],
)  # fmt: skip
def test_container_state(subject, state, last):
    def shown(found):
        times = ("startedAt", "finishedAt", "containerID")
        return {
            kind: {key: value for key, value in facts.items() if kind == "running" or key not in times}
            for kind, facts in found.items()
        }

    (status,) = status_of(pod(), subject)["containerStatuses"]
    assert (shown(status["state"]), shown(status["lastState"])) == (state, last)


def test_the_patch_holds_only_what_differs():
    old = status_of(pod(), view(up()))
    assert status_patch(old, status_of(pod(status=old), view(up()), now=LATER)) is None
    patch = status_patch(old, status_of(pod(status=old), view(up(), ready=True), now=LATER))
    assert set(patch) == {"containerStatuses", "conditions", "$setElementOrder/conditions"}
    ready = next(c for c in patch["conditions"] if c["type"] == "Ready")
    assert ready["message"] is None
    assert [c["type"] for c in patch["conditions"]] == ["Ready", "ContainersReady"]


def test_conditions_of_others_stay_first():
    old = {"conditions": [{"type": "drumroll.dev/Drained", "status": "True"}]}
    patch = status_patch(old, status_of(pod(status=old), view(up())))
    assert patch["$setElementOrder/conditions"][0] == {"type": "drumroll.dev/Drained"}
    assert all(c["type"] != "drumroll.dev/Drained" for c in patch["conditions"])


def test_a_pod_that_starts_again_elsewhere_loses_its_old_address():
    old = {"podIPs": [{"ip": "127.244.0.3"}], "hostIPs": [{"ip": "127.0.0.1"}]}
    status = status_of(pod(status=old), view(up()))
    patch = {"status": status_patch(old, status)}
    merged = merge_map({"status": old}, patch, message("api.core.v1.Pod"))
    assert merged["status"]["podIPs"] == status["podIPs"]
    assert merged["status"]["hostIPs"] == status["hostIPs"]
