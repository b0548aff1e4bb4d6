"""From a tree and values to a value, within a bound of steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from drumroll.domain.analysis.expression.functions import FUNCTIONS, in_order, total
from drumroll.domain.analysis.expression.parser import PREDICATES
from drumroll.domain.analysis.expression.syntax import (
    Array,
    Binary,
    Call,
    Chain,
    Conditional,
    ExpressionError,
    Let,
    Literal,
    MapLiteral,
    Member,
    Name,
    Node,
    Pointer,
    Slice,
    Unary,
)
from drumroll.domain.analysis.expression.values import BINARY, LARGEST, Misuse, equal, member, negative, part, type_name

MOST_STEPS = 200_000


class _NilInChain(Exception):
    """A `?.` met nil: the chain is nil."""


@dataclass(slots=True)
class _Scope:
    element: Any
    index: int
    so_far: Any = None


@dataclass(slots=True)
class Evaluation:
    """One evaluation of one expression. `variables` are the names that it may use; `now` is what now() answers."""

    source: str
    variables: Mapping[str, Any]
    now: datetime
    _scopes: list[_Scope] = field(default_factory=list)
    _steps: int = 0

    def value(self, node: Node) -> Any:
        """The value of a tree. Raises ExpressionError."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise ExpressionError(f"stopped after {MOST_STEPS} steps", self.source, node.position)
        try:
            return self._value(node)
        except Misuse as misuse:
            raise ExpressionError(str(misuse), self.source, node.position) from None

    def _value(self, node: Node) -> Any:
        match node:
            case Literal():
                return node.value
            case Name():
                if node.name not in self.variables:
                    raise Misuse(f"unknown name {node.name}")
                return self.variables[node.name]
            case Pointer():
                return self._pointer(node)
            case Unary():
                return self._unary(node)
            case Binary():
                return self._binary(node)
            case Conditional():
                return self.value(node.yes if self._truth("?:", node.test) else node.no)
            case Member():
                return self._member(node)
            case Chain():
                try:
                    return self.value(node.body)
                except _NilInChain:
                    return None
            case _:
                return self._composed(node)

    def _composed(self, node: Slice | Call | Array | MapLiteral | Let) -> Any:
        match node:
            case Slice():
                ends = [None if end is None else self.value(end) for end in (node.start, node.end)]
                return part(self.value(node.of), *ends)
            case Call():
                return self._call(node)
            case Array():
                return [self.value(item) for item in node.items]
            case MapLiteral():
                return {str(self.value(key)): self.value(value) for key, value in node.pairs}
            case Let():
                inner = Evaluation(self.source, {**self.variables, node.name: self.value(node.value)}, self.now)
                inner._scopes, inner._steps = self._scopes, self._steps
                value = inner.value(node.body)
                self._steps = inner._steps
                return value
            case _:
                assert_never(node)

    def _pointer(self, node: Pointer) -> Any:
        if not self._scopes:
            raise Misuse("cannot use pointer accessor outside predicate")
        scope = self._scopes[-1]
        return {"": scope.element, "index": scope.index, "acc": scope.so_far}[node.name]

    def _truth(self, operator: str, node: Node) -> bool:
        value = self.value(node)
        if not isinstance(value, bool):
            text = f"operator {operator} needs true or false, not {type_name(value)}"
            raise ExpressionError(text, self.source, node.position)
        return value

    def _unary(self, node: Unary) -> Any:
        if node.operator in ("!", "not"):
            return not self._truth(node.operator, node.operand)
        value = self.value(node.operand)
        return negative(value) if node.operator == "-" else negative(negative(value))

    def _binary(self, node: Binary) -> Any:
        if node.operator in ("&&", "and"):
            return self._truth(node.operator, node.left) and self._truth(node.operator, node.right)
        if node.operator in ("||", "or"):
            return self._truth(node.operator, node.left) or self._truth(node.operator, node.right)
        left = self.value(node.left)
        if node.operator == "??":
            return self.value(node.right) if left is None else left
        return BINARY[node.operator](left, self.value(node.right))

    def _member(self, node: Member) -> Any:
        of = self.value(node.of)
        if of is None and node.is_optional:
            raise _NilInChain
        return member(of, self.value(node.key))

    def _call(self, node: Call) -> Any:
        if node.function == "now" and not node.arguments:
            return self.now
        if node.predicate is not None:
            return self._predicated(node, node.predicate)
        if node.function == "count" and len(node.arguments) == 1:
            return sum(value is True for value in self._array(node))
        if node.function not in FUNCTIONS:
            raise Misuse(f"unknown name {node.function}")
        function, least, most = FUNCTIONS[node.function]
        if not least <= len(node.arguments) <= most:
            amount = "not enough" if len(node.arguments) < least else "too many"
            raise Misuse(f"{amount} arguments to call {node.function}")
        return function(*(self.value(argument) for argument in node.arguments))

    def _array(self, node: Call) -> list[Any]:
        value = self.value(node.arguments[0])
        if not isinstance(value, list):
            raise Misuse(f"{node.function}() needs an array, not {type_name(value)}")
        if len(value) > LARGEST:
            raise Misuse(f"an array of more than {LARGEST} items")
        return value

    def _each(self, array: list[Any], predicate: Node) -> list[Any]:
        """What the predicate comes to for each element."""
        return [self._within(_Scope(element, index), predicate) for index, element in enumerate(array)]

    def _within(self, scope: _Scope, node: Node) -> Any:
        self._scopes.append(scope)
        try:
            return self.value(node)
        finally:
            self._scopes.pop()

    def _holds(self, array: list[Any], predicate: Node) -> list[bool]:
        found = self._each(array, predicate)
        for value in found:
            if not isinstance(value, bool):
                raise Misuse(f"predicate should return boolean (got {type_name(value)})")
        return found

    def _predicated(self, node: Call, predicate: Node) -> Any:
        array = self._array(node)
        if node.function == "reduce":
            return self._reduce(node, array, predicate)
        if node.function in _OF_VALUES:
            return _OF_VALUES[node.function](array, self._each(array, predicate), self._order(node))
        return _OF_TRUTHS[node.function](array, self._holds(array, predicate))

    def _order(self, node: Call) -> Any:
        return self.value(node.arguments[1]) if len(node.arguments) > 1 else "asc"

    def _reduce(self, node: Call, array: list[Any], predicate: Node) -> Any:
        rest = list(enumerate(array))
        if len(node.arguments) > 1:
            so_far = self.value(node.arguments[1])
        elif rest:
            so_far = rest.pop(0)[1]
        else:
            raise Misuse("reduce of empty array with no initial value")
        for index, element in rest:
            so_far = self._within(_Scope(element, index, so_far), predicate)
        return so_far


def _group(array: list[Any], keys: list[Any], _: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for element, key in zip(array, keys, strict=True):
        groups.setdefault(str(key), []).append(element)
    return groups


def _positions(truths: list[bool]) -> list[int]:
    return [index for index, is_true in enumerate(truths) if is_true]


def _find(array: list[Any], truths: list[bool], place: int) -> Any:
    found = _positions(truths)
    return array[found[place]] if found else None


_OF_VALUES: Mapping[str, Callable[[list[Any], list[Any], Any], Any]] = {
    "map": lambda _array, values, _order: values,
    "sum": lambda _array, values, _order: total(values),
    "groupBy": _group,
    "sortBy": lambda array, keys, order: [array[index] for index in in_order(keys, equal(order, "desc"))],
}
_OF_TRUTHS: Mapping[str, Callable[[list[Any], list[bool]], Any]] = {
    "all": lambda _, truths: all(truths),
    "any": lambda _, truths: any(truths),
    "none": lambda _, truths: not any(truths),
    "one": lambda _, truths: sum(truths) == 1,
    "count": lambda _, truths: sum(truths),
    "filter": lambda array, truths: [one for one, keep in zip(array, truths, strict=True) if keep],
    "find": lambda array, truths: _find(array, truths, 0),
    "findLast": lambda array, truths: _find(array, truths, -1),
    "findIndex": lambda _, truths: next(iter(_positions(truths)), -1),
    "findLastIndex": lambda _, truths: next(reversed(_positions(truths)), -1),
}
KNOWN = frozenset(FUNCTIONS) | frozenset(PREDICATES) | {"now"}
