"""From templates, which may refer to others, to the spec of one run. Source: argo-rollouts utils/analysis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drumroll.domain.analysis.arguments import merge
from drumroll.objects.meta import Obj


class TemplateError(Exception):
    """A template is missing, or templates cannot be used together."""


@dataclass(frozen=True, slots=True)
class Templates:
    """The AnalysisTemplates of a namespace and the ClusterAnalysisTemplates, by name."""

    local: Mapping[str, Obj] = field(default_factory=dict)
    cluster: Mapping[str, Obj] = field(default_factory=dict)

    def find(self, reference: Obj) -> Obj:
        """The template that a reference names. Raises TemplateError."""
        name, is_cluster = reference.get("templateName", ""), bool(reference.get("clusterScope"))
        found = (self.cluster if is_cluster else self.local).get(name)
        if found is None:
            raise TemplateError(f"{'ClusterAnalysisTemplate' if is_cluster else 'AnalysisTemplate'} '{name}' not found")
        return found


def expand(references: Iterable[Obj], templates: Templates) -> tuple[Obj, ...]:
    """The templates that are referred to, with those that these refer to, each once; those of the namespace first.

    Raises TemplateError for one that is not there.
    """
    found: dict[tuple[bool, str], Obj] = {}

    def visit(reference: Obj) -> None:
        key = (bool(reference.get("clusterScope")), reference.get("templateName", ""))
        if key in found:
            return
        found[key] = templates.find(reference)
        for inner in found[key]["spec"].get("templates") or ():
            visit(inner)

    for reference in references:
        visit(reference)
    return tuple(sorted(found.values(), key=lambda one: one["kind"] == "ClusterAnalysisTemplate"))


@dataclass(frozen=True, slots=True)
class Extras:
    """What the one who starts a run adds to its templates."""

    arguments: Sequence[Obj] = ()
    dry_run: Sequence[Obj] = ()
    retention: Sequence[Obj] = ()


def run_spec(templates: Sequence[Obj], extras: Extras) -> Obj:
    """The spec of a run of these templates. Raises TemplateError for what contradicts itself, ArgumentError."""
    specs = [template["spec"] for template in templates]
    spec: Obj = {"metrics": _metrics(specs)}
    if arguments := merge(extras.arguments, _arguments(specs)):
        spec["args"] = arguments
    dry_run = [*extras.dry_run, *_all(specs, "dryRun")]
    retention = [*extras.retention, *_all(specs, "measurementRetention")]
    _unique("Dry-Run", dry_run)
    _unique("Measurement Retention", retention)
    if dry_run:
        spec["dryRun"] = dry_run
    if retention:
        spec["measurementRetention"] = retention
    return spec


def _all(specs: Iterable[Obj], name: str) -> list[Obj]:
    return [one for spec in specs for one in spec.get(name) or ()]


def _metrics(specs: Sequence[Obj]) -> list[Obj]:
    metrics = _all(specs, "metrics")
    seen = set()
    for metric in metrics:
        if metric["name"] in seen:
            raise TemplateError(f"two metrics have the same name '{metric['name']}'")
        seen.add(metric["name"])
    return metrics


def _arguments(specs: Sequence[Obj]) -> list[Obj]:
    merged: dict[str, Obj] = {}
    for argument in _all(specs, "args"):
        before = merged.get(argument["name"])
        if before is None or before.get("value") is None:
            merged[argument["name"]] = argument
        elif argument.get("value") is not None and argument["value"] != before["value"]:
            values = f"'{before['value']}', '{argument['value']}'"
            text = f"Argument `{argument['name']}` specified multiple times with different values: {values}"
            raise TemplateError(text)
    return list(merged.values())


def _unique(called: str, rules: Iterable[Obj]) -> None:
    seen = set()
    for rule in rules:
        if rule["metricName"] in seen:
            raise TemplateError(f"two {called} metric rules have the same name '{rule['metricName']}'")
        seen.add(rule["metricName"])
