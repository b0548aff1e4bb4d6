"""The verdict of a probe: results in, started/ready/alive out.

Source: kubernetes pkg/kubelet/prober/worker.go. An *error* of the prober itself (not a failure of the program)
never reaches this machine: it is retried and then dropped by the caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal

ProbeType = Literal["readiness", "liveness", "startup"]
PROBE_FIELDS: dict[ProbeType, str] = {
    "startup": "startupProbe",
    "liveness": "livenessProbe",
    "readiness": "readinessProbe",
}


class Verdict(Enum):
    """What the rest of the system believes about one probe of one run of a container."""

    UNKNOWN = "unknown"
    SUCCESS = "success"
    FAILURE = "failure"


INITIAL: dict[ProbeType, Verdict] = {
    "readiness": Verdict.FAILURE,
    "liveness": Verdict.SUCCESS,
    "startup": Verdict.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """One probe of one container, its times in seconds. `handler` holds httpGet, tcpSocket, exec or grpc."""

    type: ProbeType
    handler: Mapping[str, Any]
    initial_delay: float = 0.0
    timeout: float = 1.0
    period: float = 10.0
    success_threshold: int = 1
    failure_threshold: int = 3
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class ProbeState:
    """`run` counts consecutive equal results; `on_hold` until the container has a new id."""

    verdict: Verdict
    last: Verdict | None = None
    run: int = 0
    on_hold: bool = False


def probe_specs(container: Mapping[str, Any]) -> list[ProbeSpec]:
    """The probes that a container declares, startup first."""
    return [_spec(probe_type, container[field]) for probe_type, field in PROBE_FIELDS.items() if container.get(field)]


def _spec(probe_type: ProbeType, probe: Mapping[str, Any]) -> ProbeSpec:
    grace = probe.get("terminationGracePeriodSeconds")
    return ProbeSpec(
        type=probe_type,
        handler={key: probe[key] for key in ("httpGet", "tcpSocket", "exec", "grpc") if probe.get(key) is not None},
        initial_delay=float(probe.get("initialDelaySeconds") or 0),
        timeout=float(probe.get("timeoutSeconds") or 1),
        period=float(probe.get("periodSeconds") or 10),
        success_threshold=int(probe.get("successThreshold") or 1),
        failure_threshold=int(probe.get("failureThreshold") or 3),
        grace=None if grace is None else float(grace),
    )


def initial_state(probe_type: ProbeType, found: Verdict | None = None) -> ProbeState:
    """The state for a new run; `found` is what the API already says of a run that outlived the control plane."""
    return ProbeState(found or INITIAL[probe_type])


def observe(state: ProbeState, seen: Verdict, spec: ProbeSpec) -> ProbeState:
    """Fold one result in. Below its threshold a result changes the counter only.

    After liveness has failed, or startup has decided either way, the worker is on hold: the next results belong
    to another run.
    """
    if state.on_hold:
        return state
    run = state.run + 1 if seen is state.last else 1
    needed = spec.failure_threshold if seen is Verdict.FAILURE else spec.success_threshold
    if run < needed:
        return ProbeState(state.verdict, seen, run)
    if spec.type == "startup" or (spec.type == "liveness" and seen is Verdict.FAILURE):
        return ProbeState(seen, on_hold=True)
    return ProbeState(seen, seen, run)


def observe_extra(state: ProbeState, seen: Verdict, spec: ProbeSpec) -> ProbeState:
    """Fold in a result that no period asked for (a new run is looked at more often): it may help, never harm.

    So only a success counts, and only where one success is enough.
    """
    if seen is not Verdict.SUCCESS or spec.success_threshold > 1:
        return state
    return observe(replace(state, last=None, run=0), seen, spec)


def next_interval(spec: ProbeSpec, state: ProbeState, extra: int) -> float:
    """Seconds until the next probe. `extra` counts the unasked probes since the last regular one.

    A run that has not passed yet is looked at after 0.1, 0.2, 0.4 … seconds, within the first period: it turns
    ready when it is, not when the period says so. Source (of the idea): worker.go, manualTriggerCh.
    """
    waiting = spec.type != "liveness" and state.verdict is not Verdict.SUCCESS and not state.on_hold
    if not waiting or spec.success_threshold > 1:
        return spec.period
    return min(spec.period, 0.1 * 2.0**extra)
