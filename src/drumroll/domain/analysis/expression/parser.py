"""From tokens to a tree: operator precedence, members, calls, predicates. Source: expr-lang's language definition."""

from drumroll.domain.analysis.expression.lexer import WORDS, Sort, Token, tokens
from drumroll.domain.analysis.expression.syntax import (
    OPERATORS,
    UNARY,
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

LONGEST = 10_000  # characters
DEEPEST = 100  # levels of nesting

CONSTANTS = {"true": True, "false": False, "nil": None}
COMPARISONS = frozenset({"<", ">", "<=", ">="})
NEGATABLE = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})
PREDICATES: dict[str, int] = {
    **dict.fromkeys(("all", "any", "one", "none", "map", "filter", "find", "findIndex"), 1),
    **dict.fromkeys(("findLast", "findLastIndex", "groupBy", "sortBy", "reduce"), 1),
    **dict.fromkeys(("count", "sum"), 0),
}
"""Functions that take a predicate as their second argument, and whether they must."""


def parse(source: str) -> Node:
    """The tree of an expression. Raises ExpressionError, which says where and what."""
    if len(source) > LONGEST:
        raise ExpressionError(f"the expression is longer than {LONGEST} characters")
    return _Parser(source).whole()


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = list(tokens(source))
        self._at = 0
        self._depth = 0

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _ends(self) -> bool:
        return self._now.sort is Sort.END

    def _take(self) -> Token:
        token = self._now
        if token.sort is not Sort.END:
            self._at += 1
        return token

    def _is(self, *texts: str) -> bool:
        return self._now.sort is Sort.OPERATOR and self._now.text in texts

    def _accept(self, text: str) -> bool:
        if self._is(text):
            self._take()
            return True
        return False

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            raise self._unexpected(f", expected {text!r}")
        return self._take()

    def _unexpected(self, more: str = "") -> ExpressionError:
        token = self._now
        what = "end of expression" if token.sort is Sort.END else f"token {token.text!r}"
        return ExpressionError(f"unexpected {what}{more}", self._source, token.position)

    def whole(self) -> Node:
        """The whole text as one expression."""
        if self._ends():
            raise ExpressionError("the expression is empty")
        node = self._statement()
        if not self._ends():
            raise self._unexpected()
        return node

    def _statement(self) -> Node:
        if self._now.sort is not Sort.NAME or self._now.text != "let":
            return self._expression(0)
        position = self._take().position
        name = self._take()
        if name.sort is not Sort.NAME:
            raise ExpressionError("let needs the name of a variable", self._source, name.position)
        self._expect("=")
        value = self._expression(0)
        self._expect(";")
        return Let(position, name.text, value, self._statement())

    def _expression(self, least: int) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(f"nested deeper than {DEEPEST} levels", self._source, self._now.position)
        node = self._operations(self._primary(), least)
        if least == 0:
            node = self._pipes_and_conditions(node)
        self._depth -= 1
        return node

    def _operations(self, node: Node, least: int) -> Node:
        before = ""
        while self._now.sort is Sort.OPERATOR:
            start, is_negated = self._at, False
            operator = self._now
            if operator.text == "not":
                is_negated = self._tokens[self._at + 1].text in NEGATABLE
                if not is_negated:
                    break
                self._take()
                operator = self._now
            strength = OPERATORS.get(operator.text, -1)
            if strength < least or strength < 0:
                self._at = start
                break
            self._take()
            if before == "??" and operator.text != "??":
                text = f"operator {operator.text!r} and coalesce (??) cannot be mixed: wrap one in parentheses"
                raise ExpressionError(text, self._source, operator.position)
            node, before = self._operation(node, operator, strength), operator.text
            if is_negated:
                node = Unary(operator.position, "not", node)
        return node

    def _operation(self, left: Node, operator: Token, strength: int) -> Node:
        binds_right = operator.text in ("**", "^")
        right = self._expression(strength if binds_right else strength + 1)
        node: Node = Binary(operator.position, operator.text, left, right)
        while operator.text in COMPARISONS and self._is(*COMPARISONS):  # 0 < a < 1
            operator, left = self._take(), right
            right = self._expression(OPERATORS[operator.text] + 1)
            node = Binary(operator.position, "&&", node, Binary(operator.position, operator.text, left, right))
        return node

    def _pipes_and_conditions(self, node: Node) -> Node:
        while self._is("|", "?"):
            if self._is("|"):
                self._take()
                name = self._take()
                if name.sort is not Sort.NAME:
                    raise ExpressionError("a pipe needs the name of a function", self._source, name.position)
                node = self._members(self._call(name, node))
                node = self._operations(node, 0)
                continue
            position = self._take().position
            if self._accept(":"):  # `a ?: b`
                return Conditional(position, node, node, self._expression(0))
            yes = self._expression(0)
            self._expect(":")
            node = Conditional(position, node, yes, self._expression(0))
        return node

    def _primary(self) -> Node:
        token = self._now
        if token.sort is Sort.OPERATOR and token.text in UNARY:
            self._take()
            return Unary(token.position, token.text, self._expression(UNARY[token.text]))
        return self._members(self._operand())

    def _operand(self) -> Node:
        token = self._now
        if token.sort in (Sort.NUMBER, Sort.STRING):
            self._take()
            return Literal(token.position, token.value)
        if token.sort is Sort.NAME:
            self._take()
            if token.text in CONSTANTS:
                return Literal(token.position, CONSTANTS[token.text])
            return self._call(token) if self._is("(") else Name(token.position, token.text)
        if token.text.startswith("#") and token.sort is Sort.OPERATOR:
            self._take()
            return Pointer(token.position, token.text[1:])
        if self._is("."):  # `.field` is `#.field`
            return Pointer(token.position, "")
        if self._accept("("):
            node = self._statement()
            self._expect(")")
            return node
        if self._is("["):
            return self._array()
        if self._is("{"):
            return self._map()
        raise self._unexpected()

    def _array(self) -> Node:
        position, items = self._expect("[").position, []
        while not self._is("]"):
            items.append(self._expression(0))
            if not self._accept(","):
                break
        self._expect("]")
        return Array(position, tuple(items))

    def _map(self) -> Node:
        position, pairs = self._expect("{").position, []
        while not self._is("}"):
            pairs.append((self._map_key(), self._map_value()))
            if not self._accept(","):
                break
        self._expect("}")
        return MapLiteral(position, tuple(pairs))

    def _map_key(self) -> Node:
        token = self._now
        if token.sort in (Sort.STRING, Sort.NUMBER):
            self._take()
            return Literal(token.position, token.value if token.sort is Sort.STRING else token.text)
        if token.sort is Sort.NAME:
            self._take()
            return Literal(token.position, token.text)
        self._expect("(")
        node = self._expression(0)
        self._expect(")")
        return node

    def _map_value(self) -> Node:
        self._expect(":")
        return self._expression(0)

    def _members(self, node: Node) -> Node:
        is_chain = False
        while self._is(".", "?.", "["):
            token = self._take()
            is_optional = token.text == "?."
            is_chain = is_chain or is_optional
            if token.text == "[" or (is_optional and self._accept("[")):
                node = self._index(node, token.position, is_optional)
                continue
            name = self._take()
            if name.sort is not Sort.NAME and name.text not in WORDS:
                raise ExpressionError("expected the name of a member", self._source, name.position)
            node = Member(token.position, node, Literal(name.position, name.text), is_optional)
        return Chain(node.position, node) if is_chain else node

    def _index(self, of: Node, position: int, is_optional: bool) -> Node:
        start: Node | None = None
        if not self._is(":"):
            start = self._expression(0)
            if self._accept("]"):
                return Member(position, of, start, is_optional)
        self._expect(":")
        end = None if self._is("]") else self._expression(0)
        self._expect("]")
        return Slice(position, of, start, end)

    def _call(self, name: Token, piped: Node | None = None) -> Node:
        self._expect("(")
        arguments: list[Node] = [piped] if piped is not None else []
        predicate: Node | None = None
        while not self._is(")"):
            if len(arguments) == 1 and predicate is None and name.text in PREDICATES:
                predicate = self._predicate()
            else:
                arguments.append(self._expression(0))
            if not self._accept(","):
                break
        self._expect(")")
        if PREDICATES.get(name.text) and predicate is None:
            text = f"{name.text}() needs an array and a predicate, such as {name.text}(result, # > 1)"
            raise ExpressionError(text, self._source, name.position)
        return Call(name.position, name.text, tuple(arguments), predicate)

    def _predicate(self) -> Node:
        if not self._accept("{"):
            return self._statement()
        node = self._statement()
        self._expect("}")
        return node
