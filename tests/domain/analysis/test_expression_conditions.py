"""Conditions and errors of expressions: what they say and where, and bounds on what one costs."""

import math
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.analysis.expression.conditions import check, evaluate, holds
from drumroll.domain.analysis.expression.syntax import ExpressionError

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)

CONDITIONS = [
    ("result[0] >= 0.95", [0.96], True),
    ("result[0] >= 0.95", [0.5], False),
    ("len(result) == 0 || result[0] < 0.05", [], True),
    ("isNaN(result[0]) || result[0] < 0.05", [math.nan], True),
    ("all(result, # < 0.5)", [0.1, 0.4], True),
    ("all(result, {# < 0.5})", [0.1, 0.6], False),
    ("result.status == 'ok' && result.errors == 0", {"status": "ok", "errors": 0.0}, True),
    ("asFloat(result) <= 100", "99.5", True),
    ("asInt(result) < 5", "7", False),
    ("default(result, 0) < 0.05", None, True),
    ("isNil(result)", None, True),
    ("result == nil", None, True),
    ("result in ['ok', 'warn']", "ok", True),
    ("result matches '^2..$'", "204", True),
    ("result?.data?.count ?? 0 > 3", {"data": {"count": 4}}, None),
    ("(result?.data?.count ?? 0) > 3", {"data": {"count": 4}}, True),
    ("result", True, True),
    ("!result", False, True),
    ("sum(result) / len(result) < 1", [0.5, 0.7], True),
]


@pytest.mark.parametrize(("source", "result", "value"), CONDITIONS)
def test_conditions(source, result, value):
    if value is None:
        with pytest.raises(ExpressionError, match="cannot be mixed"):
            holds(source, result, NOW)
    else:
        assert holds(source, result, NOW) is value


ERRORS = [
    ("", "the expression is empty"),
    ("1 +", "unexpected end of expression (1:4)"),
    ("(1", "unexpected end of expression, expected ')' (1:3)"),
    ("1 2", "unexpected token '2' (1:3)"),
    ("1 )", "unexpected token ')' (1:3)"),
    ("result[", "unexpected end of expression (1:8)"),
    ("'abc", "literal not terminated (1:1)"),
    ("1 & 2", "unrecognized character: '&' (1:3)"),
    ("result >= 1 &&\n foo > 2", "unknown name foo (2:2)"),
    ("false && unset", "unknown name unset (1:10)"),
    ("nothing(1)", "unknown name nothing (1:1)"),
    ("result[3] > 1", "index out of range: 3 (array length is 2) (1:7)"),
    ("result.size", "cannot fetch size from []interface {} (1:7)"),
    ("nil.a", "cannot fetch a from <nil> (1:4)"),
    ("'a' > 1", "invalid operation: string > int (1:5)"),
    ("nil + 1", "invalid operation: <nil> + int (1:5)"),
    ("1 && true", "operator && needs true or false, not int (1:1)"),
    ("1 ? 2 : 3", "operator ?: needs true or false, not int (1:1)"),
    ("5 % 0", "integer divide by zero (1:3)"),
    ("5 % 1.5", "invalid operation: int % float64 (1:3)"),
    ("-'a'", "invalid operation: - string (1:1)"),
    ("1 in 'abc'", 'operator "in" not defined on string (1:3)'),
    ("'a' matches '('", "error parsing regexp: missing ): ("),
    ("'a' matches '(?=a)'", "error parsing regexp: invalid perl operator: (?="),
    ("'aa' matches '(a)\\\\1'", "error parsing regexp: invalid escape sequence: "),
    ("'a' matches 'a*+'", "error parsing regexp: bad repetition operator: *+"),
    ("'a' matches 'a{1001}'", "error parsing regexp: invalid repetition size: {1001}"),
    ("# > 1", "cannot use pointer accessor outside predicate (1:1)"),
    ("all(result)", "all() needs an array and a predicate, such as all(result, # > 1) (1:1)"),
    ("all(1, # > 1)", "all() needs an array, not int (1:1)"),
    ("filter(result, # + 1)", "predicate should return boolean (got float64) (1:1)"),
    ("reduce([], #acc)", "reduce of empty array with no initial value (1:1)"),
    ("len(1)", "invalid argument for len (type int) (1:1)"),
    ("len()", "not enough arguments to call len (1:1)"),
    ("len('a', 'b')", "too many arguments to call len (1:1)"),
    ("asInt('x')", 'strconv.ParseInt: parsing "x": invalid syntax (1:1)'),
    ("asFloat('x')", 'strconv.ParseFloat: parsing "x": invalid syntax (1:1)'),
    ("asInt(true)", "asInt() not supported on bool true (1:1)"),
    ("asFloat(nil)", "asFloat() not supported on <nil> <nil> (1:1)"),
    ("isNaN('x')", "isNaN() needs a number, not string (1:1)"),
    ("duration('1y')", 'time: invalid duration "1y" (1:1)'),
    ("nil ?? 1 + 1", "operator '+' and coalesce (??) cannot be mixed: wrap one in parentheses (1:10)"),
    ("sort([1, 'a'])", "invalid operation: int < string (1:1)"),
    ("let x 1; x", "unexpected token '1', expected '='"),
    ("1..200000", "the range 1..200000 has more than 100000 items"),
    ("repeat('ab', 99999)", "a text of more than 100000 characters"),
    ("9223372036854775807 + 1", "integer overflow (1:21)"),
    ("1 | 2", "a pipe needs the name of a function (1:5)"),
    (r"'\q'", r"invalid escape: \q (1:2)"),
    ("(" * 200 + "1" + ")" * 200, "nested deeper than 100 levels"),
    ("1" + " + 1" * 4000, "longer than 10000 characters"),
    ("map(1..1000, sum(map(1..1000, # * 2)))", "stopped after 200000 steps"),
]


@pytest.mark.parametrize(("source", "message"), ERRORS)
def test_errors_say_what_and_where(source, message):
    with pytest.raises(ExpressionError) as caught:
        evaluate(source, {"result": [0.5, 0.7]}, NOW)
    assert message in str(caught.value)


def test_a_pattern_that_other_engines_try_in_exponential_time_takes_no_longer():
    assert not holds("result matches '^(a+)+$'", "a" * 5000 + "b", NOW)
    assert holds("result matches '(x+x+)+y'", "x" * 100_000 + "y", NOW)


def test_half_a_surrogate_pair_is_a_character_that_no_pattern_means():
    assert holds("result matches '^a.b$'", "a\udc80b", NOW)


def test_a_condition_must_be_true_or_false():
    with pytest.raises(ExpressionError, match="expected bool, but got float64"):
        holds("result[0]", [0.5], NOW)
    check("result.whatever[3] > 7")
    with pytest.raises(ExpressionError, match="unknown name resutl"):
        check("resutl > 7")


TEXTS = st.text(alphabet="result#asInt()[]{}.,:;?|&!<>=+-*/%'\"01 inmap\n", max_size=40)


@given(TEXTS)
def test_whatever_is_typed_gives_a_value_or_an_error_of_ours(source):
    with suppress(ExpressionError):
        evaluate(source, {"result": [1.0]}, NOW)


NUMBERS = st.one_of(st.integers(-50, 50), st.floats(-50, 50, allow_nan=False).map(lambda number: round(number, 3)))


@given(NUMBERS, NUMBERS, NUMBERS)
def test_precedence_is_that_of_arithmetic(a, b, c):
    def value(source):
        return evaluate(source, {"a": a, "b": b, "c": c}, NOW)

    assert value("a + b * c") == a + b * c
    assert value("a - b - c") == a - b - c
    assert value("(a + b) * c") == (a + b) * c
    assert value("a < b || b <= c && a == c") is (a < b or (b <= c and a == c))
    assert value("a < b ? a : b") == min(a, b)
    assert value("max(a, b, c)") == max(a, b, c)


@given(st.lists(NUMBERS, max_size=8), NUMBERS)
def test_predicates_agree_with_each_other(numbers, limit):
    def value(source):
        return evaluate(source, {"result": numbers, "limit": limit}, NOW)

    assert value("all(result, # < limit)") is not value("any(result, not (# < limit))")
    assert value("none(result, # < limit)") is not value("any(result, # < limit)")
    assert value("len(filter(result, # < limit))") == value("count(result, # < limit)")
    assert value("sort(result)") == sorted(numbers)
    assert value("reduce(result, #acc + #, 0)") == value("sum(result)") == sum(numbers)
