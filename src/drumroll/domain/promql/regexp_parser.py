"""RE2's syntax, compiled to the programs that `regexp` runs."""

import re

from drumroll.domain.promql.regexp import LONGEST_PROGRAM, MOST_REPEATS, Instruction, Pattern, PatternError, Test

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\t\n\f\r "}
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": "\t\n\v\f\r ",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
    "punct": "!-/:-@[-`{-~",
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_COUNTS = re.compile(r"\{(\d+)(,?)(\d*)\}")
_OPENING = re.compile(r"\(\?(?:P?<(?P<name>\w+)>|(?P<flags>[imsU]*)(?P<close>[:)]))")

Code = list[Instruction]
Ranges = list[tuple[str, str]]


class Compiler:
    """Reads a pattern once, front to back. Code is relative: operands of jumps count from the instruction itself."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._groups = 0
        self._names: list[tuple[str, int]] = []
        self._flags: frozenset[str] = frozenset()

    def compile(self) -> Pattern:
        """The pattern. Raises PatternError."""
        code = self._alternatives(0)
        if self._at < len(self._source):
            raise self._wrong("unexpected )", f"^(?:{self._source})$")
        whole: Code = [("save", 0, 0, None), *code, ("save", 1, 0, None), ("match", 0, 0, None)]
        absolute = tuple(
            (kind, at + first, at + second, test) if kind in {"jump", "split"} else (kind, first, second, test)
            for at, (kind, first, second, test) in enumerate(whole)
        )
        return Pattern(self._source, absolute, self._groups, tuple(self._names))

    def _wrong(self, what: str, where: str) -> PatternError:
        return PatternError(f"error parsing regexp: {what}: `{where}`")

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _alternatives(self, depth: int) -> Code:
        if depth > 50:
            raise self._wrong("expression nests too deeply", self._source)
        flags = self._flags
        code = self._sequence(depth)
        while self._peek() == "|":
            self._at += 1
            other = self._sequence(depth)
            split: Instruction = ("split", 1, len(code) + 2, None)
            code = [split, *code, ("jump", len(other) + 1, 0, None), *other]
        self._flags = flags
        return code

    def _sequence(self, depth: int) -> Code:
        code: Code = []
        while self._peek() not in {"", "|", ")"}:
            code += self._repeated(depth)
            if len(code) > LONGEST_PROGRAM:
                raise self._wrong("expression too large", self._source)
        return code

    def _repeated(self, depth: int) -> Code:
        began = self._at
        code = self._atom(depth)
        repeats = 0
        while (limits := self._limits()) is not None:
            repeats += 1
            least, most = limits
            if repeats > 1:
                raise self._wrong("invalid nested repetition operator", self._source[began : self._at])
            if max(least, most or 0) > MOST_REPEATS or len(code) * max(least, most or 1) > LONGEST_PROGRAM:
                raise self._wrong("invalid repeat count", self._source[began : self._at])
            lazy = self._peek() == "?"
            self._at += lazy
            code = _repeat(code, least, most, lazy=lazy != ("U" in self._flags))
        return code

    def _limits(self) -> tuple[int, int | None] | None:
        """The repetition that follows: at least, at most (None: no end). None when none follows."""
        character = self._peek()
        if character and character in "*+?":
            self._at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
        found = _COUNTS.match(self._source, self._at)
        if found is None:
            return None
        self._at = found.end()
        least = int(found[1])
        most = int(found[3]) if found[3] else None if found[2] else least
        if most is not None and most < least:
            raise self._wrong("invalid repeat count", found[0])
        return least, most

    def _atom(self, depth: int) -> Code:
        character = self._peek()
        self._at += 1
        if character in "*+?":
            raise self._wrong("missing argument to repetition operator", character)
        if character == "(":
            return self._group(depth)
        if character == "[":
            return [self._test(*self._class())]
        if character == ".":
            newlines = "s" in self._flags
            return [("char", 0, 0, (lambda _c: True) if newlines else (lambda c: c != "\n"))]
        if character in "^$":
            return [("start" if character == "^" else "end", 0, 0, None)]
        if character == "\\":
            return [self._escape()]
        return [self._test([(character, character)], negative=False)]

    def _group(self, depth: int) -> Code:
        group = -1
        opening = _OPENING.match(self._source, self._at - 1)
        outer = self._flags
        if opening is None and self._peek() == "?":
            raise self._wrong("invalid or unsupported Perl syntax", self._source[self._at - 1 : self._at + 2])
        if opening is None or opening["name"]:
            self._groups += 1
            group = self._groups
        if opening is not None:
            self._at = opening.end()
            if opening["name"]:
                self._names.append((opening["name"], group))
            self._flags |= frozenset(opening["flags"] or "")
            if opening["close"] == ")":
                return []  # the flags hold to the end of the group around it
        code = self._alternatives(depth + 1)
        if self._peek() != ")":
            raise self._wrong("missing closing )", f"^(?:{self._source})$")
        self._at += 1
        self._flags = outer
        if group < 0:
            return code
        return [("save", 2 * group, 0, None), *code, ("save", 2 * group + 1, 0, None)]

    def _escape(self) -> Instruction:
        character = self._peek()
        self._at += 1
        if not character:
            raise self._wrong("trailing backslash at end of expression", "")
        if character.lower() in _CLASSES:
            return self._test(_ranges(_CLASSES[character.lower()]), negative=character.isupper())
        if character in "Az":
            return ("start" if character == "A" else "end", 0, 0, None)
        literal = self._literal(character)
        return self._test([(literal, literal)], negative=False)

    def _literal(self, character: str) -> str:
        if character == "x":
            found = re.compile(r"\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2})").match(self._source, self._at)
            if found is None or int(found[1] or found[2], 16) > 0x10FFFF:
                raise self._wrong("invalid escape sequence", r"\x")
            self._at = found.end()
            return chr(int(found[1] or found[2], 16))
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character.isalnum():
            raise self._wrong("invalid escape sequence", "\\" + character)
        return character

    def _class(self) -> tuple[Ranges, bool]:
        began = self._at - 1
        negative = self._peek() == "^"
        self._at += negative
        ranges: Ranges = []
        first = True
        while first or self._peek() != "]":
            first = False
            ranges += self._class_item(began)
        self._at += 1
        return ranges, negative

    def _class_item(self, began: int) -> Ranges:
        named = re.compile(r"\[:(\w+):\]").match(self._source, self._at)
        if named and named[1] in _POSIX:
            self._at = named.end()
            return _ranges(_POSIX[named[1]])
        if self._peek() == "\\" and self._source[self._at + 1 : self._at + 2] in {"d", "w", "s"}:
            self._at += 2
            return _ranges(_CLASSES[self._source[self._at - 1]])
        low = high = self._class_character(began)
        if self._peek() == "-" and self._source[self._at + 1 : self._at + 2] not in {"]", ""}:
            self._at += 1
            high = self._class_character(began)
        if high < low:
            raise self._wrong("invalid character class range", f"{low}-{high}")
        return [(low, high)]

    def _class_character(self, began: int) -> str:
        character = self._peek()
        if not character:
            raise self._wrong("missing closing ]", self._source[began:])
        self._at += 1
        if character != "\\":
            return character
        self._at += 1
        return self._literal(self._source[self._at - 1 : self._at] or "\\")

    def _test(self, ranges: Ranges, negative: bool) -> Instruction:
        def within(character: str) -> bool:
            return any(low <= character <= high for low, high in ranges)

        test: Test = within
        if "i" in self._flags:
            test = lambda c: within(c.lower()) or within(c.upper())  # noqa: E731 - the same, of either case
        chosen = test
        return ("char", 0, 0, (lambda c: not chosen(c)) if negative else chosen)


def _ranges(text: str) -> Ranges:
    found: Ranges = []
    at = 0
    while at < len(text):
        if text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            found.append((text[at], text[at + 2]))
            at += 3
        else:
            found.append((text[at], text[at]))
            at += 1
    return found


def _repeat(code: Code, least: int, most: int | None, *, lazy: bool) -> Code:
    def split(skip: int, stay: int) -> Instruction:
        return ("split", skip, stay, None) if lazy else ("split", stay, skip, None)

    required = code * least
    if most is None:
        return [*required, split(len(code) + 2, 1), *code, ("jump", -len(code) - 1, 0, None)]
    optional: Code = []
    for _ in range(most - least):
        optional = [split(len(code) + len(optional) + 1, 1), *code, *optional]
    return [*required, *optional]
