"""Two answers to one request, and every place where they differ, but for what the user said to ignore."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

Aspect = Literal["status", "header", "body"]
MOST_DIFFERENCES = 20
"""So many are told per request; a list of 10,000 changed items says no more than the first few."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """What one version said: `body` may be cut off (`truncated`), `seconds` is the time to the response's headers."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    truncated: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A place (`status`, `headers.etag`, `body.items[0].price`) and what each version had there."""

    aspect: Aspect
    where: str
    primary: str
    shadow: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts. `headers` are compared by name, all others never; `ignored` are places in the body, with `*`."""

    status: bool = True
    body: bool = True
    headers: tuple[str, ...] = ()
    ignored: tuple[re.Pattern[str], ...] = field(default=())


def ignoring(paths: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """Patterns of places such as `generatedAt`, `items[*].id` or `**.timestamp`; a place covers all below it.

    `*` stands for one name or index, `**` for any number of them. Raises ValueError for an empty path.
    """
    return tuple(_pattern(path) for path in paths)


def _pattern(path: str) -> re.Pattern[str]:
    text = path.removeprefix("$").removeprefix(".")
    if not text:
        raise ValueError(f"{path!r} names no place in a body: write e.g. items[*].id")
    steps = {"**": r".*", "*": r"[^.\[\]]*"}
    found = "".join(steps.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", text))
    found = found.replace(r".*\.", r"(?:.*[.\]])?")
    return re.compile(rf"{found}(?:[.\[].*)?")


def compare(primary: Answer, shadow: Answer, rules: Rules) -> tuple[Difference, ...]:
    """The differences that count, status first, then headers, then the body in the primary's order."""
    return tuple(_first(_differences(primary, shadow, rules)))


def _first(found: Iterator[Difference]) -> Iterator[Difference]:
    for number, difference in enumerate(found):
        if number == MOST_DIFFERENCES:
            return
        yield difference


def _differences(primary: Answer, shadow: Answer, rules: Rules) -> Iterator[Difference]:
    if rules.status and primary.status != shadow.status:
        yield Difference("status", "status", str(primary.status), str(shadow.status))
    for name in rules.headers:
        mine, theirs = primary.headers.get(name.lower(), ""), shadow.headers.get(name.lower(), "")
        if mine != theirs:
            yield Difference("header", f"headers.{name.lower()}", _shown(mine), _shown(theirs))
    if rules.body and primary.body != shadow.body:
        yield from _body(primary, shadow, rules)


def _body(primary: Answer, shadow: Answer, rules: Rules) -> Iterator[Difference]:
    if not (primary.truncated or shadow.truncated):
        mine, theirs = _json(primary), _json(shadow)
        if mine is not _NO_JSON and theirs is not _NO_JSON:
            for where, one, other in _walk(mine, theirs, ""):
                if not any(pattern.fullmatch(where) for pattern in rules.ignored):
                    yield Difference("body", f"body.{where}" if where else "body", _shown(one), _shown(other))
            return
    length = min(len(primary.body), len(shadow.body))
    if (primary.truncated or shadow.truncated) and primary.body[:length] == shadow.body[:length]:
        return  # the same as far as was seen
    yield Difference("body", "body", _digest(primary), _digest(shadow))


_NO_JSON: Any = object()
_ABSENT: Any = object()


def _json(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return _NO_JSON


def _walk(mine: Any, theirs: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for name in [*mine, *(name for name in theirs if name not in mine)]:
            place = f"{where}.{name}" if where else str(name)
            yield from _walk(mine.get(name, _ABSENT), theirs.get(name, _ABSENT), place)
    elif isinstance(mine, list) and isinstance(theirs, list):
        for index in range(max(len(mine), len(theirs))):
            one = mine[index] if index < len(mine) else _ABSENT
            other = theirs[index] if index < len(theirs) else _ABSENT
            yield from _walk(one, other, f"{where}[{index}]")
    elif mine is _ABSENT or theirs is _ABSENT or type(mine) is not type(theirs) or mine != theirs:
        yield where, mine, theirs


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "(absent)"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _digest(answer: Answer) -> str:
    digest = hashlib.blake2b(answer.body, digest_size=6).hexdigest()
    kind = answer.headers.get("content-type", "").split(";")[0] or "no content type"
    return f"{len(answer.body)} bytes of {kind}, {digest}{' (cut off)' if answer.truncated else ''}"
