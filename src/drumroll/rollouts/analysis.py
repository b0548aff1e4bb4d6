"""The AnalysisRun controller: measures what is due, and writes what it came to. A killed one just goes on.

A measurement is in the status or it was not taken: the controller remembers nothing. The status is written with the
revision that was read, so two controllers cannot both count one.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from drumroll.client.client import Client
from drumroll.domain.actions import NOTHING, Action, Delete, Plan, Record, patch_of
from drumroll.domain.analysis.arguments import ArgumentError, secret_names, with_secrets
from drumroll.domain.analysis.assessment import Assessment, assess, broken, expires
from drumroll.domain.analysis.measurement import Taken, due, measurement, next_look, recorded, results_of, shown
from drumroll.domain.analysis.metrics import Metric, MetricError, metrics_of, with_arguments
from drumroll.domain.analysis.names import COMPLETED
from drumroll.domain.analysis.runs import phase_of
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import ANALYSIS_RUN, SECRET
from drumroll.objects.meta import Key, Obj, is_deleting, key_of, uid_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself
from drumroll.rollouts.providers.asking import Asked, Web

Results: TypeAlias = dict[str, Obj]
Task: TypeAlias = asyncio.Task[tuple[Obj, dict[str, str]]]

WORKERS = 32  # each waits for the answers of one run's providers most of the time


def analysis_controller(caches: Caches, client: Client, web: Web, now: Callable[[], datetime]) -> Controller:
    """Takes the measurements of AnalysisRuns and assesses them."""
    runs = caches.of(ANALYSIS_RUN)
    laboratory = Laboratory(client, web, now)

    async def decide(key: Key, moment: datetime) -> Plan:
        run = runs.get(key)
        if run is None or is_deleting(run):
            return NOTHING
        return _tidy(run, moment) if phase_of(run) in COMPLETED else await laboratory.turn(run, moment)

    return Controller("analysisrun", "rollouts-controller", (Watch(runs, itself),), decide, workers=WORKERS, rest=1.0)


def _tidy(run: Obj, now: datetime) -> Plan:
    """Delete an ended run when its time is over."""
    moment = expires(run)
    if moment is None or moment > now:
        return Plan(wake_at=moment)
    return Plan((Delete(ANALYSIS_RUN, key_of(run), uid_of(run)),))


class Laboratory:
    """Takes measurements with the API's and the providers' help."""

    def __init__(self, client: Client, web: Web, now: Callable[[], datetime]) -> None:
        self._client, self._web, self._now = client, web, now

    async def turn(self, run: Obj, now: datetime) -> Plan:
        """Measure what is due, and say what that makes of the run."""
        try:
            metrics = metrics_of(run["spec"])
            results = await self._results(run, metrics, due(run, metrics, now))
        except MetricError as error:
            return _write(run, broken(run, f"Analysis spec invalid: {error}", now), None)
        except ArgumentError as error:
            return _write(run, broken(run, f"Unable to resolve metric arguments: {error}", now), None)
        moment = self._now()
        assessment = assess(run, metrics, results, moment)
        return _write(run, assessment, next_look({**run, "status": assessment.status}, metrics, moment))

    async def _results(self, run: Obj, metrics: Sequence[Metric], waiting: Sequence[Metric]) -> Results:
        results = results_of(run)
        if not waiting:
            return results
        arguments, secrets = await self._arguments(run)
        started = {asyncio.create_task(self._take(run, metric, arguments, secrets)): metric for metric in waiting}
        try:
            await self._fold(run, metrics, started, results)
        finally:
            for task in started:
                task.cancel()
        return results

    async def _fold(
        self, run: Obj, metrics: Sequence[Metric], started: Mapping[Task, Metric], results: Results
    ) -> None:
        """Take in measurements as they come. What fails the run is not kept waiting by a provider that is slow."""
        left: set[Task] = set(started)
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                measured, about = task.result()
                metric = started[task]
                results[metric.name] = recorded(results.get(metric.name), metric, measured, about)
            if assess(run, metrics, results, self._now()).status["phase"] in COMPLETED:
                return

    async def _take(
        self, run: Obj, metric: Metric, arguments: list[Obj], secrets: frozenset[str]
    ) -> tuple[Obj, dict[str, str]]:
        """One measurement, and what is to be known about its metric; no secret shows in either."""
        from drumroll.rollouts.providers.registry import measure

        whole = with_arguments(run["spec"], metric.name, arguments)
        before = results_of(run).get(metric.name, {})
        looks = before.get("count", 0) - before.get("inconclusive", 0)
        asked = Asked(run, self._client, self._web, self._now, set(secrets), looks)
        started = self._now()
        reading = await measure(whole, asked)
        measured = measurement(whole, Taken(reading, started, self._now()), asked.secrets)
        return measured, {name: shown(text, asked.secrets) for name, text in reading.about.items()}

    async def _arguments(self, run: Obj) -> tuple[list[Obj], frozenset[str]]:
        arguments = run["spec"].get("args") or []
        secrets = {name: await self._secret(run, name) for name in secret_names(arguments)}

        def read(name: str, key: str) -> str:
            if key not in secrets[name]:
                raise ArgumentError(f"key '{key}' does not exist in secret '{name}'")
            return base64.b64decode(secrets[name][key]).decode(errors="replace")

        return with_secrets(arguments, read)

    async def _secret(self, run: Obj, name: str) -> dict[str, str]:
        try:
            found = await self._client.get(SECRET, key_of(run).namespace, name)
        except ApiError as error:
            if error.code >= 500:
                raise
            raise ArgumentError(str(error)) from None
        return found.get("data") or {}


def _write(run: Obj, assessment: Assessment, wake_at: datetime | None) -> Plan:
    if assessment.status == (run.get("status") or {}):
        return Plan(wake_at=wake_at)
    version = {"resourceVersion": run["metadata"].get("resourceVersion")}
    actions: list[Action] = [patch_of(ANALYSIS_RUN, run, {"metadata": version, "status": assessment.status})]
    actions += [Record(run, event.type, event.reason, event.message) for event in assessment.events]
    return Plan(tuple(actions), wake_at=wake_at or expires({**run, "status": assessment.status}))
