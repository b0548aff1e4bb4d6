"""From text to tokens."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from drumroll.domain.analysis.expression.syntax import ExpressionError

WORDS = frozenset({"not", "and", "or", "in", "matches", "contains", "startsWith", "endsWith"})


class Sort(Enum):
    """What a token is."""

    NUMBER = auto()
    STRING = auto()
    NAME = auto()
    OPERATOR = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `value` is what a number or string means."""

    sort: Sort
    text: str
    position: int
    value: Any = None


_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+"
    r"|\d[\d_]*\.(?!\.)\d[\d_]*(?:[eE][+-]?\d+)?|\d[\d_]*[eE][+-]?\d+|\.\d[\d_]*(?:[eE][+-]?\d+)?|\d[\d_]*"
)
_NAME = re.compile(r"[^\W\d][\w$]*|\$[\w$]*")
_POINTER = re.compile(r"#(?:index|acc)?\b|#")
_OPERATOR = re.compile(r"\*\*|\.\.|\?\?|\?\.|\|\||&&|==|!=|<=|>=|[-+*/%^<>!?:,.;|=()\[\]{}]")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPES |= {"\\": "\\", "'": "'", '"': '"', "`": "`"}


def tokens(source: str) -> Iterator[Token]:
    """The tokens of an expression, with one that marks the end."""
    position = 0
    while True:
        if space := _SPACE.match(source, position):
            position = space.end()
        if position >= len(source):
            yield Token(Sort.END, "", position)
            return
        token, position = _next(source, position)
        yield token


def _next(source: str, position: int) -> tuple[Token, int]:
    first = source[position]
    if first in "\"'":
        return _string(source, position)
    if first == "`":
        end = source.find("`", position + 1)
        if end < 0:
            raise ExpressionError("literal not terminated", source, position)
        text = source[position + 1 : end]
        return Token(Sort.STRING, text, position, text), end + 1
    if found := _NUMBER.match(source, position):
        return Token(Sort.NUMBER, found[0], position, _number(found[0], source, position)), found.end()
    if found := _NAME.match(source, position):
        sort = Sort.OPERATOR if found[0] in WORDS else Sort.NAME
        return Token(sort, found[0], position), found.end()
    if found := _POINTER.match(source, position) or _OPERATOR.match(source, position):
        return Token(Sort.OPERATOR, found[0], position), found.end()
    raise ExpressionError(f"unrecognized character: {first!r}", source, position)


def _number(text: str, source: str, position: int) -> int | float:
    plain = text.replace("_", "")
    try:
        if plain[:2].lower() in ("0x", "0o", "0b"):
            return int(plain, 0)
        return float(plain) if any(mark in plain for mark in ".eE") else int(plain)
    except ValueError:
        raise ExpressionError(f"bad number {text!r}", source, position) from None


def _string(source: str, start: int) -> tuple[Token, int]:
    quote, position = source[start], start + 1
    out: list[str] = []
    while position < len(source):
        char = source[position]
        if char == quote:
            return Token(Sort.STRING, source[start : position + 1], start, "".join(out)), position + 1
        if char == "\n":
            break
        if char == "\\":
            char, position = _escape(source, position)
        else:
            position += 1
        out.append(char)
    raise ExpressionError("literal not terminated", source, start)


def _escape(source: str, position: int) -> tuple[str, int]:
    mark = source[position + 1 : position + 2]
    if mark in _ESCAPES and mark:
        return _ESCAPES[mark], position + 2
    digits = {"x": 2, "u": 4, "U": 8}.get(mark, 0)
    code = source[position + 2 : position + 2 + digits]
    if digits and re.fullmatch(r"[0-9a-fA-F]+", code) and len(code) == digits and int(code, 16) <= 0x10FFFF:
        return chr(int(code, 16)), position + 2 + digits
    raise ExpressionError(f"invalid escape: \\{mark}", source, position)
