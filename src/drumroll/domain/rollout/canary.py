"""The canary strategy: one turn of an update that goes step by step, and of its way back.

The order of a turn: what the analyses say, where Services and traffic go, how many pods there are, whether a step is
done. Source: argo-rollouts rollout/canary.go.
"""

from dataclasses import replace

from drumroll.domain.actions import Record
from drumroll.domain.rollout.analysis import Scene, judge
from drumroll.domain.rollout.canary_sizes import with_sizes
from drumroll.domain.rollout.failing import failure
from drumroll.domain.rollout.inputs import Turn, hash_of
from drumroll.domain.rollout.pause import (
    CANARY_PAUSE,
    is_pause_over,
    pause_condition,
    pause_end,
    with_pause,
    without_pause,
)
from drumroll.domain.rollout.ping_pong import with_roles_changed
from drumroll.domain.rollout.revision import revision_of
from drumroll.domain.rollout.sizing import desired, is_at_desired, is_enough
from drumroll.domain.rollout.steps import current_step, describe_step, is_through, kind_of_step, step_hash, step_index
from drumroll.domain.rollout.weights import (
    asked_weights,
    former_canary,
    is_promoted,
    is_settled,
    with_services,
    with_traffic,
)
from drumroll.domain.rollout.window import is_within_window
from drumroll.objects.meta import Obj, timestamp


def run_canary(turn: Turn) -> Turn:
    """One turn; what matters later is in its status."""
    if is_changed(turn):
        return restarted(turn)
    turn = turn.with_status(currentPodHash=turn.pod_hash, currentStepHash=step_hash(turn.rollout))
    turn = replace(turn, is_skipping=is_within_window(turn))
    turn = _relieved(turn)
    turn = _judged(turn)
    turn, led = with_services(turn)
    turn = with_traffic(turn, led)
    turn = with_sizes(turn, is_switched=led.stable)
    turn = _paused(turn)
    return _advanced(turn)


def is_changed(turn: Turn) -> bool:
    """Whether the template, the steps or the strategy are others than those that the status is about."""
    known = turn.status.get("currentPodHash")
    steps = turn.status.get("currentStepHash") or ""  # which only canaries have
    return bool(known) and (known != turn.pod_hash or steps != step_hash(turn.rollout))


def restarted(turn: Turn) -> Turn:
    """The turn that begins an update anew: nothing of the one before counts any more, but the weights asked for.

    Back at the stable template there is nothing to step through.
    """
    turn = _replaced(turn)
    steps = len(turn.rollout.steps)
    index = None if steps == 0 else steps if turn.status.get("stableRS") == turn.pod_hash else 0
    turn = without_pause(turn).with_status(
        currentPodHash=turn.pod_hash,
        currentStepHash=step_hash(turn.rollout),
        currentStepIndex=index,
        abort=None,
        abortedAt=None,
        promoteFull=None,
        blueGreen=None,
    )
    fields = ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus", "currentExperiment")
    turn = turn.with_part("canary", dict.fromkeys(fields))
    if steps and index == steps:
        return turn.then([Record(turn.inputs.rollout, "Normal", "SkipSteps", "Rollback to stable")])
    return turn


def _replaced(turn: Turn) -> Turn:
    """The turn in which a canary that has traffic is the stable one from now on, when somebody has deleted that one:
    nobody else is left to bear the traffic until the next canary is up.
    """
    bearing = former_canary(turn)
    heir = next((rs for rs in turn.sets.older if bearing and hash_of(rs) == bearing and rs.available > 0), None)
    if heir is None or turn.sets.stable is not None or is_promoted(turn):
        return turn
    text = f"The stable replica set is gone: {heir.name}, which has traffic, takes its place"
    return turn.then([Record(turn.inputs.rollout, "Warning", "StableReplaced", text)]).with_status(stableRS=bearing)


def _relieved(turn: Turn) -> Turn:
    """A full promotion and a way back to a recent revision know no pause and no abort."""
    if turn.is_skipping or (turn.status.get("promoteFull") and not is_promoted(turn)):
        return without_pause(turn).with_status(abort=None, abortedAt=None)
    if turn.is_aborted and is_promoted(turn):
        return turn.with_status(abort=None, abortedAt=None)
    if turn.is_aborted and not turn.status.get("abortedAt"):  # somebody else gave it up
        return without_pause(turn).with_status(abortedAt=timestamp(turn.now))
    return turn if turn.is_aborted else turn.with_status(abortedAt=None)


def _judged(turn: Turn) -> Turn:
    """The turn with what analyses, crashing pods and the deadline mean for it."""
    sets, status = turn.sets, turn.status
    scene = Scene(
        {**turn.rollout.raw, "status": status},
        sets.new.raw if sets.new else None,
        sets.stable.raw if sets.stable else None,
        tuple(rs.raw for rs in sets.all),
        turn.inputs.runs,
        turn.inputs.experiments,
        turn.inputs.templates,
        is_skipping=turn.is_skipping,
    )
    judged = judge(scene)
    turn = replace(turn, judgement=judged).then(judged.actions).with_part("canary", judged.canary)
    if judged.fault:
        turn = turn.then([Record(turn.inputs.rollout, "Warning", "AnalysisRunError", judged.fault)])
    message = judged.abort or failure(turn)
    if message and not turn.is_aborted:
        return aborted(turn, message)
    return with_pause(turn, judged.pause) if judged.pause else turn


def aborted(turn: Turn, message: str) -> Turn:
    """The turn that gives the update up: traffic goes back first, pods go afterwards."""
    turn = without_pause(turn).with_status(abort=True, abortedAt=timestamp(turn.now), promoteFull=None)
    return replace(turn, abort_message=message)


def _paused(turn: Turn) -> Turn:
    """The turn that notes that it waits at a pause step, and when it goes on."""
    step = current_step(turn.rollout, turn.status)
    if step is None or kind_of_step(step) != "pause":
        return without_pause(turn, CANARY_PAUSE)  # and without the mark of a pause that a person has ended
    if not _steps_count(turn):
        return turn
    condition = pause_condition(turn.status, CANARY_PAUSE)
    if condition is None and not turn.status.get("controllerPause"):
        turn = with_pause(turn, CANARY_PAUSE)
        condition = pause_condition(turn.status, CANARY_PAUSE)
    return turn.wake(pause_end(step["pause"], condition))


def _steps_count(turn: Turn) -> bool:
    """Whether this is an update whose steps are gone through now."""
    return not (
        turn.rollout.is_paused
        or turn.is_aborted
        or turn.is_skipping
        or turn.status.get("promoteFull")
        or turn.sets.stable is None
        or is_promoted(turn)
        or former_canary(turn)
    )


def _advanced(turn: Turn) -> Turn:
    """The turn that is promoted, goes on to the next step, or stays."""
    steps = len(turn.rollout.steps)
    reason = promotion(turn)
    if reason:
        return _promoted(turn, reason)
    if turn.is_aborted:
        return turn.with_status(currentStepIndex=(0 if steps else None))
    if turn.status.get("promoteFull") or turn.is_skipping:
        return turn.with_status(currentStepIndex=steps or None)
    step = current_step(turn.rollout, turn.status)
    if step is None or not _steps_count(turn) or not _is_done(turn, step):
        index = step_index(turn.rollout, turn.status)
        return turn.with_status(currentStepIndex=index if steps else None)
    index = step_index(turn.rollout, turn.status) + 1
    text = f"Rollout step {index}/{steps} completed ({describe_step(step)})"
    turn = turn.then([Record(turn.inputs.rollout, "Normal", "RolloutStepCompleted", text)])
    turn = without_pause(turn, CANARY_PAUSE).with_part("canary", {"currentStepAnalysisRunStatus": None})
    return turn.with_status(currentStepIndex=index)


def _is_done(turn: Turn, step: Obj) -> bool:
    kind = kind_of_step(step)
    if kind in ("setWeight", "setCanaryScale"):
        if turn.is_halted or not is_at_desired(turn.rollout, turn.status, turn.sets):
            return False
        return kind == "setCanaryScale" or (_is_asked(turn, int(step["setWeight"])) and is_settled(turn))
    if kind == "pause":
        return is_pause_over(turn, step["pause"])
    if kind in ("analysis", "experiment"):
        return turn.judgement.step == "Successful"
    if kind in ("setHeaderRoute", "setMirrorRoute"):
        return is_settled(turn)
    return False


def _is_asked(turn: Turn, weight: int) -> bool:
    """Whether the traffic has the weight of the step: pods of the canary that come and go may hold it back.

    A canary that is to have no pods now (setCanaryScale: 0) never gets it, and is not waited for.
    """
    if turn.rollout.traffic_routing is None or desired(turn.rollout, turn.status, turn.sets).new == 0:
        return True
    return bool((asked_weights(turn).get("canary") or {}).get("weight") == weight)


def promotion(turn: Turn) -> str:
    """Why the wanted template is the stable one from now on; empty as long as it is not.

    With traffic routing all traffic must be at the new pods by then, acknowledged: the old ones go after this.
    """
    rollout, new = turn.rollout, turn.sets.new
    if turn.is_aborted or new is None or is_promoted(turn):
        return ""
    if new.replicas < rollout.replicas or not is_enough(rollout, rollout.replicas, min(new.available, new.replicas)):
        return ""
    if turn.sets.stable is None:
        return "Initial deploy"
    if turn.is_halted:
        return ""
    if rollout.traffic_routing is not None and not (_is_asked(turn, rollout.most_weight) and is_settled(turn)):
        return ""
    if turn.status.get("promoteFull"):
        return "Full promotion requested"
    if turn.is_skipping:
        return "Rollback within window"
    if is_through(rollout, turn.status):
        return f"Completed all {len(rollout.steps)} canary steps"
    return ""


def _promoted(turn: Turn, reason: str) -> Turn:
    revision = revision_of(turn.sets.new.raw) if turn.sets.new else 0
    text = f"Rollout completed update to revision {revision} ({turn.pod_hash}): {reason}"
    turn = turn.then([Record(turn.inputs.rollout, "Normal", "RolloutCompleted", text)])
    return with_roles_changed(without_pause(turn)).with_status(
        stableRS=turn.pod_hash, promoteFull=None, currentStepIndex=len(turn.rollout.steps) or None
    )
