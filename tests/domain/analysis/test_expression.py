"""Values of expressions as expr-lang documents them, errors with their place, and bounds on what one costs."""

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.analysis.expression.conditions import check, evaluate, holds
from drumroll.domain.analysis.expression.syntax import ExpressionError

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
TWEETS = [
    {"Text": "Hello", "Size": 5, "User": {"Name": "ann"}},
    {"Text": "Good bye", "Size": 8, "User": {"Name": "bob"}},
    {"Text": "Hi", "Size": 2, "User": None},
]

LITERALS = {
    "true": True,
    "false": False,
    "nil": None,
    "42": 42,
    "0x2A": 42,
    "0o52": 42,
    "0b101010": 42,
    "1_000": 1000,
    "0.5": 0.5,
    ".5": 0.5,
    "1e3": 1000.0,
    "1.5e-2": 0.015,
    "-7": -7,
    "+7": 7,
    "--7": 7,
    "'a'": "a",
    '"a"': "a",
    "`a\\n`": "a\\n",
    r'"a\n\t\\\""': 'a\n\t\\"',
    r'"\x41\u00e9"': "Aé",
    "'it\\'s'": "it's",
    "[]": [],
    "{}": {},
    "[1, 'a', nil]": [1, "a", None],
    "[1,]": [1],
    "{a: 1, 'b': 2}": {"a": 1, "b": 2},
    "{(1 > 0 ? 'x' : 'y'): 1}": {"x": 1},
    "1 // one": 1,
    "/* two */ 2": 2,
    "1 +\n2": 3,
}
ARITHMETIC = {
    "1 + 2": 3,
    "1 - 2": -1,
    "2 * 3": 6,
    "7 / 2": 3.5,
    "6 / 2": 3.0,
    "7 % 3": 1,
    "-7 % 3": -1,
    "7 % -3": 1,
    "2 ** 3": 8.0,
    "2 ^ 3": 8.0,
    "2 ** 3 ** 2": 512.0,
    "-2 ** 2": -4.0,
    "(-2) ** 2": 4.0,
    "2 + 3 * 4": 14,
    "(2 + 3) * 4": 20,
    "10 - 4 - 3": 3,
    "100 / 10 / 2": 5.0,
    "1.5 + 1": 2.5,
    "'a' + 'b'": "ab",
    "1..3": [1, 2, 3],
    "3..1": [],
    "1 + 1..3": [2, 3],
    "2 * 1.5": 3.0,
    "1 / 0": math.inf,
    "-1 / 0": -math.inf,
    "2 ** -1": 0.5,
    "10 ** 400": math.inf,
}
COMPARISONS = {
    "1 == 1.0": True,
    "1 == '1'": False,
    "true == 1": False,
    "nil == nil": True,
    "nil == 0": False,
    "'a' != 'b'": True,
    "[1, 2] == [1.0, 2]": True,
    "{a: 1} == {a: 1}": True,
    "{a: 1} == {b: 1}": False,
    "1 < 2": True,
    "2 <= 2": True,
    "2 > 2": False,
    "2 >= 2.0": True,
    "'a' < 'b'": True,
    "1 < 2 < 3": True,
    "1 < 2 < 2": False,
    "3 > 2 > 1": True,
    "0 <= 0.5 <= 1": True,
    "'Hello' contains 'ell'": True,
    "'Hello' startsWith 'He'": True,
    "'Hello' endsWith 'lo'": True,
    "'Hello' matches '^H.*o$'": True,
    "'Hello' matches 'ell'": True,
    "'Hello' matches '^ell'": False,
    "'x\\n' matches 'x$'": False,
    "'x\\ny' matches '(?m)x$'": True,
    "'é' matches '^\\\\w$'": False,
    "'é' matches '^\\\\pL$'": True,
    "'٣' matches '\\\\d'": False,
    "'a.b' matches '\\\\Qa.b\\\\E'": True,
    "not ('Hello' contains 'x')": True,
    "'Hello' not contains 'ell'": False,
    "'a' not matches 'b'": True,
    "1 in [1, 2]": True,
    "3 in [1, 2]": False,
    "3 not in [1, 2]": True,
    "1.0 in [1]": True,
    "'a' in {a: 1}": True,
    "'b' in {a: 1}": False,
    "'b' not in {a: 1}": True,
    "2 in 1..3": True,
    "'a' in ['a'] and true": True,
    "1 in nil": False,
}
LOGIC = {
    "true && false": False,
    "true and true": True,
    "false || true": True,
    "false or false": False,
    "!true": False,
    "not false": True,
    "not not true": True,
    "true || false && false": True,
    "(true || false) && false": False,
    "false && unset": None,
    "1 == 1 && 2 == 2": True,
    "1 > 2 || 3 > 2": True,
    "!(1 > 2)": True,
    "true ? 1 : 2": 1,
    "false ? 1 : true ? 2 : 3": 2,
    "1 > 2 ? 'a' : 'b'": "b",
    "nil ?? 1": 1,
    "2 ?? 1": 2,
    "nil ?? nil ?? 3": 3,
    "(nil ?? 1) + 1": 2,
    "false ? 1 / 0 : 5": 5,
}
MEMBERS = {
    "{a: {b: 3}}.a.b": 3,
    "{a: {b: 3}}['a']['b']": 3,
    "{a: 1}.b": None,
    "{a: 1}?.b": None,
    "nil?.a": None,
    "nil?.a.b.c": None,
    "{a: nil}.a?.b.c": None,
    "{a: {b: 1}}.a?.b": 1,
    "{a: nil}.a?.b ?? 7": 7,
    "nil?.[0]": None,
    "[1, 2, 3][0]": 1,
    "[1, 2, 3][-1]": 3,
    "[1, 2, 3][1:]": [2, 3],
    "[1, 2, 3][:1]": [1],
    "[1, 2, 3][1:2]": [2],
    "[1, 2, 3][:]": [1, 2, 3],
    "[1, 2, 3][-2:]": [2, 3],
    "[1, 2, 3][1:9]": [2, 3],
    "'hello'[1:3]": "el",
    "[[1, 2], [3]][1][0]": 3,
    "[{a: 5}][0].a": 5,
    "{'in': 1}.in": 1,
    "let x = 4; x * x": 16,
    "let x = 1; let y = x + 1; x + y": 3,
    "(let z = 2; z) + 1": 3,
}
FUNCTIONS = {
    "len([1, 2])": 2,
    "len('héllo')": 5,
    "len({a: 1})": 1,
    "abs(-5)": 5,
    "ceil(1.5)": 2.0,
    "floor(1.5)": 1.0,
    "round(1.5)": 2.0,
    "round(-2.5)": -3.0,
    "max(5, 7)": 7,
    "max([1, 9, 3])": 9,
    "min(5, 7.5)": 5,
    "mean([1, 2, 3])": 2.0,
    "mean(1, 2)": 1.5,
    "median([1, 2, 3])": 2.0,
    "median([4, 1, 2, 3])": 2.5,
    "mean([])": 0.0,
    "sum([1, 2, 3])": 6,
    "sum([])": 0,
    "first([1, 2])": 1,
    "last([1, 2])": 2,
    "first([])": None,
    "take([1, 2, 3], 2)": [1, 2],
    "reverse([1, 2])": [2, 1],
    "concat([1], [2])": [1, 2],
    "flatten([1, [2, [3]]])": [1, 2, 3],
    "uniq([1, 2, 1.0])": [1, 2],
    "sort([3, 1, 2])": [1, 2, 3],
    "sort([3, 1, 2], 'desc')": [3, 2, 1],
    "join(['a', 'b'], '-')": "a-b",
    "trim(' a ')": "a",
    "trim('__a__', '_')": "a",
    "trimPrefix('v1.2', 'v')": "1.2",
    "trimSuffix('5%', '%')": "5",
    "upper('a')": "A",
    "lower('A')": "a",
    "split('a,b', ',')": ["a", "b"],
    "split('a,b,c', ',', 2)": ["a", "b,c"],
    "replace('aXa', 'X', '-')": "a-a",
    "repeat('ab', 2)": "abab",
    "indexOf('apple', 'pp')": 1,
    "indexOf('a', 'b')": -1,
    "lastIndexOf('abab', 'ab')": 2,
    "hasPrefix('abc', 'ab')": True,
    "hasSuffix('abc', 'bc')": True,
    "keys({a: 1})": ["a"],
    "values({a: 1})": [1],
    "toPairs({a: 1})": [["a", 1]],
    "fromPairs([['a', 1]])": {"a": 1},
    "int('42')": 42,
    "int(4.9)": 4,
    "float('0.5')": 0.5,
    "string(5)": "5",
    "string(true)": "true",
    "fromJSON('{\"a\": [1]}').a[0]": 1,
    "toBase64('hi')": "aGk=",
    "fromBase64('aGk=')": "hi",
    "type(1)": "int",
    "type(1.5)": "float",
    "type('')": "string",
    "type([])": "array",
    "type({})": "map",
    "type(nil)": "nil",
    "type(true)": "bool",
    "get([1], 0)": 1,
    "get([1], 5)": None,
    "get({a: 1}, 'a')": 1,
    "asInt('42')": 42,
    "asInt(4.9)": 4,
    "asInt('-3')": -3,
    "asFloat('0.95')": 0.95,
    "asFloat(3)": 3.0,
    "isNaN(asFloat('NaN'))": True,
    "isNaN(0.5)": False,
    "isInf(asFloat('Inf'))": True,
    "isInf(1)": False,
    "isNil(nil)": True,
    "isNil(0)": False,
    "default(nil, 3)": 3,
    "default(0, 3)": 0,
    "duration('90m')": timedelta(hours=1.5),
    "now()": NOW,
    "now() - duration('1h')": NOW - timedelta(hours=1),
    "now() - now() == duration('0s')": True,
    "date('2026-11-30T12:00:00Z') == now()": True,
    "duration('1m') * 2 == duration('2m')": True,
}
PREDICATES = {
    "all([1, 2], # > 0)": True,
    "all([1, 2], {# > 1})": False,
    "all([], # > 0)": True,
    "any([1, 2], # > 1)": True,
    "any([], # > 1)": False,
    "none([1, 2], # > 2)": True,
    "one([1, 2], # > 1)": True,
    "one([2, 3], # > 1)": False,
    "filter([1, 2, 3], # % 2 == 1)": [1, 3],
    "map([1, 2], # * 2)": [2, 4],
    "map([5, 6], #index)": [0, 1],
    "count([1, 2, 3], # > 1)": 2,
    "count([true, false, true])": 2,
    "sum([1, 2], # * 10)": 30,
    "find([1, 2, 3], # > 1)": 2,
    "find([1], # > 1)": None,
    "findIndex([1, 2], # == 2)": 1,
    "findLast([1, 2, 3], # < 3)": 2,
    "findLastIndex([1, 2, 1], # == 1)": 2,
    "findIndex([1], # == 2)": -1,
    "groupBy([1, 2, 3], # > 1 ? 'big' : 'small')": {"small": [1], "big": [2, 3]},
    "sortBy([3, 1, 2], -#)": [3, 2, 1],
    "sortBy([{a: 2}, {a: 1}], .a)": [{"a": 1}, {"a": 2}],
    "reduce(1..9, #acc + #)": 45,
    "reduce([1, 2], #acc + #, 10)": 13,
    "reduce([], #acc, 5)": 5,
    "map(1..2, {map(1..2, # * 10)})": [[10, 20], [10, 20]],
    "[1, 2, 3] | filter(# > 1) | sum()": 5,
    "'A' | lower()": "a",
    "[1, 2] | len() == 2": True,
    "'a b' | split(' ') | first()": "a",
    "all(tweets, {.Size < 10})": True,
    "filter(tweets, .Size > 4) | map(.Text)": ["Hello", "Good bye"],
    "all(tweets, len(.Text) == .Size)": True,
    "map(tweets, .User?.Name ?? 'nobody')": ["ann", "bob", "nobody"],
    "any(tweets, #.Text == 'Hi')": True,
    "let big = filter(tweets, .Size > 4); len(big)": 2,
    "map(tweets, let s = .Size; s + 1)": [6, 9, 3],
}


def same(left: object, right: object) -> bool:
    return type(left) is type(right) and left == right


def rows(*tables: dict[str, object]) -> list[tuple[str, object]]:
    return [row for table in tables for row in table.items() if row[0] != "false && unset"]


@pytest.mark.parametrize(
    ("source", "value"), rows(LITERALS, ARITHMETIC, COMPARISONS, LOGIC, MEMBERS, FUNCTIONS, PREDICATES)
)
def test_values(source, value):
    assert same(evaluate(source, {"tweets": TWEETS}, NOW), value)


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
