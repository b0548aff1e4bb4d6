"""Shows the objects of progressive delivery among the process's metrics, whenever somebody looks."""

from collections.abc import Callable, Iterable

from drumroll.domain.rollout import figures
from drumroll.domain.rollout.figures import Figure
from drumroll.objects.kinds import (
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    EXPERIMENT,
    ROLLOUT,
    Kind,
)
from drumroll.objects.meta import Obj
from drumroll.objects.metrics import Metrics
from drumroll.reconcile.caches import Caches

_OBJECT = ("namespace", "name")
_COUNTS = ("available", "unavailable", "desired", "updated")
Read = Callable[[Iterable[Obj]], Iterable[Figure]]


def add_figures(metrics: Metrics, caches: Caches) -> None:
    """Tell, when asked, how all of them stand. To be called before the caches run."""

    def show(name: str, text: str, labels: tuple[str, ...], read: Read, *kinds: Kind) -> None:
        informers = [caches.of(kind) for kind in kinds]

        def values() -> Iterable[Figure]:
            for informer in informers:
                yield from read(informer.items())

        metrics.gauge(name, text, *_OBJECT, *labels, read=values)

    info = ("strategy", "traffic_router", "phase")
    show("rollout_info", "Information about rollout.", info, figures.rollout_info, ROLLOUT)
    show("rollout_phase", "1 for a Rollout's phase.", ("strategy", "phase"), figures.rollout_phases, ROLLOUT)
    for count in _COUNTS:
        text = f"The number of {count} replicas per rollout."
        show(f"rollout_info_replicas_{count}", text, (), _replicas(count), ROLLOUT)
    for prefix, kind in (("analysis_run", ANALYSIS_RUN), ("experiment", EXPERIMENT)):
        show(f"{prefix}_info", f"Information about {kind.name}.", ("phase",), figures.phases_of_runs, kind)
        show(f"{prefix}_phase", f"1 for the phase of {kind.name}.", ("phase",), figures.each_phase_of_runs, kind)
    typed = ("metric", "type")
    show("analysis_run_metric_type", "Type of a run's metric.", typed, figures.metrics_of_runs, ANALYSIS_RUN)
    phases = (*typed, "dry_run", "phase")
    show("analysis_run_metric_phase", "1 for a metric's phase.", phases, figures.phases_of_metrics, ANALYSIS_RUN)
    both = (ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE)
    show("analysis_template_info", "Information about analysis templates.", (), figures.templates, *both)
    text = "Information on metrics in analysis templates."
    show("analysis_template_metric_info", text, ("type", "metric"), figures.metrics_of_templates, *both)


def _replicas(count: str) -> Read:
    return lambda rollouts: figures.rollout_replicas(rollouts, count)
