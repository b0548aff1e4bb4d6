"""The tree of a query. `at` is where a node begins in the text."""

from dataclasses import dataclass, field
from typing import Literal

from drumroll.domain.promql.regexp import Pattern

Type = Literal["scalar", "instant vector", "range vector", "string"]


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label. A label that is absent counts as empty."""

    name: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str
    pattern: Pattern | None = None

    def matches(self, value: str) -> bool:
        """True when a label with this value passes."""
        if self.pattern is not None:
            return self.pattern.matches(value) == (self.operator == "=~")
        return (value == self.value) == (self.operator == "=")


@dataclass(frozen=True, slots=True)
class When:
    """A shift in time: `offset` in ms, `anchor` a moment in ms or the query's start or end (`@`)."""

    offset: int = 0
    anchor: int | Literal["start", "end"] | None = None
    has_offset: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float
    at: int


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    value: str
    at: int


@dataclass(frozen=True, slots=True, eq=False)
class Selector:
    """Series by name and labels."""

    name: str
    matchers: tuple[Matcher, ...]
    at: int
    when: When = When()


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Samples of a selector over the last `length` ms."""

    selector: Selector
    length: int
    at: int


@dataclass(frozen=True, slots=True, eq=False)
class Subquery:
    """Values of an expression over the last `length` ms, every `step` ms (0: the default)."""

    inner: "Node"
    length: int
    step: int
    at: int
    when: When = When()


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A function call."""

    name: str
    arguments: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True, eq=False)
class Aggregation:
    """`operator by (labels) (parameter, inner)`; `without` turns the labels round."""

    operator: str
    inner: "Node"
    parameter: "Node | None"
    labels: tuple[str, ...]
    without: bool
    at: int


@dataclass(frozen=True, slots=True)
class Matching:
    """How the two sides of an operator find each other. `many` is the side that may have several for one."""

    labels: tuple[str, ...] = ()
    on: bool = False
    many: Literal["", "left", "right"] = ""
    include: tuple[str, ...] = ()
    written: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """An operator between two expressions."""

    operator: str
    left: "Node"
    right: "Node"
    is_bool: bool = False
    matching: Matching = field(default_factory=Matching)
    at: int = 0
    operator_at: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Unary:
    """`-` or `+` before an expression."""

    operator: str
    inner: "Node"
    at: int


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Parentheses."""

    inner: "Node"
    at: int


Node = Number | Text | Selector | Window | Subquery | Call | Aggregation | Binary | Unary | Group

COMPARISONS = frozenset(("==", "!=", "<", ">", "<=", ">="))
SETS = frozenset(("and", "or", "unless"))


def bare(node: Node) -> Node:
    """The expression inside of any parentheses."""
    while isinstance(node, Group):
        node = node.inner
    return node
