"""Drumroll's own plugin: canary and stable version over the same window, by the mesh's metrics."""

import asyncio
import json
import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, TypeAlias

from drumroll.domain.analysis.comparison import Side, Terms, compare, from_cumulative
from drumroll.domain.analysis.durations import parse_duration
from drumroll.domain.analysis.measurement import Reading
from drumroll.objects.meta import Obj
from drumroll.rollouts.providers.asking import Asked, ProviderError
from drumroll.rollouts.providers.prometheus import ask

Samples: TypeAlias = list[tuple[dict[str, str], float]]

NAME = "drumroll.dev/comparison"
WINDOW = timedelta(minutes=1)
QUERIES = {
    "requests": "sum(increase(drumroll_requests_total{$chosen}[$window]))",
    "errors": "sum(increase(drumroll_request_errors_total{$chosen}[$window]))",
    "buckets": "sum by (le) (increase(drumroll_request_duration_seconds_bucket{$chosen}[$window]))",
}
FIELDS = frozenset(
    {
        "canary",
        "stable",
        "service",
        "namespace",
        "window",
        "minimumSample",
        "level",
        "errors",
        "latency",
        "address",
        "queries",
    }
)


async def read(settings: Obj, asked: Asked) -> Reading:
    """The comparison's figures, and its verdict; conditions of the metric, when there are some, decide instead."""
    terms = terms_of(settings)
    canary, stable = await _sides(settings, asked)
    outcome = compare(canary, stable, terms, asked.looks + 1)
    figures = _rounded(dict(outcome.figures))
    shown = json.dumps(figures, separators=(",", ":"))
    return Reading(shown, dict(outcome.figures), phase=outcome.phase, message=outcome.message)


def terms_of(settings: Obj) -> Terms:
    """The terms that the settings ask for. Raises ProviderError, which names the field."""
    unknown = sorted(settings.keys() - FIELDS)
    if unknown:
        raise ProviderError(f"there is no field {unknown[0]}; there are {', '.join(sorted(FIELDS))}")
    for name in ("canary", "stable"):
        if not settings.get(name):
            text = "the pod template hash of that version, such as {{args.canary-hash}} from podTemplateHashValue"
            raise ProviderError(f"{name} is missing: {text}")
    if settings["canary"] == settings["stable"]:
        raise ProviderError(f"canary and stable are the same version, {settings['canary']}")
    standard = Terms()
    errors, latency = settings.get("errors", {}), settings.get("latency", {})
    return Terms(
        least=int(_number(settings, "minimumSample", standard.least, 1, 10**9)),
        level=_number(settings, "level", standard.level, 1e-9, 0.5),
        error_increase=_increase(errors, "errors", standard.error_increase or 0.0),
        latency_increase=_increase(latency, "latency", standard.latency_increase or 0.0),
        quantile=_number(latency or {}, "quantile", standard.quantile, 0.01, 0.999),
        tolerance=_duration(latency or {}, "tolerance", timedelta()).total_seconds(),
    )


def _duration(part: Obj, name: str, default: timedelta) -> timedelta:
    try:
        return parse_duration(str(part[name])) if part.get(name) else default
    except ValueError as error:
        raise ProviderError(f"{name}: {error}") from None


def _increase(part: Any, name: str, default: float) -> float | None:
    """How much more is allowed; None when the settings switch the part off by `false` or null."""
    if part is None or part is False:
        return None
    if not isinstance(part, dict):
        raise ProviderError(f"{name} must be a map, or false to leave it out")
    return _number(part, "maximumIncrease", default, 0.0, 100.0)


def _number(part: Obj, name: str, default: float, least: float, most: float) -> float:
    value = part.get(name, default)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ProviderError(f"{name} must be a number, not {value!r}") from None
    if not least <= number <= most:
        raise ProviderError(f"{name} must be from {least:g} to {most:g}, not {number:g}")
    return number


async def _sides(settings: Obj, asked: Asked) -> tuple[Side, Side]:
    seconds = round(_duration(settings, "window", WINDOW).total_seconds())
    if seconds < 1:
        raise ProviderError("window must be 1s at least")
    queries = _queries(settings, asked)
    moment, address = asked.now(), settings.get("address") or ""

    async def side(revision: str) -> Side:
        filled = {
            name: query.replace("$revision", str(revision)).replace("$window", f"{seconds}s")
            for name, query in queries.items()
        }
        found = await asyncio.gather(*(ask(asked, query, moment, address) for query in filled.values()))
        counts = dict(zip(filled, found, strict=True))
        requests, errors = (_total(counts.get(name, [])) for name in ("requests", "errors"))
        pairs = [(_bound(labels), count) for labels, count in counts.get("buckets", [])]
        return Side(requests, min(errors, requests), from_cumulative(pairs))

    canary, stable = await asyncio.gather(side(settings["canary"]), side(settings["stable"]))
    return canary, stable


def _queries(settings: Obj, asked: Asked) -> dict[str, str]:
    """What to ask for one version: the mesh's own series, or what the settings have in their place."""
    given = settings.get("queries")
    if given is not None and (
        not isinstance(given, dict) or not given.get("requests") or given.keys() - QUERIES.keys()
    ):
        raise ProviderError("queries must be a map with requests, and errors and buckets where they are compared")
    chosen = ",".join(_selectors(settings, asked))
    queries = dict(given or {name: query.replace("$chosen", chosen) for name, query in QUERIES.items()})
    for name, part in (("errors", "errors"), ("buckets", "latency")):
        if settings.get(part, {}) in (None, False):
            queries.pop(name, None)
        elif name not in queries:
            raise ProviderError(f"queries.{name} is missing; set {part}: false to leave it out")
    return queries


def _selectors(settings: Obj, asked: Asked) -> Iterable[str]:
    yield f"namespace={json.dumps(str(settings.get('namespace') or asked.namespace))}"
    yield 'revision="$revision"'
    if settings.get("service"):
        yield f"service={json.dumps(str(settings['service']))}"


def _total(samples: Samples) -> int:
    total = sum(count for _, count in samples)
    if not math.isfinite(total):
        raise ProviderError(f"a count is {total}: ask for increases, not for rates or shares")
    return round(total)


def _bound(labels: dict[str, str]) -> float:
    try:
        return float(labels["le"])
    except (KeyError, ValueError):
        raise ProviderError("the query for buckets must keep the label le, as `sum by (le) (…)` does") from None


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
