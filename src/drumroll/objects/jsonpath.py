"""JSONPath as definitions use it: for printer columns, scale paths and selectable fields.

Names, quoted names, indexes, slices of everything (`[*]`), recursive descent and filters by one comparison.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeAlias

Step: TypeAlias = Callable[[Any], Iterator[Any]]

_TOKEN = re.compile(
    r"""\.\.(?P<deep>[\w\-]+|\*)
      | \.(?P<name>(?:\\.|[^.\[\]\\\s])+)
      | \[(?P<quoted>'(?:\\.|[^'])*'|"(?:\\.|[^"])*")\]
      | \[(?P<index>-?\d+|\*)\]
      | \[\?\((?P<filter>.*?)\)\](?=\.|\[|$)
    """,
    re.VERBOSE,
)
_FILTER = re.compile(r"^\s*@(?P<left>[^=!<>]*?)\s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<right>.+?))?\s*$")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    ">": lambda a, b: bool(a > b),
    "<=": lambda a, b: bool(a <= b),
    ">=": lambda a, b: bool(a >= b),
}


@lru_cache(512)
def compile_path(path: str) -> tuple[Step, ...]:
    """The steps of a path such as `.spec.size`, with or without braces. Raises ValueError when it is none."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps: list[Step] = []
    at = 0
    if text and text[0] not in ".[":
        text = f".{text}"
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if text[at:] == ".":
                break
            raise ValueError(f"unrecognized JSONPath at {text[at:]!r}")
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def find(path: str, value: Any) -> list[Any]:
    """Every value at the path, in document order. Raises ValueError for a malformed path."""
    found = [value]
    for step in compile_path(path):
        found = [inner for outer in found for inner in step(outer)]
    return found


def _step(match: re.Match[str]) -> Step:
    if match["name"] is not None:
        name = re.sub(r"\\(.)", r"\1", match["name"])
        return _all if name == "*" else _member(name)
    if match["quoted"] is not None:
        return _member(re.sub(r"\\(.)", r"\1", match["quoted"][1:-1]))
    if match["index"] is not None:
        return _all if match["index"] == "*" else _element(int(match["index"]))
    if match["deep"] is not None:
        return _deep(match["deep"])
    return _filtered(match["filter"])


def _member(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _all(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _element(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _deep(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            for key, item in value.items():
                if name in (key, "*"):
                    yield item
                yield from step(item)
        elif isinstance(value, list):
            for item in value:
                yield from step(item)

    return step


def _filtered(text: str) -> Step:
    match = _FILTER.match(text)
    if match is None:
        raise ValueError(f"unrecognized filter {text!r}")
    left, operator = match["left"], match["operator"]
    compile_path(left)
    right = _literal(match["right"]) if operator else None

    def step(value: Any) -> Iterator[Any]:
        for item in _all(value):
            found = find(left, item)
            if operator is None:
                if found:
                    yield item
                continue
            try:
                if found and _COMPARE[operator](found[0], right):
                    yield item
            except TypeError:
                continue

    return step


def _literal(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError as error:
            raise ValueError(f"unrecognized value {text!r} in a filter") from error
