"""The rules that setHeaderRoute and setMirrorRoute stand for, made from a route's own rules.

They are made anew in every turn and compared with what is there, so that a rule that somebody deleted or changed comes
back. Their names, `name`, `name-1`, …, tell them from the user's.
Source: the Gateway API plugin of argo-rollouts, whose mirror routes do nothing.
"""

import re
from collections.abc import Iterable

from drumroll.domain.rollout.traffic import Share
from drumroll.objects.meta import Obj

MOST_MATCHES = 64  # of one rule, by the Gateway API


def is_managed(rule: Obj, names: Iterable[str]) -> bool:
    """Whether a rule is one that was made for one of the managed routes of those names."""
    name = rule.get("name") or ""
    return any(name == one or re.fullmatch(rf"{re.escape(one)}-\d+", name) for one in names)


def managed_rules(sources: list[Obj], share: Share, *, with_headers: bool) -> list[Obj]:
    """The rules for the share's managed routes, one for each of `sources` (rules that lead to both Services).

    `with_headers` says whether this route takes part in header routes.
    """
    made = []
    for step in share.managed:
        header, mirror = step.get("setHeaderRoute"), step.get("setMirrorRoute")
        if header is not None and with_headers:
            made += _numbered(header["name"], [_header_rule(source, header, share) for source in sources])
        if mirror is not None:
            made += _numbered(mirror["name"], [_mirror_rule(source, mirror, share) for source in sources])
    return made


def _numbered(name: str, rules: list[Obj]) -> list[Obj]:
    return [{**rule, "name": name if number == 0 else f"{name}-{number}"} for number, rule in enumerate(rules)]


def _header_rule(source: Obj, step: Obj, share: Share) -> Obj:
    """Requests with all of the headers go to the canary."""
    headers = [_condition(one["headerName"], one["headerValue"]) for one in step["match"]]
    matches = [{**match, "headers": _joined(match.get("headers"), headers)} for match in source.get("matches") or [{}]]
    canary = [
        {name: value for name, value in ref.items() if name != "weight"}
        for ref in source["backendRefs"]
        if ref.get("name") == share.canary
    ]
    return {**source, "matches": matches, "backendRefs": [{**ref, "weight": 1} for ref in canary]}


def _mirror_rule(source: Obj, step: Obj, share: Share) -> Obj:
    """Requests that match go where they went, and the canary gets a copy."""
    matches = [
        _both(match, wanted) for wanted in step["match"] for match in source.get("matches") or [{}]
    ][:MOST_MATCHES]  # fmt: skip
    canary = next(ref for ref in source["backendRefs"] if ref.get("name") == share.canary)
    backend = {name: value for name, value in canary.items() if name not in ("weight", "filters")}
    percentage = step.get("percentage")
    mirror = {"backendRef": backend, "percent": 100 if percentage is None else int(percentage)}
    filters = [*(source.get("filters") or ()), {"type": "RequestMirror", "requestMirror": mirror}]
    return {**source, "matches": matches, "filters": filters}


def _both(match: Obj, wanted: Obj) -> Obj:
    """A match of the route with a match of the step on top: the step's path and method count where it has them."""
    made = dict(match)
    if wanted.get("path"):
        made["path"] = _path(wanted["path"])
    if (wanted.get("method") or {}).get("exact"):
        made["method"] = wanted["method"]["exact"]
    headers = [_condition(name, value) for name, value in (wanted.get("headers") or {}).items()]
    if headers:
        made["headers"] = _joined(match.get("headers"), headers)
    return made


def _joined(given: list[Obj] | None, more: list[Obj]) -> list[Obj]:
    names = {one["name"].lower() for one in more}
    return [*(one for one in given or () if one["name"].lower() not in names), *more]


def _condition(name: str, value: Obj) -> Obj:
    kind, text = _text(value)
    return {"type": kind, "name": name, "value": text}


def _path(value: Obj) -> Obj:
    if value.get("prefix"):
        return {"type": "PathPrefix", "value": value["prefix"]}
    kind, text = _text(value)
    return {"type": kind, "value": text}


def _text(value: Obj) -> tuple[str, str]:
    """The type and the text of a condition; the Gateway API has no prefix of headers, so that becomes an expression."""
    if value.get("exact") is not None:
        return "Exact", str(value["exact"])
    if value.get("prefix") is not None:
        return "RegularExpression", f"^{re.escape(str(value['prefix']))}.*"
    return "RegularExpression", str(value.get("regex") or ".*")
