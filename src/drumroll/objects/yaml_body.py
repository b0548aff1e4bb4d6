"""YAML bodies as JSON values, with the scalars of YAML 1.1 as the original reads them: `y`, `on` and `no` are booleans.

Dates stay text, base-60 numbers do not exist, keys become text. Source: sigs.k8s.io/yaml over go-yaml v2.
"""

import math
import re
from typing import Any

import yaml

_BOOLEAN = "tag:yaml.org,2002:bool"
_MAX_NODES = 1_000_000


class _Loader(yaml.CSafeLoader):
    """A loader of its own, so that nobody else's YAML changes."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    (_BOOLEAN, r"^(?:[yYnN]|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$",
     "yYnNtTfFoO"),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)$", "-+0123456789"),
    ("tag:yaml.org,2002:float",
     r"^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
     "-+0123456789."),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:merge", r"^(?:<<)$", ["<"]),
):  # fmt: skip
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def _boolean(loader: Any, node: Any) -> bool:
    return str(loader.construct_scalar(node)).lower() in ("y", "yes", "true", "on")


def _integer(loader: Any, node: Any) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "")
    sign, digits = (-1 if text.startswith("-") else 1), text.lstrip("+-").lower()
    if re.match(r"0[0-7]", digits):
        return sign * int(digits, 8)
    return sign * int(digits, 0)


_Loader.add_constructor(_BOOLEAN, _boolean)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def parse_yaml(body: bytes) -> Any:
    """The JSON value of a YAML document. Raises ValueError in the original's words."""
    try:
        value = yaml.load(body, Loader=_Loader)
        return _as_json(value, [_MAX_NODES])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ValueError(f"error converting YAML to JSON: yaml: {place}{problem}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"error converting YAML to JSON: yaml: {error}") from error


def _as_json(value: Any, budget: list[int]) -> Any:
    """Keys as text, no shared parts; documents that aliases blow up are refused."""
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError("error converting YAML to JSON: yaml: document contains excessive aliasing")
    if isinstance(value, dict):
        return {_key(key): _as_json(item, budget) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item, budget) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"error converting YAML to JSON: json: unsupported value: {value}")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError(f"error converting YAML to JSON: yaml: unsupported value {type(value).__name__}")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def duplicate_keys(body: bytes) -> list[str]:
    """One message for each key that a mapping of the document sets twice, in the original's words."""
    found: list[str] = []
    _visit(yaml.compose(body, Loader=_Loader), found, set())
    return [f"yaml: unmarshal errors:\n{chr(10).join(found)}"] if found else []


def _visit(node: Any, found: list[str], seen: set[int]) -> None:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _visit(item, found, seen)
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, item in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in keys:
                    line = key.start_mark.line + 1
                    found.append(f'  line {line}: key "{key.value}" already set in map')
                keys.add(key.value)
            _visit(item, found, seen)
