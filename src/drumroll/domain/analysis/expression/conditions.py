"""Evaluates an expression, or a condition, which must come to true or false."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from drumroll.domain.analysis.expression.evaluation import KNOWN, Evaluation
from drumroll.domain.analysis.expression.parser import parse
from drumroll.domain.analysis.expression.syntax import Call, ExpressionError, Let, Name, Node
from drumroll.domain.analysis.expression.values import type_name


def evaluate(source: str, variables: Mapping[str, Any], now: datetime) -> Any:
    """The value of an expression. Raises ExpressionError, which says what is wrong and where."""
    return Evaluation(source, variables, now).value(_checked(source, frozenset(variables)))


def holds(source: str, result: Any, now: datetime) -> bool:
    """Whether a condition is true of a measurement's `result`. Raises ExpressionError."""
    value = evaluate(source, {"result": result}, now)
    if not isinstance(value, bool):
        raise ExpressionError(f"expected bool, but got {type_name(value)}")
    return value


def check(source: str) -> None:
    """Read a condition without evaluating it. Raises ExpressionError for what no result could make right."""
    _checked(source, frozenset(("result",)))


@lru_cache(maxsize=256)
def _checked(source: str, names: frozenset[str]) -> Node:
    node = parse(source)
    for found in _unknown(node, names):
        raise ExpressionError(f"unknown name {found[0]}", source, found[1])
    return node


def _unknown(node: Any, names: frozenset[str]) -> Iterator[tuple[str, int]]:
    """Names that nothing gives a value, also in branches that may never be evaluated."""
    if isinstance(node, tuple):
        for one in node:
            yield from _unknown(one, names)
        return
    if isinstance(node, Name) and node.name not in names:
        yield node.name, node.position
    if isinstance(node, Call) and node.function not in KNOWN:
        yield node.function, node.position
    if isinstance(node, Let):
        yield from _unknown(node.value, names)
        yield from _unknown(node.body, names | {node.name})
        return
    for slot in getattr(node, "__slots__", ()):
        part = getattr(node, slot)
        if isinstance(part, tuple) or hasattr(part, "position"):
            yield from _unknown(part, names)
