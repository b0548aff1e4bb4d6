"""The grace period of a pod: drain budget, preStop, SIGTERM, SIGKILL (semantics 4.4, the drain protocol)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.termination import (
    DrainView,
    decide_drain,
    declared_pre_stop,
    drain_budget,
    grace_of,
    kill_at,
    reserve,
)
from drumroll.objects.meta import micro_timestamp

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds):
    return BEGAN + timedelta(seconds=seconds)


def pod(grace=30, drained=False, pre_stop=None):
    container = {"name": "web", "image": "x"}
    if pre_stop is not None:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": pre_stop}}}
    conditions = [{"type": "drumroll.dev/Drained", "status": "True"}] if drained else []
    meta = {"name": "web", "deletionTimestamp": "2026-01-01T00:00:30Z", "deletionGracePeriodSeconds": grace}
    return {"metadata": meta, "spec": {"containers": [container]}, "status": {"conditions": conditions}}


def lease(until, holder="proxy"):
    return {
        "spec": {"holderIdentity": holder, "renewTime": micro_timestamp(at(until - 15)), "leaseDurationSeconds": 15}
    }


HELD = DrainView(served=True, proxy_lease=lease(1000))


@pytest.mark.parametrize(
    ("grace", "pre_stop", "budget"),
    [
        pytest.param(30, 0, 22.5, id="a quarter stays the program's own"),
        pytest.param(30, 10, 12.5, id="a preStop sleep counts"),
        pytest.param(4, 0, 2, id="at least two seconds stay"),
        pytest.param(2, 0, 0, id="two seconds of grace leave nothing for draining"),
        pytest.param(30, 30, 0, id="never negative"),
    ],
)
def test_drain_budget(grace, pre_stop, budget):
    assert drain_budget(grace, pre_stop) == budget


@given(st.integers(0, 3600), st.integers(0, 3600))
def test_draining_never_turns_sigterm_into_sigkill(grace, pre_stop):
    spent = drain_budget(grace, pre_stop) + pre_stop
    if spent > pre_stop:
        assert spent + reserve(grace) <= grace
    assert kill_at(BEGAN, at(spent), grace) >= at(spent + 2)


@pytest.mark.parametrize(
    ("subject", "view", "now", "expected"),
    [
        pytest.param(pod(), HELD, at(1), (False, "draining", at(22.5)), id="waits for the proxy within the budget"),
        pytest.param(pod(drained=True), HELD, at(1), (True, "drained", at(22.5)), id="goes on once drained"),
        pytest.param(pod(), HELD, at(22.5), (True, "budget spent", at(22.5)), id="goes on when the budget is spent"),
        pytest.param(pod(pre_stop=10), HELD, at(1), (False, "draining", at(12.5)), id="a preStop sleep shortens it"),
        pytest.param(
            pod(), DrainView(False, lease(1000)), at(0), (True, "not served", at(22.5)), id="no slice names it"
        ),
        pytest.param(pod(), DrainView(True, None), at(0), (True, "no proxy", at(22.5)), id="no lease"),
        pytest.param(
            pod(), DrainView(True, lease(5)), at(6), (True, "no proxy", at(22.5)), id="the lease ran out"
        ),
        pytest.param(
            pod(), DrainView(True, lease(5)), at(1), (False, "draining", at(5)), id="looks again at its end"
        ),
        pytest.param(
            pod(), DrainView(True, lease(900, "")), at(1), (True, "no proxy", at(22.5)), id="the lease was given"
        ),
        pytest.param(
            pod(), DrainView(True, lease(-60), at(5)), at(1), (False, "draining", at(5)),
            id="just after a crash a lease that ran out still counts",
        ),
        pytest.param(
            pod(), DrainView(True, lease(-60), at(5)), at(5), (True, "no proxy", at(22.5)), id="but not for long"
        ),
        pytest.param(
            pod(), DrainView(True, None, at(5)), at(1), (True, "no proxy", at(22.5)),
            id="a lease that never was is not waited for",
        ),
        pytest.param(pod(grace=1), HELD, at(0), (True, "budget spent", at(0)), id="a short grace leaves no budget"),
    ],
)  # fmt: skip
def test_decide_drain(subject, view, now, expected):
    decision = decide_drain(subject, view, BEGAN, now)
    assert (decision.go, decision.why, decision.until) == expected


@pytest.mark.parametrize(
    ("signalled", "expected"),
    [(0, 30), (5.9, 30), (28, 30), (28.5, 30.5), (40, 42)],
    ids=["at the end of the grace", "whenever SIGTERM came", "two seconds left", "never under two", "nor none"],
)
def test_when_the_kill_comes(signalled, expected):
    assert kill_at(BEGAN, at(signalled), 30) == at(expected)


def test_only_the_proxys_word_counts_as_drained():
    ready = pod()
    ready["status"]["conditions"] = [
        {"type": "Ready", "status": "True"},
        {"type": "drumroll.dev/Drained", "status": "False"},
    ]
    assert not decide_drain(ready, HELD, BEGAN, at(1)).go


def test_a_lease_that_was_never_renewed_is_held_by_nobody():
    view = DrainView(True, {"spec": {"holderIdentity": "proxy", "leaseDurationSeconds": 15}})
    assert decide_drain(pod(), view, BEGAN, at(1)).why == "no proxy"


def test_only_a_declared_sleep_has_a_length():
    hooks = [{}, {"lifecycle": {}}, {"lifecycle": {"preStop": {"exec": {"command": ["sleep", "9"]}}}}]
    assert declared_pre_stop(hooks) == 0
    assert declared_pre_stop([*hooks, {"lifecycle": {"preStop": {"sleep": {"seconds": 4}}}}]) == 4
    assert declared_pre_stop([]) == 0


def test_where_the_grace_comes_from():
    living = {"metadata": {}, "spec": {"terminationGracePeriodSeconds": 30}}
    assert grace_of(pod(grace=7), probe_grace=3) == 7
    assert grace_of(living, probe_grace=3) == 3
    assert grace_of(living) == 30
    assert grace_of({"metadata": {}, "spec": {}}) == 2


def test_the_longest_declared_sleep_counts():
    hooks = [{"lifecycle": {"preStop": {"sleep": {"seconds": n}}}} for n in (3, 5)]
    assert declared_pre_stop([*hooks, {"lifecycle": {"preStop": {"exec": {}}}}, {}]) == 5
