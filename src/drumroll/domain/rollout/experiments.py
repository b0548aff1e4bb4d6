"""The experiments of a Rollout's steps, and what their outcome means. Source: argo-rollouts rollout/experiment.go."""

from collections.abc import Iterable
from dataclasses import dataclass

from drumroll.domain.actions import Action, Create, Record
from drumroll.domain.analysis.arguments import ArgumentError, from_rollout
from drumroll.domain.analysis.names import ERROR, FAILED, INCONCLUSIVE, INSTANCE, POD_HASH, REVISION, SUCCESSFUL
from drumroll.domain.analysis.runs import clearances, limits_of, message_of, phase_of, place, terminations
from drumroll.objects.kinds import EXPERIMENT
from drumroll.objects.meta import Obj, annotations_of, key_of, labels_of, owner_reference


@dataclass(frozen=True, slots=True)
class Parts:
    """What an experiment is made of and compared with."""

    new: Obj | None
    stable: Obj | None
    replica_sets: tuple[Obj, ...]
    experiments: tuple[Obj, ...]
    pauses: frozenset[str]


@dataclass(frozen=True, slots=True)
class Tried:
    """What the current step's experiment came to; `experiment` is the one that goes on, `name` the one to remember."""

    experiment: Obj | None = None
    name: str | None = None
    phase: str = ""
    actions: tuple[Action, ...] = ()
    abort: str = ""
    is_inconclusive: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentShare:
    """A part of the traffic, in percent, that an experiment's Service is to get while the experiment runs."""

    service: str
    pod_hash: str
    weight: int


def next_experiment(rollout: Obj, step: Obj | None, parts: Parts) -> Tried:
    """The experiment that the current step wants, made when it is missing; all others are ended."""
    if "InconclusiveAnalysisRun" in parts.pauses:
        held = _current(rollout, parts)
        return Tried(held, key_of(held).name if held is not None else None)
    current = _current(rollout, parts) if step is not None else None
    if current is not None and phase_of(current) == INCONCLUSIVE and _is_resumed(rollout):
        current = None
    actions: tuple[Action, ...] = ()
    fault = ""
    if step is not None and current is None and parts.stable is not None and parts.new is not None:
        try:
            current, actions = _make(rollout, step, parts)
        except ArgumentError as error:
            fault = str(error)
    others = [one for one in parts.experiments if current is None or key_of(one) != key_of(current)]
    actions = (*actions, *terminations(others), *clearances(others, parts.replica_sets, limits_of(rollout)))
    return _consequences(current, actions, fault)


def _consequences(current: Obj | None, actions: tuple[Action, ...], fault: str) -> Tried:
    """What follows. A successful one is remembered until the step is over: the Rollout may be paused just then."""
    if current is None:
        return Tried(actions=actions, fault=fault)
    phase, name = phase_of(current), key_of(current).name
    if phase == SUCCESSFUL:
        return Tried(None, name, phase, actions)
    if phase in (FAILED, ERROR):
        return Tried(None, None, phase, actions, abort=message_of(current) or f"Experiment {name} {phase}")
    return Tried(current, name, phase, actions, is_inconclusive=phase == INCONCLUSIVE)


def _current(rollout: Obj, parts: Parts) -> Obj | None:
    """The experiment that the status names, if it belongs to this step."""
    name = ((rollout.get("status") or {}).get("canary") or {}).get("currentExperiment") or ""
    base = _name(rollout, parts)
    if name != base and not name.startswith(f"{base}-"):
        return None
    return next((one for one in parts.experiments if key_of(one).name == name), None)


def _name(rollout: Obj, parts: Parts) -> str:
    pod_hash = labels_of(parts.new or {"metadata": {}}).get(POD_HASH, "")
    revision, index = annotations_of(rollout).get(REVISION, ""), (rollout.get("status") or {}).get("currentStepIndex")
    return f"{key_of(rollout).name}-{pod_hash}-{revision}-{index or 0}"


def _is_resumed(rollout: Obj) -> bool:
    status = rollout.get("status") or {}
    return bool(status.get("controllerPause")) and not status.get("pauseConditions")


def _make(rollout: Obj, step: Obj, parts: Parts) -> tuple[Obj, tuple[Action, ...]]:
    wanted, is_there = place(from_step(rollout, step, parts), parts.experiments, "-")
    if is_there:
        return wanted, ()
    told = Record(rollout, "Normal", "ExperimentCreated", f"Created Experiment '{key_of(wanted).name}'")
    return wanted, (Create(wanted), told)


def from_step(rollout: Obj, step: Obj, parts: Parts) -> Obj:
    """The Experiment of a canary step. Raises ArgumentError."""
    pod_hash = labels_of(parts.new or {"metadata": {}}).get(POD_HASH, "")
    stable_hash = labels_of(parts.stable or {"metadata": {}}).get(POD_HASH, "")
    revision = annotations_of(rollout).get(REVISION, "")
    labels = {**labels_of(rollout), POD_HASH: pod_hash}
    if INSTANCE in labels_of(rollout):
        labels[INSTANCE] = labels_of(rollout)[INSTANCE]
    spec: Obj = {
        "duration": step.get("duration"),
        "progressDeadlineSeconds": rollout["spec"].get("progressDeadlineSeconds"),
        "scaleDownDelaySeconds": step.get("scaleDownDelaySeconds"),
        "dryRun": step.get("dryRun"),
        "analysisRunMetadata": step.get("analysisRunMetadata"),
        "templates": [_template(one, parts) for one in step.get("templates") or ()],
        "analyses": list(_analyses(rollout, step, {"Latest": pod_hash, "Stable": stable_hash})),
    }
    return {
        "apiVersion": EXPERIMENT.api_version,
        "kind": EXPERIMENT.name,
        "metadata": {
            "name": _name(rollout, parts),
            "namespace": key_of(rollout).namespace,
            "labels": labels,
            "annotations": {REVISION: revision},
            "ownerReferences": [owner_reference(rollout)],
        },
        "spec": {name: value for name, value in spec.items() if value},
    }


def _template(wanted: Obj, parts: Parts) -> Obj:
    source = parts.new if wanted.get("specRef") == "canary" else parts.stable
    if source is None or wanted.get("specRef") not in ("canary", "stable"):
        raise ArgumentError("Invalid template step SpecRef: must be canary or stable")
    pod, metadata = source["spec"]["template"], wanted.get("metadata") or {}
    meta = dict(pod.get("metadata") or {})
    selector = dict(wanted.get("selector") or source["spec"].get("selector") or {})
    if labels := metadata.get("labels"):
        meta["labels"] = {**(meta.get("labels") or {}), **labels}
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **labels}
    if annotations := metadata.get("annotations"):
        meta["annotations"] = {**(meta.get("annotations") or {}), **annotations}
    template: Obj = {
        "name": wanted["name"],
        "replicas": wanted.get("replicas"),
        "minReadySeconds": source["spec"].get("minReadySeconds"),
        "selector": selector,
        "template": {**pod, "metadata": meta},
    }
    if wanted.get("weight") is not None or wanted.get("service") is not None:
        name = (wanted.get("service") or {}).get("name")
        template["service"] = {"name": name} if name else {}
    return {name: value for name, value in template.items() if value is not None}


def _analyses(rollout: Obj, step: Obj, hashes: dict[str, str]) -> Iterable[Obj]:
    for one in step.get("analyses") or ():
        analysis = {**one, "args": from_rollout(one.get("args") or (), rollout, hashes)}
        yield {name: value for name, value in analysis.items() if value not in (None, [])}


def experiment_shares(rollout: Obj, experiment: Obj | None) -> tuple[ExperimentShare, ...]:
    """What the running experiment of the current step takes of the traffic: its templates with a weight."""
    status = rollout.get("status") or {}
    steps = ((rollout["spec"].get("strategy") or {}).get("canary") or {}).get("steps") or ()
    index = status.get("currentStepIndex")
    if experiment is None or phase_of(experiment) != "Running" or index is None or index >= len(steps):
        return ()
    wanted = {one["name"]: one.get("weight") for one in (steps[index].get("experiment") or {}).get("templates") or ()}
    found = (experiment.get("status") or {}).get("templateStatuses") or ()
    return tuple(
        ExperimentShare(one["serviceName"], one.get("podTemplateHash", ""), wanted[one["name"]])
        for one in found
        if wanted.get(one["name"]) and one.get("serviceName")
    )
