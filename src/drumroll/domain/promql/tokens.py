"""Query text to tokens."""

import re
from dataclasses import dataclass

from drumroll.domain.promql.errors import ParseError

AGGREGATIONS = frozenset(
    ("sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values", "quantile")
)
OPERATOR_WORDS = frozenset(("and", "or", "unless", "atan2"))


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query. `kind`: number, duration, string, identifier, end, or the operator or bracket itself."""

    kind: str
    text: str
    at: int


_PIECE = re.compile(
    r"""
    (?P<space>[ \t\r\n]+|\#[^\n]*)
  | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![A-Za-z0-9_.]))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?P<glued>[A-Za-z0-9_]*)
  | (?P<identifier>[A-Za-z_:][A-Za-z0-9_:]*)
  | (?P<operator>==|!=|=~|!~|<=|>=|[-+*/%^<>=(){}\[\],@])
""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}


def tokens_of(text: str) -> list[Token]:
    """The tokens of a query, an `end` last."""
    found: list[Token] = []
    at = 0
    depth = dict.fromkeys("([{", 0)
    while at < len(text):
        if text[at] in "\"'`":
            found.append(_string(text, at))
            at += len(_raw_string(text, at))
            continue
        if text[at] == ":" and depth["["]:
            found.append(Token(":", ":", at))
            at += 1
            continue
        piece = _PIECE.match(text, at)
        if piece is None and text[at] == "!":
            raise ParseError(text, at, f"unexpected character after '!': {_quoted(text[at + 1 : at + 2])}")
        if piece is None:
            raise ParseError(text, at, f"unexpected character: {_quoted(text[at])}")
        if piece["glued"]:
            what = "duration" if depth["["] else "number or duration"
            raise ParseError(text, at, f'bad {what} syntax: "{piece["number"]}"')
        kind = piece.lastgroup if piece.lastgroup != "glued" else "number"
        if kind == "operator":
            kind = piece[0]
            _count(text, at, kind, depth)
        if kind != "space":
            found.append(Token(str(kind), piece[0], at))
        at = piece.end()
    _check_end(text, depth)
    return [*found, Token("end", "", len(text))]


def _count(text: str, at: int, kind: str, depth: dict[str, int]) -> None:
    if kind in depth:
        depth[kind] += 1
    elif kind in ")]}":
        depth["([{"[")]}".index(kind)]] -= 1
        if depth["("] < 0:
            raise ParseError(text, at + 1, "unexpected right parenthesis ')'")


def _check_end(text: str, depth: dict[str, int]) -> None:
    if depth["{"] > 0:
        raise ParseError(text, len(text), "unexpected end of input inside braces")
    if depth["["] > 0 and text.rstrip().endswith("["):
        raise ParseError(text, len(text), "missing unit character in duration")


def _quoted(character: str) -> str:
    return "'" + character.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _raw_string(text: str, at: int) -> str:
    quote, end = text[at], at + 1
    while end < len(text) and text[end] != quote:
        if text[end] == "\n" and quote != "`":
            break
        end += 2 if text[end] == "\\" and quote != "`" else 1
    if end >= len(text) or text[end] != quote:
        raise ParseError(text, at, "unterminated raw string" if quote == "`" else "unterminated quoted string")
    return text[at : end + 1]


def _string(text: str, at: int) -> Token:
    raw = _raw_string(text, at)
    if raw[0] == "`":
        return Token("string", raw[1:-1], at)

    def unescaped(match: re.Match[str]) -> str:
        code = match[1]
        if code in _SIMPLE:
            return _SIMPLE[code]
        if code[0] in "xuU" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code[0] in "01234567" and len(code) == 3:
            return chr(int(code, 8))
        raise ParseError(text, at, "unknown escape sequence " + _quoted(code))

    return Token("string", _ESCAPE.sub(unescaped, raw[1:-1]), at)


_UNITS = {"y": 365 * 86_400_000, "w": 7 * 86_400_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")


def duration_ms(text: str) -> int | None:
    """Milliseconds of `1h30m`: each unit at most once, larger ones first. None when it is no duration."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        return None
    return sum(int(count or 0) * unit for count, unit in zip(found.groups(), _UNITS.values(), strict=True))


def number_of(text: str) -> float:
    """The value of a number token. As in Go, `0x1f` is hexadecimal and `017` octal."""
    if text.lower().startswith("0x"):
        return float(int(text, 16))
    if re.fullmatch("0[0-7]+", text):
        return float(int(text, 8))
    return float(text)
