"""Verdicts, limits and counts: when a metric and a run end, how, and when the next measurement is due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.analysis.arguments import ArgumentError
from drumroll.domain.analysis.assessment import assess, expires
from drumroll.domain.analysis.expression.syntax import ExpressionError
from drumroll.domain.analysis.measurement import Reading, Taken, due, measurement, next_look, recorded, results_of
from drumroll.domain.analysis.metrics import MetricError, metrics_of, with_arguments
from drumroll.domain.analysis.names import COMPLETED
from drumroll.domain.analysis.verdict import verdict
from drumroll.objects.meta import timestamp

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
S, F, I, E = "Successful", "Failed", "Inconclusive", "Error"  # noqa: E741
WEB = {"web": {"url": "http://x"}}

VERDICTS = [
    ("", "", 1, S),
    ("result > 0", "", 1, S),
    ("result > 0", "", 0, F),
    ("", "result > 0", 1, F),
    ("", "result > 0", 0, S),
    ("result > 5", "result < 2", 6, S),
    ("result > 5", "result < 2", 1, F),
    ("result > 5", "result < 2", 3, I),
    ("result > 0", "result > 1", 2, F),
]


@pytest.mark.parametrize(("success", "failure", "result", "phase"), VERDICTS)
def test_the_table_of_verdicts(success, failure, result, phase):
    assert verdict(result, success, failure, NOW) == phase


def test_a_condition_that_cannot_be_evaluated_makes_an_error():
    with pytest.raises(ExpressionError):
        verdict([], "result[0] > 0", "", NOW)
    taken = Taken(Reading("[]", []), NOW, NOW)
    measured = measurement({"successCondition": "result[0] > 0"}, taken)
    assert (measured["phase"], measured["message"]) == (E, "index out of range: 0 (array length is 0) (1:7)")


def test_secrets_show_in_no_part_of_a_measurement():
    reading = Reading("token hunter2", "hunter2", metadata={"query": "key=hunter2"}, error="refused hunter2")
    measured = measurement({}, Taken(reading, NOW, NOW), ["hunter2", ""])
    assert "hunter2" not in str(measured)
    assert measured["message"] == "refused *****"


def run_of(*metrics, status=None, **spec):
    filled = [{"provider": WEB, **metric} for metric in metrics]
    return {"spec": {"metrics": filled, **spec}, "status": status or {}}


class Story:
    """A run that is measured again and again, ten seconds apart, until it ends."""

    def __init__(self, *metrics, **spec):
        self.run, self.now = run_of(*metrics, **spec), NOW
        self.metrics = metrics_of(self.run["spec"])
        self.events = []

    def take(self, **phases):
        """One turn: each named metric gets a measurement with that phase."""
        results = results_of(self.run)
        for metric in self.metrics:
            if phase := phases.get(metric.name):
                measured = {"phase": phase, "startedAt": timestamp(self.now), "finishedAt": timestamp(self.now)}
                results[metric.name] = recorded(results.get(metric.name), metric, measured, {})
        assessment = assess(self.run, self.metrics, results, self.now)
        self.run = {**self.run, "status": assessment.status}
        self.events += [event.reason for event in assessment.events]
        self.now += timedelta(seconds=10)
        return assessment.status["phase"]


ONE = {"name": "a"}
MANY = {"name": "a", "interval": "10s"}
STORIES = [  # a metric, the phases of its measurements, how the run ends (None: it goes on), the message
    (ONE, [S], S, ""),
    (ONE, [F], F, 'Metric "a" assessed Failed due to failed (1) > failureLimit (0)'),
    (ONE, [I], I, 'Metric "a" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)'),
    (ONE, [E, E, E, E], None, ""),
    (ONE, [E] * 5, E, 'Metric "a" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4)'),
    (ONE, [E, E, E, E, S], S, ""),
    (MANY, [S] * 9, None, ""),
    ({**MANY, "count": 3}, [S, S], None, ""),
    ({**MANY, "count": 3}, [S, S, S], S, ""),
    ({**MANY, "count": "3"}, [S, S, S], S, ""),
    ({**MANY, "count": 3, "failureLimit": 1}, [S, F, S], S, ""),
    ({**MANY, "count": 3, "failureLimit": 1}, [F, F], F, "failed (2) > failureLimit (1)"),
    ({**MANY, "count": 3, "failureLimit": -1}, [F, F, F], S, ""),
    ({**MANY, "failureLimit": -1}, [F] * 8, None, ""),
    ({**MANY, "count": 3, "inconclusiveLimit": 1}, [I, S, S], S, ""),
    ({**MANY, "inconclusiveLimit": 1}, [I, S, I], I, "inconclusive (2) > inconclusiveLimit (1)"),
    ({**MANY, "consecutiveErrorLimit": 0}, [S, E], E, "consecutiveErrors (1) > consecutiveErrorLimit (0)"),
    ({**MANY, "consecutiveErrorLimit": 1}, [E, S, E, S, E], None, ""),
    ({**MANY, "consecutiveSuccessLimit": 2}, [S], None, ""),
    ({**MANY, "consecutiveSuccessLimit": 2}, [S, S], S, ""),
    ({**MANY, "consecutiveSuccessLimit": 2, "failureLimit": -1}, [S, F, S, S], S, ""),
    ({**MANY, "consecutiveSuccessLimit": 2, "failureLimit": 0}, [S, F], F, "failed (1) > failureLimit (0)"),
    (
        {**MANY, "consecutiveSuccessLimit": 2, "failureLimit": -1, "count": 3},
        [S, F, S],
        F,
        "consecutiveSuccesses (1) <",
    ),
    ({**MANY, "consecutiveSuccessLimit": 3, "failureLimit": 1, "count": 3}, [S, F, S], I, "consecutiveSuccesses (1) <"),
]


@pytest.mark.parametrize(("metric", "phases", "end", "message"), STORIES)
def test_limits_end_a_metric(metric, phases, end, message):
    story = Story(metric)
    seen = [story.take(a=phase) for phase in phases]
    assert set(seen[:-1]) <= {"Running"}
    assert seen[-1] == (end or "Running")
    assert message in story.run["status"]["message"]
    if end:
        assert story.events == [f"Metric{end}", f"AnalysisRun{end}"]


def test_one_failed_metric_ends_the_others_in_the_same_turn():
    story = Story(MANY, {**MANY, "name": "b"})
    assert story.take(a=S, b=S) == "Running"
    assert story.take(a=S, b=F) == F
    results = results_of(story.run)
    assert (results["a"]["phase"], results["b"]["phase"]) == (S, F)
    assert story.run["status"]["runSummary"] == {"count": 2, "successful": 1, "failed": 1}
    assert story.run["status"]["completedAt"] == timestamp(NOW + timedelta(seconds=10))
    assert due(story.run, story.metrics, story.now + timedelta(hours=1)) == ()


def test_a_metric_in_dry_run_is_told_of_and_changes_nothing():
    story = Story(ONE, {"name": "dry-1"}, dryRun=[{"metricName": "dry-.*"}])
    assert story.take(**{"a": S, "dry-1": F}) == S
    status = story.run["status"]
    assert status["message"] == ""
    assert status["dryRunSummary"] == {"count": 1, "failed": 1}
    assert results_of(story.run)["dry-1"]["dryRun"] is True
    assert results_of(story.run)["dry-1"]["message"] == "Metric assessed Failed due to failed (1) > failureLimit (0)"


def test_a_run_that_is_asked_to_end_ends_well_unless_it_has_failed():
    story = Story(MANY)
    story.take(a=S)
    story.run["spec"]["terminate"] = True
    assert story.take() == S
    assert story.run["status"]["message"] == "Run Terminated"
    unmeasured = Story(MANY)
    unmeasured.run["spec"]["terminate"] = True
    assert unmeasured.take() == S


def test_the_message_of_the_last_error_is_in_that_of_the_run():
    run = run_of({**ONE, "consecutiveErrorLimit": 0})
    metrics = metrics_of(run["spec"])
    measured = measurement(metrics[0].raw, Taken(Reading(error="received non 2xx response code: 404"), NOW, NOW))
    status = assess(run, metrics, {"a": recorded(None, metrics[0], measured, {})}, NOW).status
    assert status["message"] == (
        'Metric "a" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): '
        '"Error Message: received non 2xx response code: 404"'
    )


def test_old_measurements_go_and_the_counts_stay():
    story = Story(MANY, measurementRetention=[{"metricName": "a", "limit": 3}])
    for _ in range(7):
        story.take(a=S)
    result = results_of(story.run)["a"]
    assert (result["count"], result["successful"], len(result["measurements"])) == (7, 7, 3)
    default = Story(MANY)
    for _ in range(12):
        default.take(a=S)
    assert len(results_of(default.run)["a"]["measurements"]) == 10


SEQUENCES = st.lists(st.sampled_from([S, F, I, E]), min_size=1, max_size=25)
LIMITS = st.fixed_dictionaries(
    {
        "failureLimit": st.integers(-1, 3),
        "inconclusiveLimit": st.integers(0, 3),
        "consecutiveErrorLimit": st.integers(0, 3),
        "consecutiveSuccessLimit": st.integers(0, 4),
    }
)


@given(SEQUENCES, LIMITS, st.integers(3, 12))
def test_counts_add_up_limits_hold_and_the_end_is_final(phases, limits, count):
    story = Story({**MANY, **limits, "count": count})
    ended = ""
    for phase in phases:
        if ended:
            assert story.take() == ended
            continue
        outcome = story.take(a=phase)
        ended = outcome if outcome in COMPLETED else ""
    result = results_of(story.run)["a"]
    figures = {name: result.get(name, 0) for name in ("successful", "failed", "inconclusive", "error", "count")}
    assert figures["count"] == figures["successful"] + figures["failed"] + figures["inconclusive"] <= count
    if ended != F and limits["failureLimit"] >= 0:
        assert figures["failed"] <= limits["failureLimit"]
    if ended != I:
        assert figures["inconclusive"] <= limits["inconclusiveLimit"]
    if ended == S and limits["consecutiveSuccessLimit"]:
        assert result["consecutiveSuccess"] >= limits["consecutiveSuccessLimit"]
    if figures["count"] == count:
        assert ended
    assert len(result["measurements"]) <= 10


DUE = [  # a metric, its last measurement, when the next is due
    (ONE, None, 0),
    ({**ONE, "initialDelay": "1m"}, None, 60),
    (ONE, {"phase": S}, None),
    (ONE, {"phase": E}, 10),
    (MANY, {"phase": S}, 10),
    ({"name": "a", "interval": "1h"}, {"phase": S}, 3600),
    ({"name": "a", "interval": "1h"}, {"phase": E}, 10),
    ({"name": "a", "interval": "500ms"}, {"phase": S}, 0.5),
    ({**MANY, "count": 1}, {"phase": S}, None),
]


@pytest.mark.parametrize(("metric", "last", "seconds"), DUE)
def test_when_the_next_measurement_is_due(metric, last, seconds):
    run = run_of(metric)
    metrics = metrics_of(run["spec"])
    status = {"startedAt": timestamp(NOW), "phase": "Running"}
    if last:
        measured = {**last, "finishedAt": timestamp(NOW)}
        results = {"a": recorded(None, metrics[0], measured, {})}
        status = assess({**run, "status": status}, metrics, results, NOW).status
    run["status"] = status
    moment = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert next_look(run, metrics, NOW) == moment
    if moment:
        assert due(run, metrics, moment) == metrics
        assert due(run, metrics, moment - timedelta(milliseconds=1)) == ()


INVALID = [
    ([], "no metrics specified"),
    ([ONE, ONE], "metrics[1]: duplicate name 'a'"),
    ([{**ONE, "count": 2}], "metrics[0]: interval must be specified when count > 1"),
    ([{**MANY, "count": 2, "failureLimit": 3}], "metrics[0]: count must be >= failureLimit"),
    ([{**MANY, "count": 2, "inconclusiveLimit": 3}], "metrics[0]: count must be >= inconclusiveLimit"),
    ([{**ONE, "interval": "5 minutes"}], 'metrics[0]: invalid interval string: time: invalid duration "5 minutes"'),
    ([{**ONE, "initialDelay": "x"}], 'metrics[0]: invalid startDelay string: time: invalid duration "x"'),
    ([{**ONE, "failureLimit": -2}], "metrics[0]: failureLimit must be >= -1 (-1 switches it off)"),
    ([{**ONE, "inconclusiveLimit": -1}], "metrics[0]: inconclusiveLimit must be >= 0"),
    ([{**ONE, "consecutiveErrorLimit": -1}], "metrics[0]: consecutiveErrorLimit must be >= 0"),
    ([{**ONE, "count": "many"}], "metrics[0]: count must be a whole number, not 'many'"),
    ([{**ONE, "provider": {}}], "metrics[0]: no provider specified"),
    ([{**ONE, "provider": {**WEB, "job": {}}}], "metrics[0]: multiple providers specified"),
    ([{**ONE, "successCondition": "resutl > 1"}], "metrics[0]: successCondition: unknown name resutl (1:1)"),
]


@pytest.mark.parametrize(("metrics", "message"), INVALID)
def test_what_is_wrong_with_metrics(metrics, message):
    with pytest.raises(MetricError) as caught:
        metrics_of(run_of(*metrics)["spec"])
    assert str(caught.value) == message


def test_rules_that_find_no_metric_are_refused():
    for field in ("dryRun", "measurementRetention"):
        with pytest.raises(MetricError, match=rf"{field}\[0\]: Rule didn't match any metric name"):
            metrics_of(run_of(ONE, **{field: [{"metricName": "b", "limit": 2}]})["spec"])


def test_arguments_are_resolved_in_every_text_of_a_metric():
    metric = {"name": "{{args.name}}", "interval": "{{ args.every }}", "count": "{{args.count}}"}
    arguments = [
        {"name": "name", "value": 'rate "x"'},
        {"name": "every", "value": "5s"},
        {"name": "count", "value": "4"},
    ]
    secret = {"name": "limit", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    run = run_of({**metric, "successCondition": "result < {{args.limit}}"}, args=[*arguments, secret])
    (found,) = metrics_of(run["spec"])
    assert (found.name, found.interval, found.count) == ('rate "x"', timedelta(seconds=5), 4)
    given = [*arguments, {"name": "limit", "value": "0.5"}]
    assert with_arguments(run["spec"], found.name, given)["successCondition"] == "result < 0.5"
    with pytest.raises(ArgumentError, match=r'argument "x" was not supplied'):
        metrics_of(run_of(ONE, args=[{"name": "x"}])["spec"])


TTL = [
    ({"secondsAfterCompletion": 10}, S, 10),
    ({"secondsAfterCompletion": 10, "secondsAfterFailure": 20}, F, 20),
    ({"secondsAfterCompletion": 10, "secondsAfterSuccess": 0}, S, 0),
    ({"secondsAfterFailure": 20}, S, None),
    ({"secondsAfterFailure": 20}, E, 20),
    ({"secondsAfterCompletion": 10}, "Running", None),
    ({}, S, None),
]


@pytest.mark.parametrize(("strategy", "phase", "seconds"), TTL)
def test_when_an_ended_run_is_deleted(strategy, phase, seconds):
    run = run_of(ONE, status={"phase": phase, "completedAt": timestamp(NOW)}, ttlStrategy=strategy)
    assert expires(run) == (None if seconds is None else NOW + timedelta(seconds=seconds))


def test_a_clock_that_is_set_back_ends_no_watch():
    story = Story(MANY)
    story.take(a=S)
    earlier = story.now - timedelta(hours=1)
    assert due(story.run, story.metrics, earlier) == story.metrics
