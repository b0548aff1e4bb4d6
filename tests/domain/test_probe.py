"""The threshold rules of probes (semantics 4.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.probe import (
    ProbeSpec,
    ProbeState,
    Verdict,
    initial_state,
    next_interval,
    observe,
    observe_extra,
    probe_specs,
)

S, F, U = Verdict.SUCCESS, Verdict.FAILURE, Verdict.UNKNOWN
LETTERS = {"+": S, "-": F}


def spec(kind, success=1, failure=3):
    return ProbeSpec(kind, {}, success_threshold=success, failure_threshold=failure)


def fold(probe, results):
    state = initial_state(probe.type)
    for letter in results:
        state = observe(state, LETTERS[letter], probe)
    return state


@pytest.mark.parametrize(("kind", "expected"), [("readiness", F), ("liveness", S), ("startup", U)], ids=str)
def test_a_new_container_starts_with(kind, expected):
    assert initial_state(kind).verdict is expected


@pytest.mark.parametrize(
    ("probe", "results", "expected"),
    [
        pytest.param(spec("readiness"), "+", S, id="one success makes ready"),
        pytest.param(spec("readiness", success=2), "+", F, id="below its threshold success changes nothing"),
        pytest.param(spec("readiness", success=2), "++", S, id="two successes in a row make ready"),
        pytest.param(spec("readiness", success=2), "+-+", F, id="a failure in between starts the count again"),
        pytest.param(spec("readiness"), "+--", S, id="below its threshold failure changes nothing"),
        pytest.param(spec("readiness"), "+---", F, id="three failures in a row make unready"),
        pytest.param(spec("readiness"), "+--+--", S, id="a success in between starts the count again"),
        pytest.param(spec("readiness", failure=1), "+-", F, id="threshold one flips at once"),
        pytest.param(spec("readiness"), "+---+", S, id="an unready program gets ready again"),
        pytest.param(spec("liveness"), "+---", F, id="a success does not put liveness on hold"),
        pytest.param(spec("liveness"), "--", S, id="liveness survives two failures"),
        pytest.param(spec("liveness"), "---", F, id="liveness fails at the third"),
        pytest.param(spec("liveness"), "---+", F, id="failed liveness is on hold until a new container"),
        pytest.param(spec("startup"), "--", U, id="startup is undecided below its threshold"),
        pytest.param(spec("startup"), "--+", S, id="startup passes with the first success"),
        pytest.param(spec("startup"), "---", F, id="startup gives up at its threshold"),
        pytest.param(spec("startup"), "+---", S, id="startup that has passed is never asked again"),
        pytest.param(spec("startup"), "---+", F, id="startup that has failed is on hold"),
    ],
)
def test_verdict_after(probe, results, expected):
    assert fold(probe, results).verdict is expected


@given(st.text("+-", max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_readiness_only_flips_on_enough_equal_results_in_a_row(results, success, failure):
    probe = spec("readiness", success, failure)
    state = initial_state("readiness")
    for index, letter in enumerate(results):
        after = observe(state, LETTERS[letter], probe)
        if after.verdict is not state.verdict:
            needed = success if letter == "+" else failure
            assert results[: index + 1].endswith(letter * needed)
        state = after


@given(st.text("+-", max_size=20))
def test_an_extra_probe_never_harms(results):
    for kind in ("readiness", "startup"):
        state = initial_state(kind)
        for letter in results:
            after = observe_extra(state, LETTERS[letter], spec(kind))
            assert after.verdict is state.verdict or after.verdict is S
            state = after
        assert (state.verdict is S) == ("+" in results)


def test_an_extra_failure_does_not_count_towards_the_threshold():
    state = ProbeState(U, F, 2)
    assert observe_extra(state, F, spec("startup")) == state


@pytest.mark.parametrize(
    ("kind", "verdict", "extra", "expected"),
    [
        pytest.param("readiness", F, 0, 0.1, id="an unready program is looked at again soon"),
        pytest.param("readiness", F, 3, 0.8, id="then less often"),
        pytest.param("readiness", F, 20, 10.0, id="at last once a period"),
        pytest.param("readiness", S, 0, 10.0, id="a ready one once a period"),
        pytest.param("startup", U, 1, 0.2, id="a starting one soon too"),
        pytest.param("liveness", S, 0, 10.0, id="liveness keeps its period"),
        pytest.param("liveness", F, 0, 10.0, id="also when it has failed"),
    ],
)
def test_next_interval(kind, verdict, extra, expected):
    assert next_interval(spec(kind), ProbeState(verdict), extra) == expected


def test_what_is_on_hold_or_needs_several_successes_is_not_looked_at_more_often():
    assert next_interval(spec("startup"), ProbeState(F, on_hold=True), 0) == 10
    assert next_interval(spec("readiness", success=2), ProbeState(F), 0) == 10


def test_an_extra_success_is_not_one_of_several_that_are_needed():
    assert observe_extra(initial_state("readiness"), S, spec("readiness", success=2)) == initial_state("readiness")


def test_a_run_that_outlived_the_control_plane_is_believed():
    assert initial_state("readiness", S).verdict is S


def test_what_a_probe_declares_is_taken():
    declared = {
        "exec": {"command": ["true"]},
        "initialDelaySeconds": 15, "timeoutSeconds": 2, "periodSeconds": 3,
        "successThreshold": 4, "failureThreshold": 5, "terminationGracePeriodSeconds": 6,
    }  # fmt: skip
    startup, readiness = probe_specs({"readinessProbe": declared, "startupProbe": {"httpGet": {"port": 1}}})
    assert readiness == ProbeSpec("readiness", {"exec": {"command": ["true"]}}, 15, 2, 3, 4, 5, 6)
    assert startup == ProbeSpec("startup", {"httpGet": {"port": 1}})


def test_defaults_of_a_probe():
    (probe,) = probe_specs({"readinessProbe": {"tcpSocket": {"port": 80}}})
    assert (probe.timeout, probe.period, probe.success_threshold, probe.failure_threshold) == (1, 10, 1, 3)
    assert (probe.initial_delay, probe.grace, dict(probe.handler)) == (0, None, {"tcpSocket": {"port": 80}})
