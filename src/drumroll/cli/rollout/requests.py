"""The patches that steer an update: as Argo's own plugin sends them, and for Deployments as kubectl does.

Source: argo-rollouts pkg/kubectl-argo-rollouts/cmd/{promote,abort,retry,pause,restart,undo,set}.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drumroll.objects.meta import Obj, timestamp
from drumroll.objects.wire import JSON_PATCH, MERGE_PATCH

RESTARTED = "kubectl.kubernetes.io/restartedAt"
_HASHES = ("rollouts-pod-template-hash", "pod-template-hash")


class Pointless(Exception):
    """There is nothing to do; the message says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """A patch of the object, or of its subresource."""

    patch: Any
    subresource: str = ""
    content_type: str = MERGE_PATCH


def promote(rollout: Obj, *, full: bool = False, skip_step: bool = False, skip_all: bool = False) -> list[Change]:
    """Let the update go on: past a pause, past the current step, past all of them, or at once. Raises Pointless."""
    status = rollout.get("status") or {}
    if full:
        if status.get("currentPodHash") == status.get("stableRS"):
            raise Pointless("it is fully promoted already")
        return [_status(promoteFull=True)]
    steps = _steps(rollout)
    index = status.get("currentStepIndex") or 0
    if skip_step or skip_all:
        if not steps:
            raise Pointless("it has no steps to skip")
        return [_status(pauseConditions=None, currentStepIndex=len(steps) if skip_all else min(index + 1, len(steps)))]
    return _resume(rollout, steps, index)


def _resume(rollout: Obj, steps: list[Obj], index: int) -> list[Change]:
    status, paused = rollout.get("status") or {}, bool(rollout["spec"].get("paused"))
    spec = [Change({"spec": {"paused": False}})] if paused else []
    verdict = ((status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}).get("status")
    if steps and verdict == "Inconclusive" and status.get("pauseConditions") and status.get("controllerPause"):
        after = min(index + 1, len(steps))
        return [*spec, _status(pauseConditions=None, controllerPause=False, currentStepIndex=after)]
    if status.get("pauseConditions"):
        return [*spec, _status(pauseConditions=None)]
    if steps and index < len(steps) and status.get("currentPodHash") != status.get("stableRS"):
        return [*spec, _status(pauseConditions=None, currentStepIndex=index + 1)]
    if not spec:
        raise Pointless("nothing holds it up")
    return spec


def abort() -> Change:
    """Send the traffic back to the stable version."""
    return _status(abort=True)


def retry() -> Change:
    """Try an aborted update again."""
    return _status(abort=False)


def retry_experiment() -> Change:
    """Run an experiment again. It has no status subresource, in the original either."""
    return Change({"status": None})


def pause(*, paused: bool = True) -> Change:
    """Hold still, or go on."""
    return Change({"spec": {"paused": paused}})


def restart(obj: Obj, at: datetime) -> Change:
    """Replace every pod by a new one of the same template."""
    if obj["kind"] == "Rollout":
        return Change({"spec": {"restartAt": timestamp(at)}})
    return Change({"spec": {"template": {"metadata": {"annotations": {RESTARTED: timestamp(at)}}}}})


def terminate() -> Change:
    """Stop an analysis run or an experiment."""
    return Change({"spec": {"terminate": True}})


def set_images(obj: Obj, wanted: dict[str, str]) -> Change:
    """Give containers, by name or `*` for all, another image. Raises Pointless when none of that name is there."""
    spec = obj["spec"].get("template", obj.get("template") or {}).get("spec") or {}
    root = "/spec/template/spec" if "template" in obj["spec"] else "/template/spec"
    operations: list[Obj] = []
    known: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            known.add(container["name"])
            image = wanted.get(container["name"], wanted.get("*") if field == "containers" else None)
            if image is None or image == container.get("image"):
                continue
            path = f"{root}/{field}/{index}"
            operations.append({"op": "test", "path": f"{path}/name", "value": container["name"]})
            operations.append({"op": "replace", "path": f"{path}/image", "value": image})
    if strange := sorted(set(wanted) - known - {"*"}):
        raise Pointless(f'it has no container "{strange[0]}" (it has {", ".join(sorted(known)) or "none"})')
    if not operations:
        raise Pointless("it runs these images already")
    return Change(operations, content_type=JSON_PATCH)


def undo(obj: Obj, replica_set: Obj) -> Change:
    """Take the template of an older ReplicaSet again, without the label that only ReplicaSets give."""
    template = replica_set["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name not in _HASHES}
    clean = {**template, "metadata": {**metadata, "labels": labels}}
    path = "/spec/template" if "template" in obj["spec"] else "/template"
    return Change([{"op": "replace", "path": path, "value": clean}], content_type=JSON_PATCH)


def _status(**fields: Any) -> Change:
    return Change({"status": fields}, "status")


def _steps(rollout: Obj) -> list[Obj]:
    return ((rollout["spec"].get("strategy") or {}).get("canary") or {}).get("steps") or []
