"""From counts to phases: of a metric, and of the run. Source: argo-rollouts analysis/analysis.go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from drumroll.domain.analysis.measurement import is_terminating
from drumroll.domain.analysis.metrics import Metric
from drumroll.domain.analysis.names import (
    COMPLETED,
    ERROR,
    FAILED,
    INCONCLUSIVE,
    PENDING,
    RUNNING,
    SUCCESSFUL,
    is_worse,
)
from drumroll.domain.events import EventType
from drumroll.objects.meta import Obj, parse_timestamp, timestamp


@dataclass(frozen=True, slots=True)
class Told:
    """An Event to report about the run."""

    type: EventType
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The run's new status, and the Events about what has just ended."""

    status: Obj
    events: tuple[Told, ...]


def fault(metric: Metric, result: Obj) -> tuple[str, str]:
    """The phase by which a metric ends badly, and the count that shows it; both empty while it does not."""
    failed, inconclusive = result.get("failed", 0), result.get("inconclusive", 0)
    errors, count = result.get("consecutiveError", 0), result.get("count", 0)
    if 0 <= metric.failure_limit < failed:
        return FAILED, f"failed ({failed}) > failureLimit ({metric.failure_limit})"
    if inconclusive > metric.inconclusive_limit:
        return INCONCLUSIVE, f"inconclusive ({inconclusive}) > inconclusiveLimit ({metric.inconclusive_limit})"
    if errors > metric.consecutive_errors:
        return ERROR, f"consecutiveErrors ({errors}) > consecutiveErrorLimit ({metric.consecutive_errors})"
    wanted, successes = metric.consecutive_successes, result.get("consecutiveSuccess", 0)
    if wanted and successes < wanted and metric.count is not None and count >= metric.count:
        phase = INCONCLUSIVE if metric.failure_limit >= 0 else FAILED
        return phase, f"consecutiveSuccesses ({successes}) < consecutiveSuccessLimit ({wanted}) at count ({count})"
    return "", ""


def metric_phase(metric: Metric, result: Obj, terminating: bool) -> str:
    """The phase of a metric by its counts and limits."""
    if result.get("phase") in COMPLETED:
        return str(result["phase"])
    measurements = result.get("measurements") or ()
    if not measurements:
        return SUCCESSFUL if terminating else PENDING
    if measurements[-1].get("phase") not in COMPLETED:
        return RUNNING
    bad, _ = fault(metric, result)
    if bad:
        return bad
    if 0 < metric.consecutive_successes <= result.get("consecutiveSuccess", 0):
        return SUCCESSFUL
    is_counted = metric.count is not None and result.get("count", 0) >= metric.count
    return SUCCESSFUL if is_counted or terminating else RUNNING


def assess(run: Obj, metrics: Sequence[Metric], results: Mapping[str, Obj], now: datetime) -> Assessment:
    """The status of a run whose metrics have `results` now. What a failure ends, ends in the same step."""
    once = _assess(run, metrics, results, now)
    if once.status["phase"] in COMPLETED or not is_terminating({"spec": run["spec"], "status": once.status}):
        return once
    then = {result["name"]: result for result in once.status["metricResults"]}
    again = _assess({**run, "status": once.status}, metrics, then, now)
    return Assessment(again.status, (*once.events, *again.events))


def _assess(run: Obj, metrics: Sequence[Metric], results: Mapping[str, Obj], now: datetime) -> Assessment:
    old = run.get("status") or {}
    terminating = is_terminating({"spec": run["spec"], "status": {"metricResults": list(results.values())}})
    judged: dict[str, Obj] = dict(results)
    events = []
    for metric in metrics:
        if metric.name in judged:
            judged[metric.name], told = _judged(metric, judged[metric.name], terminating)
            events += told
    tally = _Tally(metrics, judged)
    phase, message = tally.outcome(bool(run["spec"].get("terminate")), terminating)
    status: Obj = {
        **old,
        "phase": phase,
        "message": message,
        "startedAt": old.get("startedAt") or timestamp(now),
        "metricResults": [judged[metric.name] for metric in metrics if metric.name in judged],
        "runSummary": tally.summary(dry=False),
        "dryRunSummary": tally.summary(dry=True),
    }
    if phase in COMPLETED:
        status["completedAt"] = timestamp(now)
        events.append(completion(phase))
    return Assessment(status, tuple(events))


def completion(phase: str) -> Told:
    """The Event of a run that has ended."""
    kind: EventType = "Warning" if phase in (FAILED, ERROR) else "Normal"
    return Told(kind, f"AnalysisRun{phase}", f"Analysis Completed. Result: {phase}")


def _judged(metric: Metric, result: Obj, terminating: bool) -> tuple[Obj, list[Told]]:
    phase = metric_phase(metric, result, terminating)
    if phase == result.get("phase"):
        return result, []
    last = (result.get("measurements") or [{}])[-1]
    new = {**result, "phase": phase, "message": last.get("message", "")}
    told = []
    if phase in COMPLETED:
        kind: EventType = "Warning" if phase in (FAILED, ERROR) else "Normal"
        told = [Told(kind, f"Metric{phase}", f"Metric '{metric.name}' Completed. Result: {phase}")]
        _, why = fault(metric, result)
        if metric.is_dry_run and why:
            new["message"] = f"Metric assessed {phase} due to {why}"
    return {name: value for name, value in new.items() if value or name == "phase"}, told


@dataclass(frozen=True, slots=True)
class _Tally:
    """The metrics of a run and what they came to, dry ones apart."""

    metrics: Sequence[Metric]
    results: Mapping[str, Obj]

    def outcome(self, is_asked: bool, terminating: bool) -> tuple[str, str]:
        """Phase and message of the run."""
        worst, message = "", "Run Terminated" if is_asked else ""
        complete = True
        for metric in self.metrics:
            result = self.results.get(metric.name, {})
            phase = result.get("phase", PENDING)
            if phase not in COMPLETED:
                complete = False
            elif metric.is_dry_run:
                worst = worst or SUCCESSFUL
            elif not worst or is_worse(worst, phase):
                worst = phase
                message = _why(metric, result) or message
        if terminating:
            return worst or SUCCESSFUL, message
        if not complete or not worst:
            return RUNNING, ""
        return worst, message

    def summary(self, *, dry: bool) -> Obj:
        """How many metrics there are and how they ended."""
        ours = [metric for metric in self.metrics if metric.is_dry_run == dry]
        counts: Obj = {"count": len(ours)} if ours else {}
        for metric in ours:
            phase = self.results.get(metric.name, {}).get("phase", "")
            if phase in COMPLETED:
                name = phase.lower()
                counts[name] = counts.get(name, 0) + 1
        return counts


def _why(metric: Metric, result: Obj) -> str:
    phase, why = fault(metric, result)
    if not phase:
        return ""
    text = f'Metric "{metric.name}" assessed {phase} due to {why}'
    message = result.get("message")
    return f'{text}: "Error Message: {message}"' if message else text


def broken(run: Obj, message: str, now: datetime) -> Assessment:
    """The status of a run that cannot be measured at all: its spec or its arguments are wrong."""
    old = run.get("status") or {}
    started = old.get("startedAt") or timestamp(now)
    status = {**old, "phase": ERROR, "message": message, "startedAt": started, "completedAt": timestamp(now)}
    return Assessment(status, (completion(ERROR),))


def expires(run: Obj) -> datetime | None:
    """When a completed run is to be deleted, if its ttlStrategy says so."""
    status, ttl = run.get("status") or {}, run["spec"].get("ttlStrategy") or {}
    if status.get("phase") not in COMPLETED:
        return None
    own = ttl.get("secondsAfterSuccess" if status["phase"] == SUCCESSFUL else "secondsAfterFailure")
    seconds = ttl.get("secondsAfterCompletion") if own is None else own
    ended = status.get("completedAt") or _last_finish(status) or status.get("startedAt")
    if seconds is None or ended is None:
        return None
    return parse_timestamp(ended) + timedelta(seconds=seconds)


def _last_finish(status: Obj) -> str | None:
    ends = [
        one["finishedAt"]
        for result in status.get("metricResults") or ()
        for one in result.get("measurements") or ()
        if one.get("finishedAt")
    ]
    return max(ends, default=None)
