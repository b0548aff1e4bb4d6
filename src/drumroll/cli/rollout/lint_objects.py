"""What is wrong with one object by itself: as the API server would say it, and the Rollout controller after it."""

from collections.abc import Iterator
from functools import lru_cache

import orjson

from drumroll.cli.rollout.lint_references import ERROR, WARNING, Document, Finding, named
from drumroll.domain.analysis.metrics import fault_of
from drumroll.domain.custom.installed import definitions
from drumroll.domain.defaults import set_defaults
from drumroll.domain.rollout.validation import faults_of
from drumroll.domain.validation import validate_create
from drumroll.objects.conform import conform
from drumroll.objects.custom import kinds_of
from drumroll.objects.decode import decode
from drumroll.objects.errors import BadRequest
from drumroll.objects.kinds import KINDS, ROLLOUT, Kind
from drumroll.objects.meta import Obj
from drumroll.objects.wire import JSON

ANALYSES = ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")
_TEMPLATE = "api.core.v1.PodTemplateSpec"


def examined(document: Document) -> tuple[list[Finding], Obj | None]:
    """What is wrong with one object, and the object as the server would store it when nothing is.

    A kind that Drumroll does not know is a warning.
    """
    obj, where = document.obj, named(document)
    metadata, kind_name = obj.get("metadata"), obj.get("kind")
    if not isinstance(metadata, dict) or not isinstance(kind_name, str):
        return [Finding(ERROR, where, "apiVersion, kind and metadata.name are needed")], None
    kind = known_kinds().get((str(obj.get("apiVersion")), kind_name))
    if kind is None:
        text = f"{obj.get('apiVersion')} {kind_name} is not checked: it is no kind of ours"
        return [Finding(WARNING, where, text)], None
    try:
        decoded = decode(orjson.dumps(obj), JSON, kind, "Strict").obj
    except BadRequest as error:
        return [Finding(ERROR, where, _plain(error.message))], None
    except ValueError as error:
        return [Finding(ERROR, where, str(error))], None
    found = [Finding(ERROR, where, text) for text in _faults(kind, decoded)]
    return found, None if found else decoded


def _faults(kind: Kind, decoded: Obj) -> Iterator[str]:
    """What the server, and then the controller, would say of an object that can be read."""
    if kind.namespaced:
        decoded["metadata"].setdefault("namespace", "default")
    set_defaults(kind, decoded)
    found = [str(fault) for fault in validate_create(kind, decoded)]
    if not found:
        found = [str(fault) for path, template in templates(decoded) for fault in _template(path, template)]
        if kind.name == ROLLOUT.name:
            found += faults_of(decoded)
        if kind.name in ANALYSES and (text := fault_of(decoded.get("spec") or {})):
            found.append(f"spec.{text}" if text.startswith("metrics[") else f"spec.metrics: {text}")
    yield from found


def _plain(message: str) -> str:
    """Without what only a program needs to hear."""
    for lead in ("strict decoding error: ", " cannot be handled as a "):
        _, found, rest = message.partition(lead)
        if found:
            return rest if lead.startswith("strict") else rest.partition(": ")[2]
    return message


def templates(obj: Obj) -> Iterator[tuple[str, Obj]]:
    """The pods' templates of a Rollout or an Experiment, each with its path."""
    spec = obj.get("spec") or {}
    if obj["kind"] == "Rollout" and isinstance(spec.get("template"), dict):
        yield "spec.template", spec["template"]
    if obj["kind"] == "Experiment":
        for index, one in enumerate(spec.get("templates") or ()):
            if isinstance(one.get("template"), dict):
                yield f"spec.templates[{index}].template", one["template"]


def _template(path: str, template: Obj) -> Iterator[str]:
    """What a ReplicaSet's template may not have; its labels are the controller's concern."""
    cleaned, _ = conform(template, _TEMPLATE)
    labels = dict((cleaned.get("metadata") or {}).get("labels") or {})
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "checked", "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels or {"needs": "labels"}}, "template": cleaned},
    }
    kind = known_kinds()["apps/v1", "ReplicaSet"]
    set_defaults(kind, replica_set)
    for fault in validate_create(kind, replica_set):
        if fault.field.startswith("spec.template") and "labels" not in fault.field:
            yield str(fault).replace("spec.template", path, 1)


@lru_cache(maxsize=1)
def known_kinds() -> dict[tuple[str, str], Kind]:
    """All kinds that can be checked, by apiVersion and name."""
    found: dict[tuple[str, str], Kind] = {(kind.api_version, kind.name): kind for kind in KINDS}
    for crd in definitions():
        found |= {(kind.api_version, kind.name): kind for kind in kinds_of(crd)}
    return found
