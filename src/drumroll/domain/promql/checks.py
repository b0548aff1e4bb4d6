"""Which types a query's parts must have. Source: prometheus promql/parser/parse.go checkAST."""

from drumroll.domain.promql import nodes
from drumroll.domain.promql.errors import ParseError
from drumroll.domain.promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Group,
    Node,
    Number,
    Selector,
    Subquery,
    Text,
    Type,
    Unary,
    Window,
)
from drumroll.domain.promql.signatures import SIGNATURES

_SHORT = {"scalar": "scalar", "instant vector": "vector", "range vector": "matrix", "string": "string"}


def type_of(node: Node) -> Type:
    """What an expression evaluates to."""
    match node:
        case Number():
            return "scalar"
        case Text():
            return "string"
        case Window() | Subquery():
            return "range vector"
        case Call():
            return SIGNATURES[node.name].gives
        case Group() | Unary():
            return type_of(node.inner)
        case Binary():
            both = type_of(node.left) == type_of(node.right) == "scalar"
            return "scalar" if both else "instant vector"
        case Selector() | Aggregation():
            return "instant vector"


def check(text: str, node: Node) -> None:
    """Raise ParseError for the first part, inside out, that has the wrong type."""
    match node:
        case Group():
            check(text, node.inner)
        case Unary():
            check(text, node.inner)
            if type_of(node.inner) not in {"scalar", "instant vector"}:
                kind = type_of(node.inner)
                message = f'unary expression only allowed on expressions of type scalar or instant vector, got "{kind}"'
                raise ParseError(text, node.at, message)
        case Subquery():
            check(text, node.inner)
            if type_of(node.inner) != "instant vector":
                message = f"subquery is only allowed on instant vector, got {_SHORT[type_of(node.inner)]} instead"
                raise ParseError(text, node.at, message)
        case Aggregation():
            _check_aggregation(text, node)
        case Call():
            _check_call(text, node)
        case Binary():
            _check_binary(text, node)
        case _:
            pass


def _expect(text: str, node: Node, wanted: Type, where: str) -> None:
    check(text, node)
    if type_of(node) != wanted:
        raise ParseError(text, node.at, f"expected type {wanted} in {where}, got {type_of(node)}")


def _check_aggregation(text: str, node: Aggregation) -> None:
    _expect(text, node.inner, "instant vector", "aggregation expression")
    if node.parameter is not None:
        wanted: Type = "string" if node.operator == "count_values" else "scalar"
        _expect(text, node.parameter, wanted, "aggregation parameter")


def _check_call(text: str, node: Call) -> None:
    signature = SIGNATURES[node.name]
    most, given = len(signature.takes), len(node.arguments)
    least = most if signature.more <= 0 else most - signature.more
    if signature.more < 0:
        least = most - 1
    if given < least or (signature.more >= 0 and given > most):
        bound = "at least " if signature.more and given < least else "at most " if signature.more else ""
        wanted = least if given < least else most
        message = f'expected {bound}{wanted} argument(s) in call to "{node.name}", got {given}'
        raise ParseError(text, node.at, message)
    for at, argument in enumerate(node.arguments):
        _expect(text, argument, signature.takes[min(at, most - 1)], f'call to function "{node.name}"')


def _check_binary(text: str, node: Binary) -> None:
    check(text, node.left)
    check(text, node.right)
    left, right = type_of(node.left), type_of(node.right)
    for side, kind in ((node.left, left), (node.right, right)):
        if kind not in {"scalar", "instant vector"}:
            message = "binary expression must contain only scalar and instant vector types"
            raise ParseError(text, side.at, message)
    both_vectors = left == right == "instant vector"
    matching = node.matching
    if node.operator in nodes.COMPARISONS and left == right == "scalar" and not node.is_bool:
        raise ParseError(text, node.operator_at, "comparisons between scalars must use BOOL modifier")
    if not both_vectors and matching.written:
        raise ParseError(text, node.at, "vector matching only allowed between instant vectors")
    if node.operator in nodes.SETS:
        if not both_vectors:
            message = f'set operator "{node.operator}" not allowed in binary scalar expression'
            raise ParseError(text, node.at, message)
        if matching.many:
            raise ParseError(text, node.at, f'no grouping allowed for "{node.operator}" operation')
    for label in matching.labels if matching.on else ():
        if label in matching.include:
            message = f'label "{label}" must not occur in ON and GROUP clause at once'
            raise ParseError(text, node.operator_at, message)
