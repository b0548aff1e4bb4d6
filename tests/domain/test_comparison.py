"""Shadow answers compared: what differs is found and told, what is ignored is not, pairs find each other."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.comparison.answers import Answer, Rules, compare, ignoring
from drumroll.domain.comparison.pairing import MOST_WAITING, PATIENCE_SECONDS, Half, Pairing
from drumroll.domain.comparison.tally import Tally

JSON = {"content-type": "application/json"}


def answer(body=b"", status=200, headers=None, **more):
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Answer(status, {**JSON, **(headers or {})}, raw, **more)


def places(primary, shadow, *ignored, **rules):
    return [one.where for one in compare(primary, shadow, Rules(ignored=ignoring(ignored), **rules))]


@pytest.mark.parametrize(
    ("primary", "shadow", "ignored", "found"),
    [
        ({"a": 1}, {"a": 1}, (), []),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, (), []),  # the order of names says nothing
        ({"a": 1}, {"a": 2}, (), ["body.a"]),
        ({"a": 1}, {"a": "1"}, (), ["body.a"]),
        ({"a": 1}, {"a": True}, (), ["body.a"]),
        ({"a": 1}, {}, (), ["body.a"]),
        ({}, {"a": None}, (), ["body.a"]),
        ([1, 2], [1, 2, 3], (), ["body.[2]"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, (), ["body.a[0].b"]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2, "c": 2}}, (), ["body.a.b", "body.a.c"]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2, "c": 2}}, ("a",), []),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2, "c": 2}}, ("a.b",), ["body.a.c"]),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2, "c": 2}}, ("$.a.b",), ["body.a.c"]),
        ({"ab": 1}, {"ab": 2}, ("a",), ["body.ab"]),
        ({"a": [{"id": 1}, {"id": 2}]}, {"a": [{"id": 3}, {"id": 4}]}, ("a[*].id",), []),
        ({"a": [{"id": 1, "x": 1}]}, {"a": [{"id": 3, "x": 2}]}, ("a[*].id",), ["body.a[0].x"]),
        ({"t": 1, "a": {"t": 1, "b": [{"t": 1}]}}, {"t": 2, "a": {"t": 2, "b": [{"t": 2}]}}, ("**.t",), []),
        ({"at": 1}, {"at": 2}, ("**.t",), ["body.at"]),
        (1, 2, (), ["body"]),
        ({"a": 1}, [1], (), ["body"]),
    ],
)
def test_bodies_in_json_are_compared_place_by_place(primary, shadow, ignored, found):
    assert places(answer(primary), answer(shadow), *ignored) == found


def test_other_bodies_are_compared_whole():
    (found,) = compare(answer(b"hello"), answer(b"hullo!"), Rules())
    assert (found.where, found.primary.split(",")[0]) == ("body", "5 bytes of application/json")
    assert compare(answer(b"hello"), answer(b"hullo"), Rules(body=False)) == ()


def test_what_was_cut_off_is_compared_as_far_as_it_was_seen():
    assert compare(answer(b"hello", truncated=True), answer(b"hello world"), Rules()) == ()
    assert compare(answer(b"hello", truncated=True), answer(b"help"), Rules()) != ()


def test_status_and_named_headers_count():
    primary = answer({}, headers={"etag": "1", "date": "x"})
    shadow = answer({}, status=500, headers={"etag": "2", "date": "y"})
    assert places(primary, shadow) == ["status"]
    assert places(primary, shadow, headers=("ETag",), status=False) == ["headers.etag"]


def test_a_flood_of_differences_is_cut_and_cheap():
    primary, shadow = answer(list(range(50_000))), answer([-n - 1 for n in range(50_000)])
    assert len(compare(primary, shadow, Rules())) == 20  # if it were quadratic, the test would never end


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2),
                                                                                inner, max_size=3)))  # fmt: skip
def test_equal_bodies_never_differ_and_everything_ignored_never_does(body):
    assert compare(answer(body), answer(body), Rules()) == ()
    assert places(answer({"x": body}), answer({"x": [body]}), "x") == []


def test_an_empty_path_is_refused():
    with pytest.raises(ValueError, match="names no place"):
        ignoring(["$"])


def half(pair, *, shadow=False):
    return Half(pair, "default/c" if shadow else "", "GET /", answer({}))


def test_halves_meet_in_either_order():
    pairing = Pairing()
    assert pairing.add(half("1", shadow=True), 0) is None
    assert pairing.add(half("2"), 0) is None
    first = pairing.add(half("1"), 1)
    second = pairing.add(half("2", shadow=True), 1)
    assert first is not None
    assert second is not None
    assert [one.is_shadow for one in (*first, *second)] == [False, True, False, True]
    assert (pairing.waiting, pairing.lost) == ({}, 0)


def test_halves_that_wait_too_long_are_given_up_and_counted():
    pairing = Pairing()
    pairing.add(half("1"), 0)
    pairing.add(half("2"), PATIENCE_SECONDS)
    assert (list(pairing.waiting), pairing.lost) == (["2"], 1)
    for number in range(2 * MOST_WAITING):
        pairing.add(half(f"n{number}"), PATIENCE_SECONDS)
    assert len(pairing.waiting) <= MOST_WAITING


def test_a_tally_tells_how_many_where_and_how_slow():
    tally = Tally()
    rules = Rules()
    for number in range(100):
        primary = answer({"n": number}, seconds=0.010)
        shadow = answer({"n": number if number % 4 else -1}, seconds=0.050)
        tally.add(f"GET /{number}", primary, shadow, compare(primary, shadow, rules))
    status = tally.status()
    assert (status["compared"], status["differing"], status["byAspect"]) == (
        100, 25, {"status": 0, "header": 0, "body": 25},
    )  # fmt: skip
    assert status["places"] == [{"where": "body.n", "count": 25}]
    assert status["latencyMilliseconds"]["shadow"] == {"p50": 50, "p99": 50}
    assert len(status["examples"]) == 10
    assert status["examples"][0] == {
        "request": "GET /0", "differences": [{"where": "body.n", "primary": "0", "shadow": "-1"}],
    }  # fmt: skip


def test_latencies_stay_bounded_and_true():
    tally = Tally()
    for number in range(20_000):
        tally.primary.add(number / 20_000)
    assert len(tally.primary.kept) < 2000
    assert tally.primary.quantile(0.5) == pytest.approx(0.5, abs=0.01)
    assert tally.primary.quantile(0.99) == pytest.approx(0.99, abs=0.01)
