"""The analyses of an Experiment: started once everything is available, followed, ended with it."""

from collections.abc import Mapping

from drumroll.domain.actions import Action, Create, Record
from drumroll.domain.analysis.arguments import ArgumentError, substitute
from drumroll.domain.analysis.names import COMPLETED, ERROR, FAILED, INCONCLUSIVE, INSTANCE, PENDING, POD_HASH
from drumroll.domain.analysis.runs import Identity, build_run, message_of, phase_of, place, terminations
from drumroll.domain.analysis.templates import Extras, TemplateError, expand, run_spec
from drumroll.domain.events import EventType
from drumroll.domain.experiment.parts import World
from drumroll.objects.meta import Obj, key_of, labels_of, timestamp


def analysis_step(world: World, analysis: Obj) -> tuple[Obj, tuple[Action, ...]]:
    """The status of one analysis, and what to do about its run."""
    found = (one for one in world.status.get("analysisRuns") or () if one["name"] == analysis["name"])
    before: Obj = next(found, {"name": analysis["name"], "analysisRun": "", "phase": ""})
    after, actions = _followed(world, analysis, before)
    return after, (*actions, *_told(world, before, after))


def _followed(world: World, analysis: Obj, before: Obj) -> tuple[Obj, tuple[Action, ...]]:
    if not world.status.get("availableAt"):
        return _verified(world, analysis, before), ()
    if not before.get("analysisRun"):
        return (before, ()) if world.is_terminating else _started(world, analysis, before)
    if before.get("phase") in COMPLETED:
        return before, ()
    run = world.runs.get(before["analysisRun"])
    if run is None:
        message = f'analysisruns.argoproj.io "{before["analysisRun"]}" not found'
        return {**before, "phase": ERROR, "message": message}, ()
    if world.is_terminating:
        return before, terminations((run,))
    after = {**before, "phase": phase_of(run) or PENDING, "message": message_of(run)}
    return {name: value for name, value in after.items() if name != "message" or value}, ()


def _verified(world: World, analysis: Obj, before: Obj) -> Obj:
    """Whether the template is there, before anything waits for it."""
    try:
        world.templates.find(analysis)
    except TemplateError as error:
        kind = "ClusterAnalysisTemplate" if analysis.get("clusterScope") else "AnalysisTemplate"
        message = f"{kind} verification failed for analysis '{analysis['name']}': {error}"
        return {**before, "phase": ERROR, "message": message}
    return before


def _started(world: World, analysis: Obj, before: Obj) -> tuple[Obj, tuple[Action, ...]]:
    try:
        run = _run(world, analysis)
    except (TemplateError, ArgumentError) as error:
        message = f"Failed to create AnalysisRun for analysis '{analysis['name']}': {error}"
        return {**before, "phase": ERROR, "message": message}, ()
    run, is_there = place(run, world.runs.values(), ".")
    after = {**before, "phase": PENDING, "analysisRun": key_of(run).name}
    return after, () if is_there else (Create(run),)


def _run(world: World, analysis: Obj) -> Obj:
    experiment, meta = world.experiment, world.spec.get("analysisRunMetadata") or {}
    known = known_values(world)
    given = [
        {**argument, "value": substitute(argument["value"], known)} if argument.get("value") is not None else argument
        for argument in analysis.get("args") or ()
    ]
    extras = Extras(given, world.spec.get("dryRun") or (), world.spec.get("measurementRetention") or ())
    labels = {INSTANCE: labels_of(experiment)[INSTANCE]} if INSTANCE in labels_of(experiment) else {}
    identity = Identity(
        f"{key_of(experiment).name}-{analysis['name']}",
        {**labels, **(meta.get("labels") or {})},
        meta.get("annotations") or {},
    )
    return build_run(experiment, identity, run_spec(expand((analysis,), world.templates), extras))


def known_values(world: World) -> Mapping[str, str]:
    """What arguments of an experiment's analyses may refer to: the hash and ReplicaSet of a template, its times."""
    known = {"experiment.availableAt": world.status["availableAt"]} if world.status.get("availableAt") else {}
    if (ends := world.ends_at()) is not None:
        known["experiment.finishedAt"] = timestamp(ends)
    for template in world.spec.get("templates") or ():
        replica_set = world.replica_set(template)
        if replica_set is not None:
            known[f"templates.{template['name']}.podTemplateHash"] = labels_of(replica_set).get(POD_HASH, "")
            known[f"templates.{template['name']}.replicaset.name"] = key_of(replica_set).name
    return known


def _told(world: World, before: Obj, after: Obj) -> tuple[Action, ...]:
    old, new = before.get("phase", ""), after.get("phase", "")
    if old == new or not new:
        return ()
    text = f"AnalysisRun '{after['name']}' transitioned from {old} -> {new}"
    if after.get("message"):
        text = f"{text}: {after['message']}"
    kind: EventType = "Warning" if new in (FAILED, ERROR, INCONCLUSIVE) else "Normal"
    return (Record(world.experiment, kind, f"AnalysisRun{new}", text),)
