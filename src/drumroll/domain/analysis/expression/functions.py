"""The functions of the language that need nothing but their arguments."""

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from drumroll.domain.analysis.durations import parse_duration
from drumroll.domain.analysis.expression.values import (
    LARGEST,
    Misuse,
    bounded,
    compare,
    equal,
    is_integer,
    is_number,
    member,
    type_name,
)


def _number(name: str, value: Any) -> float:
    if not is_number(value):
        raise Misuse(f"{name}() needs a number, not {type_name(value)}")
    number: float = value
    return number


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Misuse(f"{name}() needs a string, not {type_name(value)}")
    return value


def _array(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Misuse(f"{name}() needs an array, not {type_name(value)}")
    return value


def _count(name: str, value: Any) -> int:
    if not is_integer(value) or not 0 <= value <= LARGEST:
        raise Misuse(f"{name}() needs a whole number from 0 to {LARGEST}, not {value!r}")
    number: int = value
    return number


def as_int(value: Any) -> int:
    """A whole number from a number (cut off) or a text in decimal."""
    if is_number(value):
        if isinstance(value, float) and not math.isfinite(value):
            raise Misuse(f"asInt() not supported on float64 {value}")
        return int(value)
    if isinstance(value, str):
        digits = value.removeprefix("-").removeprefix("+") if value[:1] in "+-" else value
        if digits.isascii() and digits.isdigit():
            return int(value)
        raise Misuse(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    raise Misuse(f"asInt() not supported on {type_name(value)} {_shown(value)}")


def as_float(value: Any) -> float:
    """A float from a number or a text."""
    if is_number(value):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise Misuse(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from None
    raise Misuse(f"asFloat() not supported on {type_name(value)} {_shown(value)}")


def _shown(value: Any) -> str:
    return "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _length(value: Any) -> int:
    if isinstance(value, str | list | dict):
        return len(value)
    raise Misuse(f"invalid argument for len (type {type_name(value)})")


def _flat(name: str, values: tuple[Any, ...]) -> list[Any]:
    numbers = [one for value in values for one in (value if isinstance(value, list) else [value])]
    if not numbers:
        raise Misuse(f"not enough arguments to call {name}")
    return [_number(name, one) for one in numbers]


def total(values: Any) -> Any:
    """The sum of an array of numbers; of none it is 0."""
    return sum(_number("sum", one) for one in _array("sum", values))


def _mean(*values: Any) -> float:
    numbers = _flat("mean", values) if values != ([],) else []
    return sum(numbers) / len(numbers) if numbers else 0.0


def _median(*values: Any) -> float:
    numbers = sorted(_flat("median", values)) if values != ([],) else []
    if not numbers:
        return 0.0
    half = len(numbers) // 2
    return float(numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2)


def _round(value: Any) -> float:
    number = _number("round", value)
    if not math.isfinite(number):
        return number
    return math.copysign(math.floor(abs(number) + 0.5), number)


def _whole(name: str, work: Callable[[float], float]) -> Callable[[Any], float]:
    def apply(value: Any) -> float:
        number = _number(name, value)
        return float(work(number)) if math.isfinite(number) else number

    return apply


def _take(values: Any, number: Any) -> list[Any]:
    return _array("take", values)[: _count("take", number)]


def _concat(*values: Any) -> list[Any]:
    joined = [one for value in values for one in _array("concat", value)]
    if len(joined) > LARGEST:
        raise Misuse(f"an array of more than {LARGEST} items")
    return joined


def _flatten(values: Any) -> list[Any]:
    flat: list[Any] = []
    for one in _array("flatten", values):
        flat.extend(_flatten(one) if isinstance(one, list) else [one])
    return flat


def _unique(values: Any) -> list[Any]:
    found: list[Any] = []
    for one in _array("uniq", values):
        if not any(equal(one, other) for other in found):
            found.append(one)
    return found


def in_order(keys: list[Any], descending: bool) -> list[int]:
    """The positions of `keys` from the least to the greatest; all must be of one kind."""
    for left, right in pairwise(keys):
        compare("<", left, right)
    return sorted(range(len(keys)), key=lambda index: keys[index], reverse=descending)


def _sort(values: Any, order: Any = "asc") -> list[Any]:
    array = _array("sort", values)
    return [array[index] for index in in_order(array, order == "desc")]


def _split(text: Any, separator: Any, number: Any = -1) -> list[str]:
    source, by = _text("split", text), _text("split", separator)
    if not by:
        return list(source)
    return source.split(by, number - 1) if is_integer(number) and number > 0 else source.split(by)


def _replace(text: Any, old: Any, new: Any) -> str:
    return bounded(_text("replace", text).replace(_text("replace", old), _text("replace", new)))


def _repeat(text: Any, number: Any) -> str:
    source, times = _text("repeat", text), _count("repeat", number)
    if len(source) * times > LARGEST:
        raise Misuse(f"a text of more than {LARGEST} characters")
    return source * times


def _join(values: Any, glue: Any = "") -> str:
    return bounded(_text("join", glue).join(_text("join", one) for one in _array("join", values)))


def _trim(text: Any, marks: Any = None) -> str:
    return _text("trim", text).strip(marks if marks is None else _text("trim", marks))


def _from_json(text: Any) -> Any:
    try:
        return json.loads(_text("fromJSON", text))
    except ValueError as error:
        raise Misuse(f"fromJSON: {error}") from None


def _from_base64(text: Any) -> str:
    try:
        return base64.b64decode(_text("fromBase64", text), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Misuse(f"fromBase64: {error}") from None


def _date(text: Any, form: Any = None) -> datetime:
    if form is not None:
        raise Misuse("date() takes one RFC 3339 time; a layout of your own is not supported")
    try:
        moment = datetime.fromisoformat(_text("date", text))
    except ValueError as error:
        raise Misuse(f"date: {error}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _duration(text: Any) -> Any:
    try:
        return parse_duration(_text("duration", text))
    except ValueError as error:
        raise Misuse(str(error)) from None


def _type(value: Any) -> str:
    names = {"int": "int", "float64": "float", "<nil>": "nil", "[]interface {}": "array"}
    name = type_name(value)
    return names.get(name, "map" if name.startswith("map") else name)


def _get(of: Any, key: Any) -> Any:
    try:
        return member(of, key)
    except Misuse:
        return None


def _pairs(value: Any) -> list[Any]:
    return [[key, one] for key, one in _map("toPairs", value).items()]


def _from_pairs(value: Any) -> dict[str, Any]:
    return {_text("fromPairs", pair[0]): pair[1] for pair in _array("fromPairs", value)}


def _map(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Misuse(f"{name}() needs a map, not {type_name(value)}")
    return value


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    "asInt": (as_int, 1, 1),
    "asFloat": (as_float, 1, 1),
    "isNaN": (lambda value: math.isnan(_number("isNaN", value)), 1, 1),
    "isInf": (lambda value: math.isinf(_number("isInf", value)), 1, 1),
    "isNil": (lambda value: value is None, 1, 1),
    "default": (lambda value, other: other if value is None else value, 2, 2),
    "len": (_length, 1, 1),
    "abs": (lambda value: abs(_number("abs", value)), 1, 1),
    "ceil": (_whole("ceil", math.ceil), 1, 1),
    "floor": (_whole("floor", math.floor), 1, 1),
    "round": (_round, 1, 1),
    "int": (as_int, 1, 1),
    "float": (as_float, 1, 1),
    "string": (_shown, 1, 1),
    "max": (lambda *values: max(_flat("max", values)), 1, 99),
    "min": (lambda *values: min(_flat("min", values)), 1, 99),
    "mean": (_mean, 1, 99),
    "median": (_median, 1, 99),
    "sum": (total, 1, 1),
    "first": (lambda values: (_array("first", values) or [None])[0], 1, 1),
    "last": (lambda values: (_array("last", values) or [None])[-1], 1, 1),
    "take": (_take, 2, 2),
    "reverse": (lambda values: _array("reverse", values)[::-1], 1, 1),
    "concat": (_concat, 1, 99),
    "flatten": (_flatten, 1, 1),
    "uniq": (_unique, 1, 1),
    "sort": (_sort, 1, 2),
    "join": (_join, 1, 2),
    "trim": (_trim, 1, 2),
    "trimPrefix": (lambda text, mark: _text("trimPrefix", text).removeprefix(_text("trimPrefix", mark)), 2, 2),
    "trimSuffix": (lambda text, mark: _text("trimSuffix", text).removesuffix(_text("trimSuffix", mark)), 2, 2),
    "upper": (lambda text: _text("upper", text).upper(), 1, 1),
    "lower": (lambda text: _text("lower", text).lower(), 1, 1),
    "split": (_split, 2, 3),
    "replace": (_replace, 3, 3),
    "repeat": (_repeat, 2, 2),
    "indexOf": (lambda text, part: _text("indexOf", text).find(_text("indexOf", part)), 2, 2),
    "lastIndexOf": (lambda text, part: _text("lastIndexOf", text).rfind(_text("lastIndexOf", part)), 2, 2),
    "hasPrefix": (lambda text, part: _text("hasPrefix", text).startswith(_text("hasPrefix", part)), 2, 2),
    "hasSuffix": (lambda text, part: _text("hasSuffix", text).endswith(_text("hasSuffix", part)), 2, 2),
    "keys": (lambda value: list(_map("keys", value)), 1, 1),
    "values": (lambda value: list(_map("values", value).values()), 1, 1),
    "toPairs": (_pairs, 1, 1),
    "fromPairs": (_from_pairs, 1, 1),
    "toJSON": (lambda value: json.dumps(value, default=str, indent=2), 1, 1),
    "fromJSON": (_from_json, 1, 1),
    "toBase64": (lambda text: base64.b64encode(_text("toBase64", text).encode()).decode(), 1, 1),
    "fromBase64": (_from_base64, 1, 1),
    "type": (_type, 1, 1),
    "get": (_get, 2, 2),
    "duration": (_duration, 1, 1),
    "date": (_date, 1, 2),
}
"""Each function with the fewest and the most arguments that it takes. `now` and those with predicates are elsewhere."""
