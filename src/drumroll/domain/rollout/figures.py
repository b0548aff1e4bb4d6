"""Rollouts, runs, templates and experiments in figures, under the original's names.

Source: argo-rollouts controller/metrics; the phases are those of its metrics, which are not the ones of a status.
"""

from collections.abc import Iterable, Iterator, Mapping

from drumroll.domain.rollout.conditions import COMPLETE, ROLLOUT_PAUSED
from drumroll.domain.rollout.phase import ABORTED, INVALID, TIMED_OUT
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj, key_of
from drumroll.objects.metrics import Labels

Figure = tuple[Labels, float]

_OF_REASON = {
    COMPLETE: "Completed",
    ROLLOUT_PAUSED: "Paused",
    TIMED_OUT: "Timeout",
    "ReplicaSetCreateError": "Error",
    ABORTED: "Abort",
}
_ROLLOUT_PHASES = ("Completed", "Progressing", "Paused", "Timeout", "Error", "Abort", "InvalidSpec")
_RUN_PHASES = ("Pending", "Error", "Failed", "Successful", "Running", "Inconclusive")
_ROUTERS = {"alb": "ALB", "ambassador": "Ambassador", "istio": "Istio", "nginx": "Nginx", "smi": "SMI"}
_ROUTERS |= {"traefik": "Traefik", "apisix": "Apisix"}
_PROVIDERS = {"newRelic": "NewRelic", "cloudWatch": "CloudWatch"}


def rollout_phase(rollout: Obj) -> str:
    """How an update stands."""
    for condition in (rollout.get("status") or {}).get("conditions") or ():
        if condition["type"] == INVALID:
            return "InvalidSpec"
    for condition in (rollout.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Progressing":
            return _OF_REASON.get(condition.get("reason", ""), "Progressing")
    return "Progressing"


def rollout_info(rollouts: Iterable[Obj]) -> Iterator[Figure]:
    """Labels: namespace, name, strategy, traffic_router, phase."""
    for one in rollouts:
        yield (*_names(one), _strategy(one), _router(one), rollout_phase(one)), 1.0


def rollout_phases(rollouts: Iterable[Obj]) -> Iterator[Figure]:
    """Labels: namespace, name, strategy, phase; 1 for the phase that it is in, 0 for the others."""
    for one in rollouts:
        now = rollout_phase(one)
        for phase in _ROLLOUT_PHASES:
            yield (*_names(one), _strategy(one), phase), float(phase == now)


def rollout_replicas(rollouts: Iterable[Obj], count: str) -> Iterator[Figure]:
    """Labels: namespace, name. `count` is available, unavailable, desired or updated."""
    for one in rollouts:
        status = one.get("status") or {}
        total, available = status.get("replicas") or 0, status.get("availableReplicas") or 0
        counts = {
            "available": available,
            "unavailable": total - available,
            "desired": Rollout(one).replicas,
            "updated": status.get("updatedReplicas") or 0,
        }
        yield _names(one), float(counts[count])


def phases_of_runs(runs: Iterable[Obj]) -> Iterator[Figure]:
    """Of AnalysisRuns or Experiments. Labels: namespace, name, phase."""
    for one in runs:
        yield (*_names(one), (one.get("status") or {}).get("phase") or ""), 1.0


def each_phase_of_runs(runs: Iterable[Obj]) -> Iterator[Figure]:
    """Labels: namespace, name, phase; 1 for the phase that it is in, 0 for the others."""
    for one in runs:
        now = (one.get("status") or {}).get("phase") or "Pending"
        for phase in _RUN_PHASES:
            yield (*_names(one), phase), float(phase == now)


def metrics_of_runs(runs: Iterable[Obj]) -> Iterator[Figure]:
    """Labels: namespace, name, metric, type."""
    for one in runs:
        for metric in _metrics(one):
            yield (*_names(one), metric.get("name") or "", provider_of(metric)), 1.0


def phases_of_metrics(runs: Iterable[Obj]) -> Iterator[Figure]:
    """Labels: namespace, name, metric, type, dry_run, phase; 1 for the phase that it is in, 0 for the others."""
    for one in runs:
        results = {result["name"]: result for result in (one.get("status") or {}).get("metricResults") or ()}
        for metric in _metrics(one):
            name = metric.get("name") or ""
            result = results.get(name, {})
            dry_run, now = str(bool(result.get("dryRun"))).lower(), result.get("phase") or "Pending"
            for phase in _RUN_PHASES:
                yield (*_names(one), name, provider_of(metric), dry_run, phase), float(phase == now)


def templates(found: Iterable[Obj]) -> Iterator[Figure]:
    """Labels: namespace, name."""
    for one in found:
        yield _names(one), 1.0


def metrics_of_templates(found: Iterable[Obj]) -> Iterator[Figure]:
    """Labels: namespace, name, type, metric."""
    for one in found:
        for metric in _metrics(one):
            yield (*_names(one), provider_of(metric), metric.get("name") or ""), 1.0


def provider_of(metric: Obj) -> str:
    """The kind of a metric's provider; a plugin's own name."""
    provider: Mapping[str, Obj] = metric.get("provider") or {}
    name = next(iter(provider), "")
    if name == "plugin":
        return next(iter(provider[name]), "")
    return (_PROVIDERS.get(name) or name.capitalize()) or "Unknown Provider"


def _metrics(one: Obj) -> list[Obj]:
    found: list[Obj] = (one.get("spec") or {}).get("metrics") or []
    return found


def _names(one: Obj) -> tuple[str, str]:
    key = key_of(one)
    return key.namespace, key.name


def _strategy(one: Obj) -> str:
    strategy = one["spec"].get("strategy") or {}
    return next((name for name in ("blueGreen", "canary") if name in strategy), "none")


def _router(one: Obj) -> str:
    canary = (one["spec"].get("strategy") or {}).get("canary") or {}
    routing: Mapping[str, Obj] = canary.get("trafficRouting") or {}
    plugin = next(iter(routing.get("plugins") or {}), "")
    return next((router for name, router in _ROUTERS.items() if name in routing), plugin)
