"""The rules of the installed definitions: what they say in Python is what the Common Expression Language says."""

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from drumroll.domain.custom.cel import Failed, compile_rule
from drumroll.domain.custom.defaults import fill_defaults
from drumroll.domain.custom.installed import definitions, twin
from drumroll.domain.custom.installed.shapes import IMMUTABLE, UNSURE
from drumroll.domain.custom.rules import converted
from drumroll.objects.custom import RULES

WORDS = (
    "", "a", "b", "/", "/a", "a/b", "/a//b", "/a/./b", "/a/../b", "/a/..", "/a/.", "/%2fa", "/%2Fa", "/a#b", "/a b",
    "/é", "1s", "500ms", "10m", "0s", "soon", "com.example.User", ".a", "9a", "Log in", "Login", "http", "Service", "*",
    "HTTP", "HTTPS", "TCP", "TLS", "Terminate", "Passthrough",
)  # fmt: skip
VALUES = 400


def ruled(schema: Any, path: str = "") -> Iterator[tuple[str, dict]]:
    """Every node that has rules."""
    if not isinstance(schema, dict):
        return
    if any(rule["rule"] != IMMUTABLE for rule in schema.get(RULES) or ()):
        yield path, schema
    for name, inner in (schema.get("properties") or {}).items():
        yield from ruled(inner, f"{path}.{name}")
    yield from ruled(schema.get("items"), f"{path}[]")


def nodes() -> list[Any]:
    found = {}
    for crd in definitions():
        version = crd["spec"]["versions"][0]
        for path, schema in ruled(version["schema"]["openAPIV3Schema"]):
            key = tuple(rule["rule"] for rule in schema[RULES])
            found.setdefault(key, pytest.param(schema, id=f"{crd['spec']['names']['kind']}{path}"))
    return list(found.values())


def anything(schema: dict, chance: random.Random) -> Any:
    """A value of the schema's types: sometimes a good one."""
    if "enum" in schema:
        return chance.choice(schema["enum"])
    match schema.get("type"):
        case "string":
            fitting = [word for word in WORDS if re.search(schema.get("pattern", ""), word)]
            return chance.choice(fitting if fitting and chance.random() < 0.7 else WORDS)
        case "integer":
            return chance.choice((0, 1, 2, 50, 80, 100))
        case "boolean":
            return chance.random() < 0.5
        case "array":
            length = chance.choice((0, 1, 1, 2, 3))
            items = [anything(schema["items"], chance) for _ in range(length)]
            return items + items[:1] if items and chance.random() < 0.2 else items
        case "object" if "additionalProperties" in schema:
            return {name: "x" for name in ("a", "b") if chance.random() < 0.3}
        case _:
            needed = schema.get("required") or ()
            return {
                name: anything(inner, chance)
                for name, inner in (schema.get("properties") or {}).items()
                if name in needed or chance.random() < 0.5
            }


@pytest.mark.parametrize("schema", nodes())
def test_a_rule_says_the_same_in_python(schema):
    chance = random.Random(1)  # the same values in every run
    seen: set[tuple[str, bool]] = set()
    programs = {rule["rule"]: compile_rule(rule["rule"]) for rule in schema[RULES] if rule["rule"] != IMMUTABLE}
    for _ in range(VALUES):
        value = anything(schema, chance)
        fill_defaults(value, schema)
        shown = converted(value, schema, is_root=False)
        for text, program in programs.items():
            holds = twin(text)
            assert holds is not None, text
            try:
                said = holds(value)
            except UNSURE:
                continue  # then CEL is asked
            try:
                known = program.evaluate(shown, None, has_old=False) is True
            except Failed:
                known = False
            assert said == known, (text, value)
            seen.add((text, said))
    for text in programs:
        assert (text, True) in seen, text
