"""From templates and analyses to the phase of an Experiment. Source: argo-rollouts experiments/experiment.go."""

from collections.abc import Sequence
from datetime import datetime

from drumroll.domain.actions import NOTHING, Action, Plan, Settle, patch_of
from drumroll.domain.analysis.names import (
    COMPLETED,
    ERROR,
    FAILED,
    PENDING,
    RUNNING,
    SUCCESSFUL,
    is_worse,
)
from drumroll.domain.experiment.analyses import analysis_step
from drumroll.domain.experiment.parts import World
from drumroll.domain.experiment.template import Step, template_step
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import EXPERIMENT
from drumroll.objects.meta import Obj, is_deleting, key_of, timestamp

_FROM_BEST_TO_WORST = (SUCCESSFUL, RUNNING, "Progressing", ERROR, FAILED)
_AS_PHASE = {"Progressing": PENDING}
REQUIRED_DONE = "Required AnalysisRuns completed"


def reconcile(world: World, now: datetime) -> Plan:
    """Bring an Experiment's parts where they should be, and report."""
    if is_deleting(world.experiment):
        return NOTHING
    steps: list[Step] = []
    for template in world.spec.get("templates") or ():
        # one creation in a turn, so that a refusal is known to be of this one
        if not any(step.creates for step in steps):
            steps.append(template_step(world, template, now))
    followed = [analysis_step(world, analysis) for analysis in world.spec.get("analyses") or ()]
    actions = tuple(action for part in (*(s.actions for s in steps), *(a for _, a in followed)) for action in part)
    known = {one["name"]: one for one in world.status.get("templateStatuses") or ()}
    known.update({step.status["name"]: step.status for step in steps})
    status = {
        **world.status,
        "templateStatuses": list(known.values()),
        "analysisRuns": [one for one, _ in followed if one.get("phase")],
    }
    status = _concluded(world, {name: value for name, value in status.items() if value != []}, now)
    ends = world.ends_at() if not world.is_terminating else None
    moments = [moment for moment in (ends, *(step.wake_at for step in steps)) if moment is not None]
    return Plan(actions, min(moments, default=None), _settle(world, steps, status, now))


def _settle(world: World, steps: Sequence[Step], status: Obj, now: datetime) -> Settle:
    making = next((step for step in steps if step.creates), None)

    def settle(failures: Sequence[ApiError]) -> tuple[Action, ...]:
        if not failures:
            return _write(world, status)
        refused = failures[0]
        if making is None or refused.code >= 500 or refused.reason == "Conflict":
            return ()
        failed = {**making.status, "status": ERROR, "message": making.failure + refused.message}
        statuses = [failed if one["name"] == failed["name"] else one for one in status["templateStatuses"]]
        return _write(world, _concluded(world, {**status, "templateStatuses": statuses}, now))

    return settle


def _write(world: World, status: Obj) -> tuple[Action, ...]:
    if status == world.status:
        return ()
    version = {"resourceVersion": world.experiment["metadata"].get("resourceVersion")}
    gone = dict.fromkeys(world.status.keys() - status.keys())
    return (patch_of(EXPERIMENT, world.experiment, {"metadata": version, "status": {**gone, **status}}),)


def _concluded(world: World, status: Obj, now: datetime) -> Obj:
    phase, message = world.status.get("phase", ""), world.status.get("message", "")
    if not phase:
        phase = PENDING
    elif phase not in COMPLETED:
        templates, why = _templates(world, status)
        if templates == RUNNING and not status.get("availableAt"):
            status = {**status, "availableAt": timestamp(now)}
        phase, message = _phase(world, status, templates, why)
    status = {**status, "phase": phase, "message": message}
    conditions = _conditions(world, phase, now)
    return {name: value for name, value in {**status, "conditions": conditions}.items() if name != "message" or value}


def _phase(world: World, status: Obj, templates: str, why: str) -> tuple[str, str]:
    analyses, message = _analyses(world, status)
    if templates in COMPLETED:
        is_deferred = analyses in COMPLETED or _has_required(world)
        return (analyses, message) if templates == SUCCESSFUL and is_deferred else (templates, why)
    if analyses in COMPLETED and analyses != SUCCESSFUL:
        return analyses, message
    if _required_done(world, status):
        return analyses, message
    return templates, why


def _templates(world: World, status: Obj) -> tuple[str, str]:
    """The worst of the templates as a phase, and its message."""
    found = {one["name"]: one for one in status.get("templateStatuses") or ()}
    worst, message = SUCCESSFUL, ""
    rank = _FROM_BEST_TO_WORST.index
    for template in world.spec.get("templates") or ():
        one = found.get(template["name"], {})
        state = one.get("status", "Progressing")
        if rank(state) > rank(worst):
            worst, message = state, one.get("message", "")
    return _AS_PHASE.get(worst, worst), message


def _analyses(world: World, status: Obj) -> tuple[str, str]:
    """The worst of the analyses, and its message."""
    found = {one["name"]: one for one in status.get("analysisRuns") or ()}
    worst, message = SUCCESSFUL, ""
    for analysis in world.spec.get("analyses") or ():
        one = found.get(analysis["name"], {})
        if is_worse(worst, one.get("phase", "")):
            worst, message = one["phase"], one.get("message", "")
    if _required_done(world, status) and not is_worse(RUNNING, worst):
        return SUCCESSFUL, REQUIRED_DONE
    return (RUNNING if worst == PENDING else worst), message


def _has_required(world: World) -> bool:
    return any(analysis.get("requiredForCompletion") for analysis in world.spec.get("analyses") or ())


def _required_done(world: World, status: Obj) -> bool:
    """Whether there are analyses that decide when it is over, and all of them have succeeded."""
    phases = {one["name"]: one.get("phase") for one in status.get("analysisRuns") or ()}
    required = [one["name"] for one in world.spec.get("analyses") or () if one.get("requiredForCompletion")]
    return bool(required) and all(phases.get(name) == SUCCESSFUL for name in required)


def _conditions(world: World, phase: str, now: datetime) -> list[Obj]:
    name = key_of(world.experiment).name
    table = {
        SUCCESSFUL: ("False", "ExperimentCompleted", f'Experiment "{name}" has successfully ran and completed.'),
        RUNNING: ("True", "ExperimentRunning", f'Experiment "{name}" is running.'),
        PENDING: ("True", "ExperimentProgressing", f'Experiment "{name}" is progressing.'),
    }
    failed = ("False", f"Experiment{phase}", f'Experiment "{name}" has ended: {phase}.')
    state, reason, message = table.get(phase, failed)
    before: Obj = next((one for one in world.status.get("conditions") or () if one.get("type") == "Progressing"), {})
    if (before.get("status"), before.get("reason")) == (state, reason):
        return [before]
    moment = timestamp(now)
    since = before.get("lastTransitionTime", moment) if before.get("status") == state else moment
    condition = {"type": "Progressing", "status": state, "reason": reason, "message": message}
    return [{**condition, "lastUpdateTime": moment, "lastTransitionTime": since}]
