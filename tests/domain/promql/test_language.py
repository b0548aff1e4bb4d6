"""Queries without a Prometheus at hand: what holds for any samples, and what text is no query."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.promql.api import answer, moment_ms
from drumroll.domain.promql.encode import json_number, number
from drumroll.domain.promql.errors import ParseError, QueryError
from drumroll.domain.promql.evaluate import Evaluator, evaluate_at, evaluate_range
from drumroll.domain.promql.parser import parse
from drumroll.domain.promql.regexp import PatternError, compiled
from drumroll.domain.promql.values import Series, labels_from
from tests.domain.promql.queries import INSTANT, WRONG
from tests.domain.promql.random_queries import random_queries
from tests.domain.promql.series import BASE, Fixed, everything, made

OURS = Fixed(everything())


def value(query, *series, now=BASE):
    return evaluate_at(Fixed(series), parse(query), now)


def only(query, *series, now=BASE):
    (element,) = value(query, *series, now=now)
    return element.value


@pytest.mark.parametrize("query", INSTANT)
def test_every_query_has_an_answer(query):
    status, found = answer("query", {"query": [query]}, OURS, BASE + 600_000)
    assert (status, found["status"]) == (200, "success")


@given(st.integers(0, 10**6))
def test_whatever_is_asked_is_answered_or_refused_in_words(seed):
    for query in random_queries(seed, 5):
        status, found = answer("query", {"query": [query]}, OURS, BASE + 600_000)
        assert status in {200, 400, 422}, (query, found)


QUERIES = re.findall(r"```promql\n(.*?)```", (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_of_the_documentation_are_queries(query):
    parse(re.sub(r"\{\{args\.\w+\}\}", "web", query))


def test_the_documentation_shows_queries():
    assert len(QUERIES) == 4


@pytest.mark.parametrize("query", WRONG)
def test_what_is_wrong_is_told_with_its_place(query):
    with pytest.raises(ParseError, match=r"^1:\d+: parse error: "):
        parse(query)


def test_the_place_counts_lines():
    with pytest.raises(ParseError, match=r"^2:8: parse error"):
        parse("sum(\n  rate(load))")


def test_nothing_is_no_query():
    with pytest.raises(ParseError, match="no expression found in input"):
        parse("  # only a comment")


def test_deep_and_long_queries_are_refused_before_they_cost():
    with pytest.raises(ParseError, match="nests deeper"):
        parse("(" * 5000 + "1" + ")" * 5000)
    with pytest.raises(ParseError, match="longer than"):
        parse("1" + "+1" * 10_000)


def test_a_query_may_not_look_at_any_number_of_samples():
    with pytest.raises(QueryError, match="too many samples"):
        Evaluator(OURS, BASE, BASE, most_samples=1000).at(parse("max_over_time(sum(load)[1h:1s])"), BASE)
    nested = parse("max_over_time(max_over_time(vector(1)[1h:1ms])[1h:1ms])")
    with pytest.raises(QueryError, match="too many samples"):
        Evaluator(OURS, BASE, BASE, most_samples=1000).at(nested, BASE)


def test_a_stale_series_is_gone_at_once_and_its_past_is_not():
    one = made("up", [BASE - 20_000, BASE - 10_000], [1.0, None])
    assert value("up", one) == []
    assert value("up", one, now=BASE - 15_000) == [(one.labels, 1.0)]
    assert only("count_over_time(up[1m])", one) == 1


def test_a_sample_counts_for_five_minutes():
    one = made("up", [BASE], [1.0])
    assert only("up", one, now=BASE + 300_000) == 1
    assert value("up", one, now=BASE + 300_001) == []


counts = st.lists(st.integers(0, 50), min_size=2, max_size=60)


@given(counts)
def test_an_increase_over_whole_steps_is_what_was_added(added):
    sums, times = [0.0], [BASE]
    for one in added:
        sums.append(sums[-1] + one)
        times.append(times[-1] + 5000)
    span = len(added) * 5
    found = only(f"increase(c[{span}s])", made("c", times, sums), now=times[-1])
    assert math.isclose(found, sums[-1], abs_tol=1e-9)


@given(counts, st.data())
def test_a_reset_loses_nothing_that_was_counted(added, data):
    reset = data.draw(st.integers(1, len(added) - 1))
    sums, times = [0.0], [BASE]
    for at, one in enumerate(added):
        sums.append((0.0 if at == reset else sums[-1]) + one)
        times.append(times[-1] + 5000)
    found = only(f"increase(c[{len(added) * 5}s])", made("c", times, sums), now=times[-1])
    missed = min(added[reset], sums[reset]) if added[reset] >= sums[reset] else 0  # it looked as if it had grown
    assert math.isclose(found, sum(added), abs_tol=1e-9) or missed


@given(st.lists(st.integers(0, 40), min_size=4, max_size=4).filter(any), st.floats(0, 1))
def test_a_quantile_lies_in_its_bucket(sizes, share):
    bounds, so_far, series = ("0.1", "0.5", "2", "+Inf"), 0, []
    for bound, size in zip(bounds, sizes, strict=True):
        so_far += size
        series.append(made("b", [BASE], [float(so_far)], le=bound))
    found = only(f"histogram_quantile({share!r}, b)", *series)
    assert 0 <= found <= 2 or (share == 0 and math.isnan(found))  # as Prometheus has it


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=8))
def test_aggregations_agree_with_python(numbers):
    series = [made("x", [BASE], [n], i=str(at)) for at, n in enumerate(numbers)]
    assert only("min(x)", *series) == min(numbers)
    assert only("max(x)", *series) == max(numbers)
    assert only("count(x)", *series) == len(numbers)
    assert math.isclose(only("sum(x)", *series), math.fsum(numbers), abs_tol=1e-30)
    assert [s.value for s in value("topk(3, x)", *series)] == sorted(numbers, reverse=True)[:3]


@given(st.text("abcxyz01+*/%^()[]{}=!~<>,:.@\"' \n", max_size=40))
def test_any_text_is_a_query_or_says_where_it_is_not(text):
    try:
        parse(text)
        message = ""
    except ParseError as error:
        message = str(error)
    assert not message or re.match(r"\d+:\d+: parse error: .", message)


@given(st.floats())
def test_numbers_read_back(one):
    for written in (number(one), json_number(one)):
        assert math.isnan(one) == (written == "NaN")
        assert math.isnan(one) or float(written) == one


@pytest.mark.parametrize(
    ("one", "plain", "json"),
    [
        (1e21, "1000000000000000000000", "1e+21"),
        (1e-7, "0.0000001", "1e-07"),
        (2.0**60, "1152921504606847000", "1152921504606847000"),
        (-0.0, "-0", "-0"),
        (0.1, "0.1", "0.1"),
        (1.5e300, "15" + "0" * 299, "1.5e+300"),
    ],
)
def test_numbers_are_written_as_go_does(one, plain, json):
    assert (number(one), json_number(one)) == (plain, json)


patterns = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\.", "[[:alpha:]]"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join).map("(?:{})".format),
        st.tuples(inner.map("(?:{})".format), st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?"])).map("".join),
    ),
    max_leaves=8,
)


@given(patterns, st.text("ab1.", max_size=6))
def test_patterns_match_what_they_match_elsewhere(pattern, text):
    theirs = re.fullmatch(pattern.replace("[[:alpha:]]", "[A-Za-z]"), text)
    assert compiled(pattern).matches(text) == (theirs is not None)


def test_a_pattern_takes_linear_time():
    assert not compiled("(a|a)*(a*)*(a+a+)+b").matches("a" * 250)


@pytest.mark.parametrize("pattern", ["(", ")", "[a", "*", "a**", "(?=a)", "\\", "a{2,1}", "a{1001}", r"\8", "[b-a]"])
def test_what_is_no_pattern(pattern):
    with pytest.raises(PatternError, match="error parsing regexp"):
        compiled(pattern)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1700000000", 1_700_000_000_000),
        ("1700000000.5", 1_700_000_000_500),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T23:13:20.25+01:00", 1_700_000_000_250),
        ("2023-11-14T22:13:20", None),
        ("yesterday", None),
        ("NaN", None),
    ],
)
def test_moments(text, wanted):
    assert moment_ms(text) == wanted


def test_a_range_query_has_a_value_where_there_is_one():
    one = made("x", [BASE, BASE + 60_000], [1.0, 2.0])
    (found,) = evaluate_range(Fixed([one]), parse("x"), BASE - 30_000, BASE + 90_000, 30_000)
    assert found.times == [BASE, BASE + 30_000, BASE + 60_000, BASE + 90_000]
    assert found.values == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("query", ["load", "sum by (rack) (load)", "rate(requests_total[1m])", "load > 0 or vector(1)"])
@given(st.integers(0, 900), st.integers(1, 60), st.integers(0, 20))
def test_a_range_is_its_moments_one_by_one(query, first, step, more):
    start, end = BASE + first * 1000, BASE + (first + step * more) * 1000
    found = {}
    for points in evaluate_range(OURS, parse(query), start, end, step * 1000):
        for at, one in zip(points.times, points.values, strict=True):
            found.setdefault(at, []).append((points.labels, repr(one)))
    for now in range(start, end + 1, step * 1000):
        alone = [(labels, repr(one)) for labels, one in evaluate_at(OURS, parse(query), now)]
        assert sorted(found.get(now, [])) == sorted(alone)


def test_labels_and_series():
    def data(path, **parameters):
        return answer(path, parameters, OURS, BASE)[1]["data"]

    assert {"__name__", "rack", "revision"} <= set(data("labels"))
    assert data("label/rack/values") == ["1", "2"]
    assert data("label/rack/values", **{"match[]": ['load{host="c"}']}) == ["2"]
    assert data("metadata") == {"load": [{"type": "gauge", "help": "How much there is to do.", "unit": ""}]}
    assert data("metadata", metric=["other"]) == {}
    assert data("rules") == {"groups": []}
    assert data("series", **{"match[]": ["capacity", 'load{host="a"}']}) == [
        {"__name__": "capacity", "owner": "x", "rack": "1"},
        {"__name__": "capacity", "owner": "y", "rack": "2"},
        {"__name__": "load", "host": "a", "rack": "1"},
    ]


@pytest.mark.parametrize(
    ("path", "parameters", "status", "message"),
    [
        ("query", {}, 400, 'invalid parameter "query": 1:1: parse error: no expression found in input'),
        (
            "query",
            {"query": ["1"], "time": ["x"]},
            400,
            'invalid parameter "time": cannot parse "x" to a valid timestamp',
        ),
        ("query_range", {"query": ["1"]}, 400, 'invalid parameter "start": cannot parse "" to a valid timestamp'),
        (
            "query_range",
            {"query": ["1"], "start": ["2"], "end": ["1"], "step": ["1"]},
            400,
            'invalid parameter "end": end timestamp must not be before start time',
        ),
        (
            "query_range",
            {"query": ["1"], "start": ["1"], "end": ["2"], "step": ["0"]},
            400,
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer",
        ),
        (
            "query_range",
            {"query": ["x[5m]"], "start": ["1"], "end": ["2"], "step": ["1s"]},
            400,
            'invalid parameter "query": invalid expression type "range vector" for range query, '
            "must be Scalar or instant Vector",
        ),
        ("series", {}, 400, "no match[] parameter provided"),
        ("label/a-b/values", {}, 400, 'invalid label name: "a-b"'),
        ("targets", {}, 404, "no such endpoint: /api/v1/targets"),
    ],
)
def test_bad_requests(path, parameters, status, message):
    found = answer(path, parameters, OURS, BASE)
    assert (found[0], found[1]["error"]) == (status, message)


def test_labels_are_sorted_and_never_empty():
    assert labels_from([("b", "1"), ("a", ""), ("A", "2")]) == (("A", "2"), ("b", "1"))
    assert Series((), [], []).labels == ()
