"""What providers say becomes samples, or a sentence about what is wrong with it."""

import pytest

from drumroll.domain.abtest.assignment import Split
from drumroll.domain.abtest.figures import (
    NOBODY,
    mesh_queries,
    of_counters,
    of_logs,
    of_users,
    of_web,
    queries,
)
from drumroll.domain.abtest.sequential import Sample, conversions
from drumroll.domain.promql.parser import parse

SPLIT = Split("button", "web-a", "web-b", 20, "ab-button", 3600)


def test_a_web_answer_becomes_two_samples():
    found = of_web(b'{"control": {"count": 10, "total": 3}, "treatment": {"count": 12, "total": 30, "squares": 90}}')
    assert (found.control, found.treatment, found.fault) == (conversions(10, 3), Sample(12, 30.0, 90.0), "")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "the answer is no JSON"),
        (b"[]", 'no object "control"'),
        (b'{"control": 5}', 'no object "control"'),
        (b'{"control": {"count": 1, "total": 1}}', 'no object "treatment"'),
        (b'{"control": {"count": "x", "total": 1}}', "control.count: 'x' is no number"),
        (b'{"control": {"count": true, "total": 1}}', "control.count: True is no number"),
        (b'{"control": {"count": 1}}', "control.total: None is no number"),
        (b'{"control": {"count": -1, "total": 0}}', "control.count: -1 is less than nobody"),
        (b'{"control": {"count": 1, "total": 2}}', "2 conversions of 1"),
        (b'{"control": {"count": 2, "total": 10, "squares": 1}}', "control.squares: 1 is too small"),
    ],
)
def test_what_cannot_be_read_is_said(body, words):
    with pytest.raises(ValueError, match=words):
        of_web(body)


def test_queries_are_asked_for_each_variant():
    provider = {"count": 'sum(users{s="{{service}}"})', "total": 'sum(buyers{v="{{variant}}"})'}
    assert queries(provider, SPLIT, "treatment") == {
        "count": 'sum(users{s="web-b"})', "total": 'sum(buyers{v="treatment"})',
    }  # fmt: skip


def test_counters_count_from_the_first_look_on_and_survive_a_restart():
    def look(before, count, total, samples):
        now = {"control": {"count": count, "total": total}, "treatment": {"count": 0.0, "total": 0.0}}
        return of_counters(before, now, samples)

    first = look({}, 500.0, 50.0, {})
    assert first.control == NOBODY
    second = look(first.counters, 700.0, 70.0, {"control": first.control})
    assert second.control == conversions(200, 20)
    third = look(second.counters, 30.0, 3.0, {"control": second.control})  # the counters began anew
    assert third.control == conversions(230, 23)


def test_log_lines_count_each_user_once_with_the_best_value():
    users: dict[str, float] = {}
    lines = [
        b"starting", b'{"user": 1, "bought": false}', b'{"user": 1, "bought": true}', b'{"user": 1, "bought": false}',
        b'{"user": "b", "bought": 0}', b'{"bought": true}', b'{"user": {}, "bought": 1}', b"{broken",
        b'{"user": "c"}', b'{"user": "d", "bought": 2.5}',
    ]  # fmt: skip
    of_logs(lines, "user", "bought", users)
    assert users == {"1": 1.0, "b": 0.0, "c": 0.0, "d": 2.5}
    assert of_users(users) == Sample(4, 3.5, 7.25)


@pytest.mark.parametrize("goal", ["order", 'a"b', "a\\b", "a\nb", '\\"'])
def test_the_mesh_is_asked_for_a_goal_of_any_name(goal):
    found = mesh_queries("default", "web-b", goal)
    assert found["count"] == 'sum(drumroll_requests_total{namespace="default",service="web-b"})'
    wanted = {"namespace": "default", "service": "web-b", "goal": goal}
    matchers = {one.name: one.value for one in parse(found["total"]).inner.matchers}
    assert wanted.items() <= matchers.items()
