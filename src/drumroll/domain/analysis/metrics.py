"""A metric of an analysis: its limits and times, and what is wrong with one. Source: argo-rollouts utils."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from drumroll.domain.analysis.arguments import ArgumentError, named, resolve
from drumroll.domain.analysis.durations import parse_duration
from drumroll.domain.analysis.expression.conditions import check
from drumroll.domain.analysis.expression.syntax import ExpressionError
from drumroll.domain.custom.cel import BadPattern, is_found
from drumroll.objects.meta import Obj

ERROR_RETRY = timedelta(seconds=10)
CONSECUTIVE_ERRORS = 4
KEPT_MEASUREMENTS = 10


class MetricError(Exception):
    """A metric, or a rule about metrics, that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric with its arguments resolved (secrets excepted) and its defaults filled in.

    `count` is None for one that is measured as long as the run goes on. A `failure_limit` below 0 is switched off; a
    `consecutive_successes` of 0 too.
    """

    name: str
    raw: Obj
    count: int | None
    interval: timedelta | None
    initial_delay: timedelta
    failure_limit: int
    inconclusive_limit: int
    consecutive_errors: int
    consecutive_successes: int
    is_dry_run: bool
    kept: int


def metrics_of(spec: Obj) -> tuple[Metric, ...]:
    """The metrics of a run's or template's spec. Raises MetricError or ArgumentError."""
    hidden = [{"name": one["name"], "value": "0"} if one.get("valueFrom") else one for one in spec.get("args") or ()]
    raw = spec.get("metrics") or ()
    values = named(hidden)
    resolved = [resolve(metric, values) for metric in raw]
    if not resolved:
        raise MetricError("no metrics specified")
    for index, metric in enumerate(resolved):
        if metric["name"] in [other["name"] for other in resolved[:index]]:
            raise MetricError(f"metrics[{index}]: duplicate name '{metric['name']}'")
    names = [metric["name"] for metric in resolved]
    dry = {name for name, _ in _rules("dryRun", spec.get("dryRun") or (), names)}
    kept = {name: rule.get("limit") for name, rule in _rules("measurementRetention", _retention(spec), names)}
    return tuple(
        _metric(index, metric, metric["name"] in dry, kept.get(metric["name"]) or KEPT_MEASUREMENTS)
        for index, metric in enumerate(resolved)
    )


def with_arguments(spec: Obj, name: str, arguments: Sequence[Obj]) -> Obj:
    """The metric of that name with these arguments, which have all their values, secrets included."""
    raw = next(metric for metric in spec["metrics"] if resolve(metric["name"], named(arguments)) == name)
    metric: Obj = resolve(raw, named(arguments))
    return metric


def _retention(spec: Obj) -> Sequence[Obj]:
    return spec.get("measurementRetention") or ()


def _rules(field: str, rules: Sequence[Obj], names: Sequence[str]) -> Iterable[tuple[str, Obj]]:
    """The names of metrics that each rule's regular expression finds, with the rule. The last rule wins."""
    for index, rule in enumerate(rules):
        try:
            found = [name for name in names if is_found(rule["metricName"], name)]
        except BadPattern as error:
            raise MetricError(f"{field}[{index}]: {rule['metricName']!r} is no regular expression: {error}") from None
        if not found:
            raise MetricError(f"{field}[{index}]: Rule didn't match any metric name(s)")
        yield from ((name, rule) for name in found)


def _metric(index: int, raw: Obj, is_dry_run: bool, kept: int) -> Metric:
    try:
        metric = Metric(
            name=raw["name"],
            raw=raw,
            count=_count(raw),
            interval=_time(raw, "interval", "interval"),
            initial_delay=_time(raw, "initialDelay", "startDelay") or timedelta(),
            failure_limit=_number(raw, "failureLimit", 0),
            inconclusive_limit=_number(raw, "inconclusiveLimit", 0),
            consecutive_errors=_number(raw, "consecutiveErrorLimit", CONSECUTIVE_ERRORS),
            consecutive_successes=_number(raw, "consecutiveSuccessLimit", 0),
            is_dry_run=is_dry_run,
            kept=kept,
        )
        _validate(metric)
    except MetricError as error:
        raise MetricError(f"metrics[{index}]: {error}") from None
    return metric


def _number(raw: Obj, field: str, default: int) -> int:
    value = raw.get(field)
    if value is None or value == "":
        return default
    try:
        return int(value)
    except (TypeError, ValueError):
        raise MetricError(f"{field} must be a whole number, not {value!r}") from None


def _count(raw: Obj) -> int | None:
    """How many measurements there will be: once without an interval, without end with one and no count."""
    count = _number(raw, "count", 0)
    if count > 0:
        return count
    return None if raw.get("interval") else 1


def _time(raw: Obj, field: str, called: str) -> timedelta | None:
    text = raw.get(field)
    if not text:
        return None
    try:
        return parse_duration(str(text))
    except ValueError as error:
        raise MetricError(f"invalid {called} string: {error}") from None


def _validate(metric: Metric) -> None:
    given = _number(metric.raw, "count", 0)
    if 0 < given < metric.failure_limit:
        raise MetricError("count must be >= failureLimit")
    if 0 < given < metric.inconclusive_limit:
        raise MetricError("count must be >= inconclusiveLimit")
    if given > 1 and metric.interval is None:
        raise MetricError("interval must be specified when count > 1")
    if metric.failure_limit < -1:
        raise MetricError("failureLimit must be >= -1 (-1 switches it off)")
    if metric.inconclusive_limit < 0:
        raise MetricError("inconclusiveLimit must be >= 0")
    if metric.consecutive_errors < 0:
        raise MetricError("consecutiveErrorLimit must be >= 0")
    if metric.consecutive_successes < 0:
        raise MetricError("consecutiveSuccessLimit must be >= 0")
    provider_of(metric.raw)
    for field in ("successCondition", "failureCondition"):
        try:
            check(metric.raw.get(field) or "true")
        except ExpressionError as error:
            raise MetricError(f"{field}: {error}") from None


def provider_of(metric: Obj) -> tuple[str, Any]:
    """The one provider of a metric, by name, with its settings; a plugin goes by the plugin's own name."""
    found: list[tuple[str, Any]] = []
    for name, settings in (metric.get("provider") or {}).items():
        if name == "plugin":
            found += (settings or {}).items()
        elif settings is not None:
            found.append((name, settings))
    if not found:
        raise MetricError("no provider specified")
    if len(found) > 1:
        raise MetricError("multiple providers specified")
    return found[0]


def fault_of(spec: Obj) -> str:
    """What is wrong with the metrics of a template, whatever its arguments will be; empty for nothing.

    Rules about metrics are left out: they may mean those of another template of the same run.
    """
    declared = [{"value": "0", **argument} for argument in spec.get("args") or ()]
    if not spec.get("metrics") and spec.get("templates"):
        return ""
    try:
        metrics_of({"metrics": spec.get("metrics"), "args": declared})
    except (MetricError, ArgumentError) as error:
        return str(error)
    return ""
