"""What an expression is made of, and how an error says where it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


class ExpressionError(Exception):
    """The expression cannot be read, or not be evaluated; the message ends with line and column when they are known."""

    def __init__(self, message: str, source: str = "", position: int = -1) -> None:
        where = ""
        if source and position >= 0:
            before = source[:position]
            where = f" ({before.count(chr(10)) + 1}:{position - (before.rfind(chr(10)) + 1) + 1})"
        super().__init__(message + where)


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, truth value or nil."""

    position: int
    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """A variable: `result`, or what `let` named."""

    position: int
    name: str


@dataclass(frozen=True, slots=True)
class Pointer:
    """`#` is the element that a predicate looks at, `#index` its number, `#acc` what reduce has so far."""

    position: int
    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """`!`, `not`, `-` or `+` before an operand."""

    position: int
    operator: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two operands."""

    position: int
    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Conditional:
    """`test ? yes : no`."""

    position: int
    test: "Node"
    yes: "Node"
    no: "Node"


@dataclass(frozen=True, slots=True)
class Member:
    """`object.key`, `object[key]`; with `?.` an object that is nil ends the whole chain in nil."""

    position: int
    of: "Node"
    key: "Node"
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """Members of which at least one is optional."""

    position: int
    body: "Node"


@dataclass(frozen=True, slots=True)
class Slice:
    """`object[start:end]`; a missing end is None."""

    position: int
    of: "Node"
    start: "Node | None"
    end: "Node | None"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the language applied to arguments; a predicate is the argument that is evaluated per element."""

    position: int
    function: str
    arguments: tuple["Node", ...]
    predicate: "Node | None" = None


@dataclass(frozen=True, slots=True)
class Array:
    """`[a, b]`."""

    position: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """`{a: b}`."""

    position: int
    pairs: tuple[tuple["Node", "Node"], ...]


@dataclass(frozen=True, slots=True)
class Let:
    """`let name = value; body`."""

    position: int
    name: str
    value: "Node"
    body: "Node"


Node: TypeAlias = (
    Literal | Name | Pointer | Unary | Binary | Conditional | Member | Chain | Slice | Call | Array | MapLiteral | Let
)

OPERATORS: Mapping[str, int] = {
    "||": 10, "or": 10, "&&": 15, "and": 15,
    "==": 20, "!=": 20, "<": 20, ">": 20, "<=": 20, ">=": 20,
    "in": 20, "matches": 20, "contains": 20, "startsWith": 20, "endsWith": 20,
    "..": 25, "+": 30, "-": 30, "*": 60, "/": 60, "%": 60, "**": 100, "^": 100, "??": 500,
}  # fmt: skip
"""How tightly an operator binds; `**` and `^` bind to the right."""

UNARY: Mapping[str, int] = {"not": 50, "!": 50, "-": 90, "+": 90}
