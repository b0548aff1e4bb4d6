"""Runs the probes of one run of a container and keeps their verdicts."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from drumroll.domain.probe import (
    INITIAL,
    ProbeSpec,
    ProbeState,
    ProbeType,
    Verdict,
    initial_state,
    next_interval,
    observe,
    observe_extra,
    probe_specs,
)
from drumroll.node.probing import ProbeError, ProbeResult, ProbeTarget, probe_once

log = logging.getLogger("drumroll.node")

ATTEMPTS = 3
NOTICE_SECONDS = 1.0

Report = Callable[[str, str], None]
"""Writes a Warning event: reason and message."""


class RunProber:
    """`changed` is called whenever `is_started`, `is_ready` or `failed` may have changed.

    `found` holds verdicts that the API already knows of a run that outlived the control plane: such a run stays
    ready until its probe says otherwise.
    """

    def __init__(
        self,
        target: ProbeTarget,
        started_at: datetime,
        now: Callable[[], datetime],
        *,
        changed: Callable[[], None],
        report: Report,
        found: Mapping[ProbeType, Verdict] | None = None,
    ) -> None:
        self._target = target
        self._started_at = started_at
        self._now = now
        self._changed = changed
        self._report = report
        self._specs = {spec.type: spec for spec in probe_specs(target.container)}
        self._states: dict[ProbeType, ProbeState] = {
            kind: initial_state(kind, (found or {}).get(kind)) for kind in self._specs
        }
        self._tasks: dict[ProbeType, asyncio.Task[None]] = {}

    @property
    def is_started(self) -> bool:
        """The startup probe has passed, or there is none."""
        return self._verdict("startup") is Verdict.SUCCESS

    @property
    def is_ready(self) -> bool:
        """Started, and the readiness probe says yes, or there is none."""
        return self.is_started and self._verdict("readiness") is Verdict.SUCCESS

    @property
    def failed(self) -> ProbeSpec | None:
        """The liveness or startup probe that has given up on this run."""
        for kind in ("startup", "liveness"):
            if kind in self._states and self._states[kind].verdict is Verdict.FAILURE:
                return self._specs[kind]
        return None

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin with the probes whose turn it is; the others follow once the container has started."""
        wanted = ("readiness", "liveness") if self.is_started else ("startup",)
        for kind in wanted:
            if kind in self._specs and kind not in self._tasks:
                self._tasks[kind] = group.create_task(self._watch(self._specs[kind], group))

    def stop_killing(self) -> None:
        """The pod terminates: only readiness goes on, so that `serving` stays true to the program."""
        for kind in ("startup", "liveness"):
            if kind in self._specs:
                self._states[kind] = ProbeState(Verdict.SUCCESS, on_hold=True)
                if task := self._tasks.pop(kind, None):
                    task.cancel()

    def stop(self) -> None:
        """The run has ended."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def _verdict(self, kind: ProbeType) -> Verdict:
        return self._states[kind].verdict if kind in self._states else Verdict.SUCCESS

    async def _watch(self, spec: ProbeSpec, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        first = self._started_at + timedelta(seconds=spec.initial_delay)
        await asyncio.sleep(max(0.0, (first - self._now()).total_seconds()))
        # The original notices a start up to a second later; probing sooner than that is a courtesy and never counts.
        due = loop.time() + (0.0 if spec.initial_delay else min(spec.period, NOTICE_SECONDS))
        extra = 0
        while not self._states[spec.type].on_hold:
            is_due = loop.time() >= due
            if is_due:
                due = max(due + spec.period, loop.time())
            result = await self._attempt(spec)
            if result is not None:
                self._note(spec, result, is_due)
            interval = next_interval(spec, self._states[spec.type], extra)
            extra += 1
            await asyncio.sleep(max(0.0, min(interval, due - loop.time())))
        if self.is_started:
            self.start(group)

    def _note(self, spec: ProbeSpec, result: ProbeResult, is_due: bool) -> None:
        before = self._states[spec.type]
        fold = observe if is_due else observe_extra
        self._states[spec.type] = after = fold(before, result.verdict, spec)
        name = spec.type.capitalize()
        if result.verdict is Verdict.FAILURE and is_due:
            self._report("Unhealthy", f"{name} probe failed: {result.output}")
        elif result.warning:
            self._report("ProbeWarning", f"{name} probe warning: {result.output}")
        if after.verdict is not before.verdict:
            log.info(
                "probe_verdict container=%s probe=%s verdict=%s",
                self._target.container["name"], spec.type, after.verdict.value,
            )  # fmt: skip
            self._changed()

    async def _attempt(self, spec: ProbeSpec) -> ProbeResult | None:
        """One result; None when the prober could not probe three times in a row."""
        problem = ""
        for _ in range(ATTEMPTS):
            try:
                return await probe_once(spec.handler, self._target, spec.timeout)
            except ProbeError as error:
                problem = str(error)
        state = self._states[spec.type].verdict.value
        self._report("Unhealthy", f"{spec.type.capitalize()} probe errored and resulted in {state} state: {problem}")
        return None


def found_verdicts(status: Mapping[str, object]) -> dict[ProbeType, Verdict]:
    """What a containerStatus of the API says of a run that is still the same."""
    found: dict[ProbeType, Verdict] = {}
    with contextlib.suppress(KeyError):
        found["startup"] = Verdict.SUCCESS if status["started"] else INITIAL["startup"]
        found["readiness"] = Verdict.SUCCESS if status["ready"] else INITIAL["readiness"]
    return found
