"""The parts of a query that name series and times: selectors, matchers, windows, offsets, lists of labels."""

from dataclasses import replace
from typing import Literal

from drumroll.domain.promql.errors import ParseError
from drumroll.domain.promql.nodes import Matcher, Node, Selector, Subquery, When, Window
from drumroll.domain.promql.regexp import PatternError, compiled
from drumroll.domain.promql.tokens import OPERATOR_WORDS, Token, duration_ms, number_of, tokens_of

Anchor = int | Literal["start", "end"]


class SelectorParser:
    """A position in a query's tokens, and what can be read there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokens_of(text)
        self._next = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._next]

    def peek(self) -> str:
        """The kind of the next token."""
        return self.token.kind

    def word(self) -> str:
        """The next token in small letters when it is a word, else empty."""
        return self.token.text.lower() if self.token.kind == "identifier" else ""

    def following(self) -> str:
        """The token after the next one: a word in small letters, else its kind."""
        token = self._tokens[min(self._next + 1, len(self._tokens) - 1)]
        return token.text.lower() if token.kind == "identifier" else token.kind

    def advance(self) -> Token:
        """Take the next token."""
        token = self.token
        if token.kind != "end":
            self._next += 1
        return token

    def take_word(self, word: str) -> bool:
        """Take the next token if it is this word."""
        if self.word() != word:
            return False
        self.advance()
        return True

    def expect(self, kind: str, where: str) -> Token:
        """Take a token of this kind."""
        if self.peek() != kind:
            raise self.unexpected(where)
        return self.advance()

    def unexpected(self, where: str) -> ParseError:
        """The next token does not belong here."""
        token = self.token
        names = {"end": "end of input", "string": f'string "{token.text}"', "number": f'number "{token.text}"'}
        names |= {"identifier": f'identifier "{token.text}"', "duration": f'duration "{token.text}"'}
        names |= {"(": '"("', ")": 'right parenthesis ")"', "{": '"{"', "}": '"}"', "[": '"["', "]": '"]"'}
        named = names.get(token.kind, f"<op:{token.kind}>" if token.kind not in {",", ":"} else f'"{token.kind}"')
        return ParseError(self.text, token.at, f"unexpected {named}{' ' + where if where else ''}")

    def unclosed(self, what: str) -> ParseError:
        """Something was opened and the query goes on otherwise, or ends."""
        if self.peek() == "end":
            return ParseError(self.text, self.token.at, f"unclosed {what}")
        return self.unexpected("")

    def labels(self) -> tuple[str, ...]:
        """`(a, b)`."""
        self.expect("(", 'in grouping opts, expected "("')
        found = []
        while self.peek() != ")":
            name = self.expect("identifier", "in grouping opts, expected label")
            if ":" in name.text:
                raise ParseError(self.text, name.at, f'unexpected identifier "{name.text}" in grouping opts')
            found.append(name.text)
            if self.peek() != ")":
                self.expect(",", 'in grouping opts, expected "," or ")"')
        self.advance()
        return tuple(found)

    def selector(self) -> Selector:
        """`name{matchers}`, either part may be missing."""
        first = self.token
        name = ""
        if first.kind == "identifier" and self.word() not in OPERATOR_WORDS:
            name = self.advance().text
        elif first.kind != "{":
            raise self.unexpected("")
        matchers = [Matcher("__name__", "=", name)] if name else []
        if self.peek() == "{":
            matchers += self._matchers(first)
        if all(matcher.matches("") for matcher in matchers):
            message = "vector selector must contain at least one non-empty matcher"
            raise ParseError(self.text, first.at, message)
        return Selector(name, tuple(matchers), first.at)

    def _matchers(self, metric: Token) -> list[Matcher]:
        self.advance()
        found: list[Matcher] = []
        while self.peek() != "}":
            found.append(self._matcher(metric))
            if self.peek() != "}":
                self.expect(",", 'in label matching, expected "," or "}"')
        self.advance()
        return found

    def _matcher(self, metric: Token) -> Matcher:
        name = self.expect("identifier", 'in label matching, expected identifier or "}"')
        if self.peek() not in {"=", "!=", "=~", "!~"}:
            raise self.unexpected("in label matching, expected label matching operator")
        operator = self.advance().kind
        value = self.expect("string", "in label matching, expected string")
        if metric.kind == "identifier" and name.text == "__name__":
            message = f'metric name must not be set twice: "{metric.text}" or "{value.text}"'
            raise ParseError(self.text, metric.at, message)
        try:
            pattern = compiled(value.text) if "~" in operator else None
        except PatternError as error:
            raise ParseError(self.text, name.at, str(error)) from None
        return Matcher(name.text, operator, value.text, pattern)  # type: ignore[arg-type]

    def duration(self, where: str) -> int:
        """A duration in ms."""
        token = self.token
        found = duration_ms(token.text)
        if token.kind != "duration":
            raise self.unexpected(f"{where}, expected duration")
        self.advance()
        if found is None:
            raise ParseError(self.text, token.at, f'not a valid duration string: "{token.text}"')
        return found

    def signed_duration(self, where: str) -> int:
        """A duration in ms that may have a sign."""
        sign = -1 if self.peek() == "-" else 1
        if self.peek() in {"+", "-"}:
            self.advance()
        return sign * self.duration(where)

    def window(self, node: Node) -> Node:
        """`[5m]` after a selector, or `[5m:1m]` after any expression."""
        bracket = self.advance()
        token = self.token
        length = self.duration("in subquery selector")
        if length == 0:
            raise ParseError(self.text, token.at, "duration must be greater than 0")
        step, is_subquery = 0, self.peek() == ":"
        if is_subquery:
            self.advance()
            if self.peek() != "]":
                step = self.duration("in subquery selector")
        if self.peek() != "]":
            raise (
                self.unexpected('in subquery selector, expected "]"')
                if self.peek() != "end"
                else ParseError(self.text, self.token.at, "unclosed left bracket")
            )
        self.advance()
        if is_subquery:
            return Subquery(node, length, step, node.at)
        if not isinstance(node, Selector):
            raise ParseError(self.text, bracket.at, "ranges only allowed for vector selectors")
        if node.when.has_offset:
            raise ParseError(self.text, node.at, "no offset modifiers allowed before range")
        if node.when.anchor is not None:
            raise ParseError(self.text, node.at, "no @ modifiers allowed before range")
        return Window(node, length, node.at)

    def anchor(self) -> Anchor:
        """What follows `@`: a time in ms, or `start()`, `end()`."""
        word = self.word()
        if word in {"start", "end"}:
            self.advance()
            self.expect("(", "in @")
            self.expect(")", "in @")
            return "start" if word == "start" else "end"
        sign = -1 if self.peek() == "-" else 1
        if self.peek() in {"+", "-"}:
            self.advance()
        token = self.expect("number", "in @, expected timestamp")
        return round(sign * number_of(token.text) * 1000)

    def shifted(self, node: Node, offset: int | None = None, anchor: Anchor | None = None) -> Node:
        """The node at another time."""
        if isinstance(node, Window):
            return replace(node, selector=replace(node.selector, when=self._when(node.selector, offset, anchor)))
        if isinstance(node, Selector | Subquery):
            return replace(node, when=self._when(node, offset, anchor))
        what = "offset" if offset is not None else "@"
        message = (
            f"{what} modifier must be preceded by an instant vector selector or range vector selector or a subquery"
        )
        raise ParseError(self.text, node.at, message)

    def _when(self, node: Selector | Subquery, offset: int | None, anchor: Anchor | None) -> When:
        when = node.when
        if offset is not None:
            if when.has_offset:
                raise ParseError(self.text, node.at, "offset may not be set multiple times")
            return replace(when, offset=offset, has_offset=True)
        if when.anchor is not None:
            raise ParseError(self.text, node.at, "@ <timestamp> may not be set multiple times")
        return replace(when, anchor=anchor)
