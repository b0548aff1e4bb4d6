"""What an ABTest asks for, read and checked: every fault at once, each with its field."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from drumroll.domain.abtest.assignment import Split
from drumroll.domain.abtest.verdict import Terms
from drumroll.objects.meta import Obj

PROVIDERS = ("web", "prometheus", "header", "log")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_COOKIE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER = _COOKIE
MONTH_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Wish:
    """A test as asked for; `faults` are the sentences that keep it from running."""

    route: str
    split: Split
    terms: Terms
    interval: timedelta
    provider: Obj
    promotes: bool
    rollout: str
    faults: tuple[str, ...]


def read(test: Obj) -> Wish:
    """The wish of an ABTest; never raises, whatever the object holds."""
    spec = test.get("spec") or {}
    name = test["metadata"]["name"]
    faults: list[str] = []
    assignment = spec.get("assignment") or {}
    cookie, header = assignment.get("cookie") or {}, (assignment.get("header") or {}).get("name") or ""
    percent = spec.get("percent", 50)
    split = Split(
        name,
        (spec.get("control") or {}).get("service") or "",
        (spec.get("treatment") or {}).get("service") or "",
        percent,
        "" if header else cookie.get("name") or f"drumroll-ab-{name}",
        cookie.get("maxAgeSeconds") or MONTH_SECONDS,
        header,
    )
    goal = spec.get("goal") or {}
    terms = _terms(spec, goal, percent, faults)
    interval = _duration(goal.get("interval") or "30s", "spec.goal.interval", faults) or timedelta(seconds=30)
    provider = goal.get("provider") or {}
    faults += _faults(spec, split, provider, both=bool(cookie and header))
    return Wish(
        (spec.get("routeRef") or {}).get("name") or "",
        split,
        terms,
        interval,
        provider,
        spec.get("onSuccess") == "Promote",
        (spec.get("rolloutRef") or {}).get("name") or "",
        tuple(faults),
    )


def _terms(spec: Obj, goal: Obj, percent: int, faults: list[str]) -> Terms:
    limits = spec.get("limits") or {}
    level = _number(spec.get("level", 0.05), "spec.level", faults)
    effect = _number(goal.get("minimumEffect", 0.01), "spec.goal.minimumEffect", faults)
    if not 0 < level < 1:
        faults.append(f"spec.level: {level:g} must lie between 0 and 1, e.g. 0.05")
    if not effect > 0:
        faults.append(f"spec.goal.minimumEffect: {effect:g} must be more than 0: the improvement that is worth having")
    longest = limits.get("maximumDuration")
    return Terms(
        level if 0 < level < 1 else 0.05,
        effect if effect > 0 else 0.01,
        percent / 100,
        goal.get("direction", "Increase") == "Increase",
        limits.get("minimumSample") or 100,
        limits.get("maximumSample"),
        _duration(longest, "spec.limits.maximumDuration", faults) if longest else None,
    )


def _faults(spec: Obj, split: Split, provider: Obj, *, both: bool) -> Iterable[str]:
    if not (spec.get("routeRef") or {}).get("name"):
        yield "spec.routeRef.name: name the HTTPRoute whose users take part"
    for field, value in (("control", split.control), ("treatment", split.treatment)):
        if not value:
            yield f"spec.{field}.service: name a Service"
    if split.control and split.control == split.treatment:
        yield f"spec.treatment.service: {split.treatment!r} is the control too; a test needs two Services"
    if not 1 <= split.percent <= 99:
        yield f"spec.percent: {split.percent} must be 1 to 99, the part of the users who get the treatment"
    if both:
        yield "spec.assignment: choose one of cookie and header"
    if split.cookie and not _COOKIE.fullmatch(split.cookie):
        yield f"spec.assignment.cookie.name: {split.cookie!r} is no cookie name"
    if split.header and not _HEADER.fullmatch(split.header):
        yield f"spec.assignment.header.name: {split.header!r} is no header name"
    known = [name for name in PROVIDERS if name in provider]
    if len(known) != 1 or len(provider) != 1:
        found = ", ".join(sorted(provider)) or "none"
        yield f"spec.goal.provider: choose one of {', '.join(PROVIDERS)} (found {found})"


def _number(value: object, field: str, faults: list[str]) -> float:
    try:
        return float(str(value))
    except ValueError:
        faults.append(f"{field}: {value!r} is no number")
        return 0.5


def _duration(value: object, field: str, faults: list[str]) -> timedelta | None:
    text = str(value)
    found = _DURATION.fullmatch(text)
    if text.isdigit():
        return timedelta(seconds=int(text))
    if not found or not text:
        faults.append(f"{field}: {text!r} is no duration: write 30s, 10m, 12h or 14d")
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
