"""The steps of a canary as Go writes them as JSON, byte for byte: the original's hash of them depends on every one.

So a Rollout that is taken over in the middle of an update, either way, goes on at its step. Source: argo-rollouts
pkg/apis/rollouts/v1alpha1/types.go, encoding/json.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drumroll.domain.rollout.go_json import json_text
from drumroll.objects.meta import Obj

# Fields in the order of the struct: `name` is always written, `name?` unless it is empty, `name*` unless nobody has set
# it. A type behind `:` is a struct, `[]` a list of it, `{}` a map of it.
_STRUCTS = {
    "Step": "setWeight* pause*:Pause experiment*:Experiment analysis*:Analysis setCanaryScale*:Scale "
    "setHeaderRoute*:HeaderRoute setMirrorRoute*:MirrorRoute plugin*:Plugin",
    "Pause": "duration*",
    "Experiment": "templates:[]Template duration? analyses?:[]TrialAnalysis dryRun?:[]DryRun "
    "analysisRunMetadata:Metadata",
    "Template": "name specRef replicas* metadata:Metadata selector*:Selector weight* service*:Service",
    "Metadata": "labels? annotations?",
    "Selector": "matchLabels? matchExpressions?:[]Requirement",
    "Requirement": "key operator values?",
    "Service": "name?",
    "TrialAnalysis": "name templateName clusterScope? args?:[]Argument requiredForCompletion?",
    "Argument": "name value? valueFrom*:ValueFrom",
    "ValueFrom": "podTemplateHashValue* fieldRef*:FieldRef",
    "FieldRef": "fieldPath",
    "DryRun": "metricName",
    "Retention": "metricName limit",
    "Analysis": "templates?:[]TemplateRef args?:[]Argument dryRun?:[]DryRun measurementRetention?:[]Retention "
    "analysisRunMetadata:Metadata",
    "TemplateRef": "templateName clusterScope?",
    "Scale": "weight* replicas* matchTrafficWeight?",
    "HeaderRoute": "name? match?:[]HeaderMatch",
    "HeaderMatch": "headerName headerValue*:StringMatch",
    "MirrorRoute": "name match?:[]RouteMatch percentage*",
    "RouteMatch": "method*:StringMatch path*:StringMatch headers?:{}StringMatch",
    "StringMatch": "exact? prefix? regex?",
    "Plugin": "name config? disabled?",
}
_NUMBERS = frozenset({"limit"})


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    mark: str
    type: str


def _field(text: str) -> _Field:
    name, _, kind = text.partition(":")
    bare = name.rstrip("?*")
    return _Field(bare, name.removeprefix(bare), kind)


_FIELDS = {name: tuple(map(_field, text.split())) for name, text in _STRUCTS.items()}


def steps_json(steps: list[Obj] | None) -> bytes:
    """The bytes that Go's encoding/json makes of a []CanaryStep."""
    return (_value(steps, "[]Step") if steps is not None else "null").encode()


def _struct(value: Obj, kind: str) -> str:
    return f"{{{','.join(one for field in _FIELDS[kind] for one in _written(value, field))}}}"


def _written(value: Obj, field: _Field) -> Iterator[str]:
    found = value.get(field.name)
    if (field.mark == "*" and found is None) or (field.mark == "?" and not found):
        return
    yield f"{json_text(field.name)}:{_value(found if found is not None else _zero(field), field.type)}"


def _zero(field: _Field) -> Any:
    """What Go writes for a field that nobody has set."""
    if field.type:
        return None if field.type.startswith("[]") else {}
    return 0 if field.name in _NUMBERS else ""


def _value(value: Any, kind: str) -> str:
    if value is None or not kind:
        return json_text(value)
    if kind.startswith("[]"):
        return f"[{','.join(_value(one, kind[2:]) for one in value)}]"
    if kind.startswith("{}"):
        return f"{{{','.join(f'{json_text(name)}:{_value(value[name], kind[2:])}' for name in sorted(value))}}}"
    return _struct(value, kind)
