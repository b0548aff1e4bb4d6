"""Operators between scalars and vectors. Source: prometheus promql/engine.go VectorBinop and its neighbours."""

import math
from collections.abc import Callable

from drumroll.domain.promql import nodes
from drumroll.domain.promql.arithmetic import divide, modulo, power
from drumroll.domain.promql.errors import QueryError
from drumroll.domain.promql.nodes import Binary, Matching
from drumroll.domain.promql.values import NAME, Labels, Sample, Vector, label, labels_from, unnamed, written

ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divide,
    "%": modulo,
    "^": power,
    "atan2": math.atan2,
}
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def between_scalars(operator: str, left: float, right: float) -> float:
    """Arithmetic, or a comparison with `bool`."""
    if operator in COMPARE:
        return float(COMPARE[operator](left, right))
    return ARITHMETIC[operator](left, right)


def with_scalar(node: Binary, vector: Vector, scalar: float, *, swapped: bool) -> Vector:
    """A vector with a scalar; `swapped` when the scalar stands on the left. A comparison keeps the vector's values."""
    found = []
    for labels, value in vector:
        left, right = (scalar, value) if swapped else (value, scalar)
        if node.operator in ARITHMETIC:
            found.append(Sample(unnamed(labels), ARITHMETIC[node.operator](left, right)))
            continue
        holds = COMPARE[node.operator](left, right)
        if node.is_bool:
            found.append(Sample(unnamed(labels), float(holds)))
        elif holds:
            found.append(Sample(labels, value))
    return found


def signature_of(matching: Matching) -> Callable[[Labels], Labels]:
    """What two elements must have in common to meet."""
    names = frozenset(matching.labels)
    if matching.on:
        return lambda labels: tuple(pair for pair in labels if pair[0] in names)
    return lambda labels: tuple(pair for pair in labels if pair[0] not in names and pair[0] != NAME)


def of_sets(operator: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """`and`, `or`, `unless`."""
    signature = signature_of(matching)
    if operator == "or":
        known = {signature(labels) for labels, _ in left}
        return left + [sample for sample in right if signature(sample.labels) not in known]
    known = {signature(labels) for labels, _ in right}
    return [sample for sample in left if (signature(sample.labels) in known) == (operator == "and")]


def between_vectors(node: Binary, left: Vector, right: Vector) -> Vector:
    """Arithmetic and comparisons, element by element. Raises QueryError when it is unclear who meets whom."""
    if not left or not right:
        return []
    matching = node.matching
    swapped = matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    signature = signature_of(matching)
    partners = _partners(one, signature, "left" if swapped else "right")
    found: Vector = []
    matched: dict[Labels, set[Labels]] = {}
    for labels, value in many:
        key = signature(labels)
        partner = partners.get(key)
        if partner is None:
            continue
        kept = _value(node, *((partner.value, value) if swapped else (value, partner.value)))
        if kept is None:
            continue
        result = _result_labels(node, labels, partner.labels)
        seen = matched.setdefault(key, set())
        if not matching.many and seen:
            raise QueryError(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            )
        if result in seen:
            raise QueryError("multiple matches for labels: grouping labels must ensure unique matches")
        seen.add(result)
        found.append(Sample(result, kept))
    return found


def _partners(one: Vector, signature: Callable[[Labels], Labels], side: str) -> dict[Labels, Sample]:
    found: dict[Labels, Sample] = {}
    for sample in one:
        key = signature(sample.labels)
        if key in found:
            raise QueryError(
                f"found duplicate series for the match group {written(key)} on the {side} hand-side of the operation: "
                f"[{written(sample.labels)}, {written(found[key].labels)}]"
                ";many-to-many matching not allowed: matching labels must be unique on one side"
            )
        found[key] = sample
    return found


def _value(node: Binary, left: float, right: float) -> float | None:
    if node.operator in ARITHMETIC:
        return ARITHMETIC[node.operator](left, right)
    holds = COMPARE[node.operator](left, right)
    if node.is_bool:
        return float(holds)
    return left if holds else None


def _result_labels(node: Binary, many: Labels, one: Labels) -> Labels:
    matching = node.matching
    names = frozenset(matching.labels)
    found = unnamed(many) if node.operator not in nodes.COMPARISONS or node.is_bool else many
    if not matching.many:
        found = tuple(pair for pair in found if (pair[0] in names) == matching.on)
    if matching.include:
        kept = [pair for pair in found if pair[0] not in matching.include]
        found = labels_from([*kept, *((name, label(one, name)) for name in matching.include)])
    return found
