"""A second Ingress beside one: nginx's canary annotations, which take a part of a path's requests elsewhere.

A header decides before a cookie, and a cookie before the weight. Source: ingress-nginx, docs/user-guide/nginx-
configuration/annotations.md ("Canary") and rootfs/etc/nginx/lua/balancer.lua.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "nginx.ingress.kubernetes.io/"
CANARY = PREFIX + "canary"
WEIGHT, TOTAL = PREFIX + "canary-weight", PREFIX + "canary-weight-total"
HEADER, VALUE, PATTERN = (
    PREFIX + "canary-by-header",
    PREFIX + "canary-by-header-value",
    PREFIX + "canary-by-header-pattern",
)
COOKIE = PREFIX + "canary-by-cookie"
ANNOTATIONS = frozenset({CANARY, WEIGHT, TOTAL, HEADER, VALUE, PATTERN, COOKIE})
ALWAYS, NEVER = "always", "never"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Canary:
    """Which requests of a path go to `cluster` instead: `weight` of `total`, unless header or cookie say otherwise.

    `value` and `pattern` are empty when the header's words are `always` and `never`. `cluster` None is a 503.
    """

    cluster: str | None
    weight: int = 0
    total: int = 100
    header: str = ""
    value: str = ""
    pattern: str = ""
    cookie: str = ""


def is_canary(annotations: Mapping[str, str]) -> bool:
    """Whether an Ingress is a canary of another."""
    return annotations.get(CANARY) == "true"


def canary_of(annotations: Mapping[str, str], cluster: str | None) -> tuple[Canary, list[str]]:
    """What the annotations ask for, and what is wrong with them; what is wrong has no effect."""
    faults: list[str] = []
    total = _count(annotations, TOTAL, 100, faults) or 100
    weight = _count(annotations, WEIGHT, 0, faults)
    if weight > total:
        faults.append(f"annotation {WEIGHT}: {weight} is more than the total, {total}; the total is taken")
    header = _name(annotations, HEADER, faults)
    value, pattern = annotations.get(VALUE, ""), annotations.get(PATTERN, "")
    if (value or pattern) and not header:
        faults.append(f"annotation {VALUE if value else PATTERN} has no effect without {HEADER}")
    if pattern and (fault := _pattern_fault(pattern)):
        faults.append(f"annotation {PATTERN}: {pattern!r} is no regular expression: {fault}")
        header = ""
    found = Canary(
        cluster,
        min(weight, total),
        total,
        header,
        value if header else "",
        pattern if header and not value else "",
        _name(annotations, COOKIE, faults),
    )
    return found, faults


def _count(annotations: Mapping[str, str], name: str, default: int, faults: list[str]) -> int:
    text = annotations.get(name, "")
    if not text:
        return default
    if not text.isdigit():
        faults.append(f"annotation {name}: {text!r} is no whole number of 0 or more")
        return default
    return min(int(text), 2**31 - 1)


def _name(annotations: Mapping[str, str], name: str, faults: list[str]) -> str:
    text = annotations.get(name, "")
    if text and not _TOKEN.fullmatch(text):
        faults.append(f"annotation {name}: {text!r} is no name of a header or cookie")
        return ""
    return text


def _pattern_fault(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return ""
