"""What values are, and what operators do with them: Go's rules, as expr-lang has them."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from drumroll.domain.custom.cel import BadPattern, is_found

LARGEST = 100_000  # items of an array, characters of a text that an operator or function may make


class Misuse(Exception):
    """A value of a kind that an operator or function cannot take; the message says which."""


def type_name(value: Any) -> str:
    """The name of a value's type as the original's messages have it."""
    names: tuple[tuple[type, str], ...] = (
        (bool, "bool"), (int, "int"), (float, "float64"), (str, "string"), (list, "[]interface {}"),
        (dict, "map[string]interface {}"), (datetime, "time.Time"), (timedelta, "time.Duration"),
    )  # fmt: skip
    return next((name for kind, name in names if isinstance(value, kind)), "<nil>")


def is_number(value: Any) -> bool:
    """Whether a value is a number; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """Whether a value is a whole number by type."""
    return isinstance(value, int) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same: numbers across types, everything else only within its type."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


def contains(container: Any, item: Any) -> bool:
    """The operator `in`: an element of an array, a key of a map."""
    if container is None:
        return False
    if isinstance(container, list):
        return any(equal(item, one) for one in container)
    if isinstance(container, dict):
        return isinstance(item, str) and item in container
    raise Misuse(f'operator "in" not defined on {type_name(container)}')


def _mismatch(operator: str, left: Any, right: Any) -> Misuse:
    return Misuse(f"invalid operation: {type_name(left)} {operator} {type_name(right)}")


def _ordered(left: Any, right: Any) -> bool:
    if is_number(left) and is_number(right):
        return True
    return any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, datetime, timedelta))


def compare(operator: str, left: Any, right: Any) -> bool:
    """`<`, `<=`, `>`, `>=` of numbers, texts, moments and durations."""
    if not _ordered(left, right):
        raise _mismatch(operator, left, right)
    if operator == "<":
        return bool(left < right)
    if operator == "<=":
        return bool(left <= right)
    return bool(left > right) if operator == ">" else bool(left >= right)


def divide(left: float, right: float) -> float:
    """Division of floats: by zero it is infinite or not a number, as in Go."""
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan if left else math.inf


def _remainder(left: int, right: int) -> int:
    if right == 0:
        raise Misuse("integer divide by zero")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _whole(number: Any) -> Any:
    if is_integer(number) and not -(2**63) <= number < 2**63:
        raise Misuse("integer overflow")
    return number


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return bounded(left + right)
    if is_number(left) and is_number(right):
        return _whole(left + right)
    if isinstance(left, datetime | timedelta) and isinstance(right, timedelta):
        return left + right
    if isinstance(left, timedelta) and isinstance(right, datetime):
        return left + right
    raise _mismatch("+", left, right)


def _subtract(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _whole(left - right)
    if isinstance(left, datetime) and isinstance(right, datetime | timedelta):
        return left - right
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return left - right
    raise _mismatch("-", left, right)


def _multiply(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _whole(left * right)
    if {type(left), type(right)} in ({timedelta, int}, {timedelta, float}):
        return left * right
    raise _mismatch("*", left, right)


def _numeric(operator: str, work: Callable[[float, float], Any]) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        if not (is_number(left) and is_number(right)):
            raise _mismatch(operator, left, right)
        return work(float(left), float(right))

    return apply


def _modulo(left: Any, right: Any) -> int:
    if not (is_integer(left) and is_integer(right)):
        raise _mismatch("%", left, right)
    return _remainder(left, right)


def _range(left: Any, right: Any) -> list[int]:
    if not (is_integer(left) and is_integer(right)):
        raise _mismatch("..", left, right)
    if right - left >= LARGEST:
        raise Misuse(f"the range {left}..{right} has more than {LARGEST} items")
    return list(range(left, right + 1))


def bounded(text: str) -> str:
    """A text, unless it is longer than expressions may make one."""
    if len(text) > LARGEST:
        raise Misuse(f"a text of more than {LARGEST} characters")
    return text


def _matches(text: Any, pattern: Any) -> bool:
    if not (isinstance(text, str) and isinstance(pattern, str)):
        raise _mismatch("matches", text, pattern)
    try:
        return is_found(pattern, text)
    except BadPattern as error:
        raise Misuse(f"error parsing regexp: {error}") from None


def _textual(operator: str, work: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def apply(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        if not (isinstance(left, str) and isinstance(right, str)):
            raise _mismatch(operator, left, right)
        return work(left, right)

    return apply


BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "in": lambda left, right: contains(right, left),
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _numeric("/", divide),
    "%": _modulo,
    "**": _numeric("**", _power),
    "^": _numeric("^", _power),
    "..": _range,
    "matches": _matches,
    "contains": _textual("contains", lambda left, right: right in left),
    "startsWith": _textual("startsWith", str.startswith),
    "endsWith": _textual("endsWith", str.endswith),
    **{name: partial(compare, name) for name in ("<", "<=", ">", ">=")},
}
"""Every operator that needs both operands; `&&`, `||` and `??` may do without the right one."""


def negative(value: Any) -> Any:
    """The operator `-` before a number or duration."""
    if is_number(value) or isinstance(value, timedelta):
        return -value
    raise Misuse(f"invalid operation: - {type_name(value)}")


def member(of: Any, key: Any) -> Any:
    """`of[key]`: an element of an array (from its end when negative), the value of a key, nil for a missing key."""
    if isinstance(of, dict):
        return of.get(key) if isinstance(key, str) else None
    if isinstance(of, list | str) and isinstance(key, float) and key.is_integer():
        key = int(key)
    if isinstance(of, list | str) and is_integer(key):
        if -len(of) <= key < len(of):
            return of[key]
        raise Misuse(f"index out of range: {key} (array length is {len(of)})")
    raise Misuse(f"cannot fetch {key} from {type_name(of)}")


def part(of: Any, start: Any, end: Any) -> Any:
    """`of[start:end]` of an array or text; ends beyond it are its ends."""
    if not isinstance(of, list | str):
        raise Misuse(f"cannot slice {type_name(of)}")
    for bound in (start, end):
        if bound is not None and not is_integer(bound):
            raise Misuse(f"a slice needs whole numbers, not {type_name(bound)}")
    return of[start:end]
