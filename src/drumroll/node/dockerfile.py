"""A Dockerfile, read: its instructions with their lines. Whether they make sense is `build.py`'s question."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

KNOWN = (
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
)
_FLAG = re.compile(r"--([a-z]+)(?:=(\S*))?(?:\s+|$)")
_VARIABLE = re.compile(
    r"\\(?P<escaped>\$)|\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?::(?P<how>[-+])(?P<word>[^}]*))?\})", re.ASCII
)
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""")


class BuildError(Exception):
    """An image cannot be built; the message names file and line and says what to do."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `words` is its JSON array when it is written as one (the exec form), else None."""

    file: str
    line: int
    keyword: str
    value: str
    flags: Mapping[str, str]
    words: tuple[str, ...] | None

    def error(self, message: str) -> BuildError:
        """The error that blames this instruction."""
        return BuildError(f"{self.file}:{self.line}: {message}")


def parse_dockerfile(text: str, file: str) -> list[Instruction]:
    """The instructions of a Dockerfile, in order; `file` is its name in messages. Raises BuildError."""
    return [_instruction(file, number, line) for number, line in _logical_lines(text)]


def _logical_lines(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    pending: list[str] = []
    start = 0
    for number, raw in enumerate(text.splitlines(), 1):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue  # comments and empty lines may stand inside a continued instruction
        if not pending:
            start = number
        continued = raw.rstrip().endswith("\\")
        pending.append(raw.rstrip().removesuffix("\\") if continued else raw.rstrip())
        if not continued:
            found.append((start, "".join(pending).strip()))
            pending = []
    if pending:
        found.append((start, "".join(pending).strip()))
    return found


def _instruction(file: str, line: int, text: str) -> Instruction:
    keyword, _, rest = text.partition(" ") if " " in text else text.partition("\t")
    keyword, rest = keyword.upper(), rest.strip()
    if keyword not in KNOWN:
        raise BuildError(f"{file}:{line}: unknown instruction {keyword!r}: use one of {', '.join(KNOWN)}")
    flags: dict[str, str] = {}
    while keyword in ("ADD", "COPY", "FROM", "RUN", "HEALTHCHECK") and (match := _FLAG.match(rest)):
        flags[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    if not rest and keyword not in ("CMD", "ENTRYPOINT"):
        raise BuildError(f"{file}:{line}: {keyword} needs an argument")
    if keyword in ("ADD", "COPY", "RUN") and rest.startswith("<<"):
        raise BuildError(f"{file}:{line}: here-documents are not supported: put the text into a file and COPY it")
    return Instruction(file, line, keyword, rest, flags, _exec_form(rest))


def _exec_form(text: str) -> tuple[str, ...] | None:
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except ValueError:
        return None
    return tuple(words) if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}` replaced; unset names become empty."""

    def replaced(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        value = variables.get(match["plain"] or match["name"], "")
        if match["how"] == "-":
            return value or expand(match["word"], variables)
        if match["how"] == "+":
            return expand(match["word"], variables) if value else ""
        return value

    return _VARIABLE.sub(replaced, text)


def split_words(text: str) -> list[str]:
    """The words of an argument, with shell quotes taken off."""
    return [_unquoted(word) for word in _WORD.findall(text)]


def _unquoted(word: str) -> str:
    pieces = re.findall(r""""((?:[^"\\]|\\.)*)"|'([^']*)'|((?:[^"'\\]|\\.)+)""", word)
    return "".join(single if single else re.sub(r"\\(.)", r"\1", double or bare) for double, single, bare in pieces)


def split_pairs(instruction: Instruction) -> dict[str, str]:
    """The pairs of ENV, LABEL or ARG: `a=1 b="2 3"`, or the old form `a 1`. Raises BuildError."""
    words = split_words(instruction.value)
    if instruction.keyword == "ENV" and words and "=" not in words[0]:
        name, _, value = instruction.value.partition(" ")
        if not value.strip():
            raise instruction.error(f"ENV {name} needs a value: write ENV {name}=value")
        return {name: value.strip()}
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise instruction.error(f"{instruction.keyword} wants name=value, not {word!r}")
        pairs[name] = value
    return pairs
