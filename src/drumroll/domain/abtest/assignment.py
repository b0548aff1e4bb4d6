"""Who sees which variant, said in the standard's own words: rules of an HTTPRoute.

A user without a cookie is sent by weight, and the answer carries the cookie; with it, the user stays where the first
request went. The rules stand in front of the one that they split, which stays as it is: taking them out ends the test.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from drumroll.objects.meta import Obj

Variant = Literal["control", "treatment"]
VARIANTS: tuple[Variant, Variant] = ("control", "treatment")


@dataclass(frozen=True, slots=True)
class Split:
    """A test's split: `services` by variant, the `percent` of users who get the treatment, and how users are known.

    Users are known by a cookie that we set, or by the `header` that already names them (our own gateway only).
    """

    name: str
    control: str
    treatment: str
    percent: int
    cookie: str
    max_age: int
    header: str = ""

    def service(self, variant: Variant) -> str:
        """The Service behind a variant."""
        return self.control if variant == "control" else self.treatment


def is_ours(rule: Obj, name: str) -> bool:
    """Whether a rule was put there by the test of that name."""
    return str(rule.get("name") or "").startswith(_prefix(name))


def without_test(rules: Iterable[Obj], name: str) -> list[Obj]:
    """The rules as they are when no test of that name runs."""
    return [rule for rule in rules if not is_ours(rule, name)]


def with_test(rules: Iterable[Obj], split: Split) -> list[Obj]:
    """The rules with the test's in front of each rule that sends to the control; the others as they are."""
    found: list[Obj] = []
    count = 0
    for rule in without_test(rules, split.name):
        reference = _reference(rule, split.control)
        if reference is not None:
            found += _split_rule(rule, reference, split, count)
            count += 1
        found.append(rule)
    return found


def sends_to(rules: Iterable[Obj], service: str) -> bool:
    """Whether any of the rules has the Service as a backend."""
    return any(_reference(rule, service) is not None for rule in rules)


def promoted(rules: Iterable[Obj], split: Split) -> list[Obj]:
    """The rules after a success: no test, and the treatment wherever the control was."""
    found = []
    for rule in without_test(rules, split.name):
        control = _reference(rule, split.control)
        backends: list[Obj] = [
            {**one, **({"name": split.treatment} if one is control else {})} for one in rule.get("backendRefs") or ()
        ]
        found.append({**rule, "backendRefs": backends} if backends else rule)
    return found


def _prefix(name: str) -> str:
    return f"abtest-{name}-"


def _reference(rule: Obj, service: str) -> Obj | None:
    for one in rule.get("backendRefs") or ():
        if one.get("name") == service and (one.get("kind") or "Service") == "Service":
            found: Obj = one
            return found
    return None


def _split_rule(rule: Obj, reference: Obj, split: Split, number: int) -> list[Obj]:
    base = {name: value for name, value in rule.items() if name not in {"name", "backendRefs"}}
    weights = {"control": 100 - split.percent, "treatment": split.percent}
    shares = [
        {**reference, "name": split.service(variant), "weight": weights[variant], **_marking(split, variant)}
        for variant in VARIANTS
    ]
    assign = {**base, "name": f"{_prefix(split.name)}assign-{number}", "backendRefs": shares}
    if split.header:
        return [assign]
    known = [
        {
            **base,
            "name": f"{_prefix(split.name)}{variant}-{number}",
            "matches": [_with_cookie(match, split.cookie, variant) for match in rule.get("matches") or [{}]],
            "backendRefs": [{**reference, "name": split.service(variant), "weight": 1}],
        }
        for variant in VARIANTS
    ]
    return [*known, assign]


def _with_cookie(match: Obj, cookie: str, variant: Variant) -> Obj:
    pattern = rf"(.*;\s*)?{re.escape(cookie)}={variant}(\s*;.*)?"
    header = {"type": "RegularExpression", "name": "Cookie", "value": pattern}
    return {**match, "headers": [*(match.get("headers") or ()), header]}


def _marking(split: Split, variant: Variant) -> Obj:
    if split.header:
        return {}
    value = f"{split.cookie}={variant}; Path=/; Max-Age={split.max_age}; SameSite=Lax"
    added = {
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"add": [{"name": "Set-Cookie", "value": value}]},
    }
    return {"filters": [added]}
