"""One measurement, the counts that it changes, and which metrics are due. Source: argo-rollouts analysis.go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drumroll.domain.analysis.arguments import redacted
from drumroll.domain.analysis.expression.syntax import ExpressionError
from drumroll.domain.analysis.metrics import ERROR_RETRY, Metric
from drumroll.domain.analysis.names import COMPLETED, ERROR, FAILED, INCONCLUSIVE, RUNNING, SUCCESSFUL
from drumroll.domain.analysis.verdict import verdict
from drumroll.objects.meta import Obj, parse_timestamp, timestamp

LONGEST_TEXT = 1000  # characters of a value or message: a run's status holds many
COUNTS = {SUCCESSFUL: "successful", FAILED: "failed", INCONCLUSIVE: "inconclusive", ERROR: "error"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a provider answered: the value as shown, the value that conditions see as `result`, or what went wrong.

    `metadata` goes with the measurement, `about` with the metric (a resolved query, for instance). A provider that
    judges by itself sets `phase`, and conditions are asked only when the metric has some.
    """

    value: str = ""
    result: Any = None
    error: str = ""
    phase: str = ""
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """A reading with the moments between which it was taken."""

    reading: Reading
    started: datetime
    finished: datetime


def measurement(metric: Obj, taken: Taken, secrets: Iterable[str] = ()) -> Obj:
    """The measurement as the run's status has it; `metric` has all its arguments resolved. Secrets show nowhere."""
    reading = taken.reading
    phase, message = reading.phase, reading.message
    success, failure = metric.get("successCondition") or "", metric.get("failureCondition") or ""
    if reading.error:
        phase, message = ERROR, reading.error
    elif success or failure or not phase:
        try:
            phase = verdict(reading.result, success, failure, taken.finished)
        except ExpressionError as error:
            phase, message = ERROR, str(error)
        except RecursionError:
            phase, message = ERROR, "the result nests too deeply for a condition"
    measured: Obj = {
        "phase": phase,
        "startedAt": timestamp(taken.started),
        "finishedAt": timestamp(taken.finished),
        "value": shown(reading.value, secrets),
        "message": shown(message, secrets),
        "metadata": {name: shown(text, secrets) for name, text in reading.metadata.items()},
    }
    return {name: value for name, value in measured.items() if value}


def shown(text: str, secrets: Iterable[str]) -> str:
    """A text from outside as a status may have it: without secrets, not too long, and nothing that JSON cannot say."""
    return redacted(text, secrets)[:LONGEST_TEXT].encode("utf-8", "replace").decode()


def recorded(result: Obj | None, metric: Metric, measured: Obj, about: Mapping[str, str]) -> Obj:
    """The metric's result with one more measurement, of which the oldest go when there are too many."""
    result = dict(result or {"name": metric.name, "phase": RUNNING})
    if metric.is_dry_run:
        result["dryRun"] = True
    if about and "metadata" not in result:
        result["metadata"] = dict(about)
    phase = measured["phase"]
    result[COUNTS[phase]] = result.get(COUNTS[phase], 0) + 1
    if phase == ERROR:
        result["consecutiveError"] = result.get("consecutiveError", 0) + 1
    else:
        result["count"] = result.get("count", 0) + 1
        result.pop("consecutiveError", None)
    if phase == SUCCESSFUL:
        result["consecutiveSuccess"] = result.get("consecutiveSuccess", 0) + 1
    else:
        result.pop("consecutiveSuccess", None)
    earlier = [one for one in result.get("measurements") or () if one.get("finishedAt")]
    result["measurements"] = [*earlier, measured][-metric.kept :]
    return result


def results_of(run: Obj) -> dict[str, Obj]:
    """The results that a run's status has, by metric."""
    return {result["name"]: result for result in (run.get("status") or {}).get("metricResults") or ()}


def is_terminating(run: Obj) -> bool:
    """Whether a run was asked to end, or a metric that counts has ended it by failing."""
    if (run.get("spec") or {}).get("terminate"):
        return True
    ending = (FAILED, ERROR, INCONCLUSIVE)
    return any(one.get("phase") in ending and not one.get("dryRun") for one in results_of(run).values())


def due(run: Obj, metrics: Iterable[Metric], now: datetime) -> tuple[Metric, ...]:
    """The metrics to measure now."""
    if is_terminating(run):
        return ()
    return tuple(metric for metric in metrics if (moment := next_time(run, metric, now)) and moment <= now)


def next_look(run: Obj, metrics: Iterable[Metric], now: datetime) -> datetime | None:
    """When the next metric is due."""
    return min((moment for metric in metrics if (moment := next_time(run, metric, now))), default=None)


def next_time(run: Obj, metric: Metric, now: datetime) -> datetime | None:
    """When a metric is to be measured next; None when it is complete."""
    result = results_of(run).get(metric.name, {})
    if result.get("phase") in COMPLETED:
        return None
    measurements = result.get("measurements") or ()
    if not measurements:
        started = (run.get("status") or {}).get("startedAt")
        return (parse_timestamp(started) if started else now) + metric.initial_delay
    last = measurements[-1]
    if not last.get("finishedAt"):  # left over by another controller; ours never leaves one
        return parse_timestamp(last["resumeAt"]) if last.get("resumeAt") else now
    if metric.count is not None and result.get("count", 0) >= metric.count:
        return None
    finished = parse_timestamp(last["finishedAt"])
    if finished > now:  # the clock was set back: nothing has been watched since then
        return now
    return finished + (ERROR_RETRY if last["phase"] == ERROR or metric.interval is None else metric.interval)
