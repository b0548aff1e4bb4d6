"""Query text to a checked tree, by precedence climbing."""

from drumroll.domain.promql import nodes
from drumroll.domain.promql.checks import check
from drumroll.domain.promql.errors import ParseError
from drumroll.domain.promql.nodes import Aggregation, Binary, Call, Group, Matching, Node, Number, Text, Unary
from drumroll.domain.promql.selectors import SelectorParser
from drumroll.domain.promql.signatures import SIGNATURES
from drumroll.domain.promql.tokens import AGGREGATIONS, number_of

LONGEST_QUERY = 16_384
DEEPEST = 50

_PRECEDENCE = {
    **dict.fromkeys(("or",), 1),
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_UNARY = 5


def parse(text: str) -> Node:
    """The tree of a query, its types checked. Raises ParseError."""
    if len(text) > LONGEST_QUERY:
        raise ParseError(text, 0, f"query is longer than {LONGEST_QUERY} characters")
    parser = _Parser(text)
    tree = parser.whole()
    check(text, tree)
    return tree


class _Parser(SelectorParser):
    """Expressions; see SelectorParser for what they are made of."""

    _depth = 0

    def whole(self) -> Node:
        if self.peek() == "end":
            raise ParseError(self.text, len(self.text), "no expression found in input")
        tree = self._expression(0)
        if self.peek() != "end":
            raise self.unexpected("")
        return tree

    def _expression(self, least: int) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ParseError(self.text, self.token.at, f"expression nests deeper than {DEEPEST} levels")
        left = self._unary()
        while (operator := self._operator()) and _PRECEDENCE[operator] > least:
            at = self.advance().at
            is_bool = self.take_word("bool")
            if is_bool and operator not in nodes.COMPARISONS:
                raise ParseError(self.text, at, "bool modifier can only be used on comparison operators")
            matching = self._matching()
            level = _PRECEDENCE[operator]
            right = self._expression(level - 1 if operator == "^" else level)
            left = Binary(operator, left, right, is_bool, matching, left.at, at)
        self._depth -= 1
        return left

    def _operator(self) -> str:
        word = self.token.text.lower() if self.token.kind == "identifier" else self.token.kind
        return word if word in _PRECEDENCE else ""

    def _matching(self) -> Matching:
        word = self.word()
        if word not in {"on", "ignoring"}:
            return Matching()
        self.advance()
        labels = self.labels()
        side = self.word()
        if side not in {"group_left", "group_right"}:
            return Matching(labels, word == "on", written=True)
        self.advance()
        include = self.labels() if self.peek() == "(" else ()
        return Matching(labels, word == "on", "left" if side == "group_left" else "right", include, written=True)

    def _unary(self) -> Node:
        if self.peek() not in {"+", "-"}:
            return self._postfix(self._primary())
        token = self.advance()
        inner = self._expression(_UNARY)
        if isinstance(inner, Number):
            return Number(-inner.value if token.kind == "-" else inner.value, token.at)
        return Unary(token.kind, inner, token.at)

    def _primary(self) -> Node:
        token = self.token
        word = token.text.lower()
        if token.kind == "number":
            self.advance()
            return Number(number_of(token.text), token.at)
        if token.kind == "string":
            self.advance()
            return Text(token.text, token.at)
        if token.kind == "(":
            self.advance()
            inner = self._expression(0)
            if self.peek() != ")":
                raise self.unclosed("left parenthesis")
            self.advance()
            return Group(inner, token.at)
        if token.kind == "identifier":
            if word in {"inf", "nan"}:
                self.advance()
                return Number(float(word), token.at)
            if word in AGGREGATIONS and self.following() in {"(", "by", "without"}:
                return self._aggregation()
            if self.following() == "(":
                return self._call()
        return self.selector()

    def _call(self) -> Node:
        token = self.advance()
        if token.text not in SIGNATURES:
            raise ParseError(self.text, token.at, f'unknown function with name "{token.text}"')
        return Call(token.text, self._arguments(), token.at)

    def _arguments(self) -> tuple[Node, ...]:
        self.expect("(", "in function call arguments")
        found: list[Node] = []
        while self.peek() != ")":
            found.append(self._expression(0))
            if self.peek() == ",":
                comma = self.advance()
                if self.peek() == ")":
                    raise ParseError(self.text, comma.at, "trailing commas not allowed in function call args")
            elif self.peek() != ")":
                raise self.unclosed("left parenthesis")
        self.advance()
        return tuple(found)

    def _aggregation(self) -> Node:
        token = self.advance()
        grouping = self._grouping()
        arguments = self._arguments()
        grouping = grouping or self._grouping() or ("by", ())
        operator = token.text.lower()
        wanted = 2 if operator in {"topk", "bottomk", "count_values", "quantile"} else 1
        if not arguments:
            raise ParseError(self.text, token.at, "no arguments for aggregate expression provided")
        if len(arguments) != wanted:
            text = (
                f"wrong number of arguments for aggregate expression provided, expected {wanted}, got {len(arguments)}"
            )
            raise ParseError(self.text, token.at, text)
        parameter = arguments[0] if wanted == 2 else None
        return Aggregation(operator, arguments[-1], parameter, grouping[1], grouping[0] == "without", token.at)

    def _grouping(self) -> tuple[str, tuple[str, ...]] | None:
        word = self.word()
        if word not in {"by", "without"}:
            return None
        self.advance()
        return word, self.labels()

    def _postfix(self, node: Node) -> Node:
        while True:
            if self.peek() == "[":
                node = self.window(node)
            elif self.word() == "offset":
                self.advance()
                node = self.shifted(node, offset=self.signed_duration("in offset"))
            elif self.peek() == "@":
                self.advance()
                node = self.shifted(node, anchor=self.anchor())
            else:
                return node
