"""The AnalysisTemplates that a Rollout refers to: what is missing, or cannot be used, before anything is measured.

Source: argo-rollouts pkg/apis/rollouts/validation/validation_references.go.
"""

from collections.abc import Iterator

from drumroll.domain.analysis.arguments import ArgumentError
from drumroll.domain.analysis.metrics import MetricError, metrics_of
from drumroll.domain.analysis.templates import Extras, TemplateError, Templates, expand, run_spec
from drumroll.objects.meta import Obj


def analysis_faults(spec: Obj, templates: Templates) -> Iterator[str]:
    """What keeps the analyses of a Rollout's spec from being made, one sentence each, with the field."""
    for path, analysis in asked_analyses(spec):
        lacking = list(_lacking(path, analysis, templates))
        yield from lacking
        if not lacking and (fault := _fault(analysis, templates)):
            names = ", ".join(one.get("templateName") or "" for one in analysis.get("templates") or ())
            yield f'{path}.templates: Invalid value: "{names}": {fault}'


def asked_analyses(spec: Obj) -> Iterator[tuple[str, Obj]]:
    """Every analysis that a Rollout's spec asks for, with its path."""
    strategy = spec.get("strategy") or {}
    canary, blue_green = strategy.get("canary") or {}, strategy.get("blueGreen") or {}
    if canary.get("analysis"):
        yield "spec.strategy.canary.analysis", canary["analysis"]
    for index, step in enumerate(canary.get("steps") or ()):
        if step.get("analysis"):
            yield f"spec.strategy.canary.steps[{index}].analysis", step["analysis"]
        for number, one in enumerate((step.get("experiment") or {}).get("analyses") or ()):
            reference = {"templateName": one.get("templateName"), "clusterScope": one.get("clusterScope")}
            path = f"spec.strategy.canary.steps[{index}].experiment.analyses[{number}]"
            yield path, {**one, "templates": [reference]}
    for name in ("prePromotionAnalysis", "postPromotionAnalysis"):
        if blue_green.get(name):
            yield f"spec.strategy.blueGreen.{name}", blue_green[name]


def _lacking(path: str, analysis: Obj, templates: Templates) -> Iterator[str]:
    for number, reference in enumerate(analysis.get("templates") or ()):
        try:
            expand((reference,), templates)
        except TemplateError as error:
            name = reference.get("templateName") or ""
            yield f'{path}.templates[{number}].templateName: Invalid value: "{name}": {error}'


def _fault(analysis: Obj, templates: Templates) -> str:
    """What is wrong with the templates together, and with the arguments that they are given."""
    given = [{"name": one.get("name"), "value": one.get("value") or "0"} for one in analysis.get("args") or ()]
    extras = Extras(given, analysis.get("dryRun") or (), analysis.get("measurementRetention") or ())
    try:
        metrics_of(run_spec(expand(analysis.get("templates") or (), templates), extras))
    except (TemplateError, ArgumentError, MetricError) as error:
        return str(error)
    return ""
