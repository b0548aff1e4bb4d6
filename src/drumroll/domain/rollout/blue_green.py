"""The blue/green strategy: the new version runs whole beside the old one, and one Service is switched between them.

The order of a turn: where the Services lead, what the analyses say, where the active Service shall lead, how many pods
there are, whether it is over. Source: argo-rollouts rollout/bluegreen.go, rollout/service.go.

Three things differ from the original. The way back is open also while the new pods crash: an abort asks whether the
*old* pods are there, and nothing of the new ones. The old pods stay whole until the new version is the stable one
(their delay counts from then on, not from the switch), so that there is something to go back to. And it is the stable
one only when the Service's endpoints are its pods.
"""

from dataclasses import replace

from drumroll.domain.actions import Action, Record
from drumroll.domain.rollout.analysis import Scene, judge
from drumroll.domain.rollout.blue_green_pause import is_pause_over, with_blue_green_pause
from drumroll.domain.rollout.blue_green_sizes import is_preview_up, is_saturated, with_blue_green_sizes
from drumroll.domain.rollout.canary import aborted, is_changed
from drumroll.domain.rollout.canary_services import leads_to
from drumroll.domain.rollout.failing import ANNOTATION, failure, has_crashed
from drumroll.domain.rollout.inputs import Turn, hash_of
from drumroll.domain.rollout.pause import with_pause, without_pause
from drumroll.domain.rollout.revision import revision_of
from drumroll.domain.rollout.scale_down import deadline_of, with_deadline
from drumroll.domain.rollout.services import selected_hash, switch
from drumroll.domain.rollout.window import created, is_within_window
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.meta import timestamp

PART = "blueGreen"


def run_blue_green(turn: Turn) -> Turn:
    """One turn; what matters later is in its status."""
    if is_changed(turn):
        return restarted(turn)
    turn = _looked(turn.with_status(currentPodHash=turn.pod_hash))
    if back := _led_back(turn):
        return turn.then(back)
    turn = _relieved(replace(turn, is_skipping=is_fast_rollback(turn)))
    turn = _judged(turn)
    turn = _previewed(turn)
    turn = with_blue_green_pause(turn, is_pre_done=_is_pre_done(turn), is_fast=_is_fast_tracked(turn))
    turn = _switched(turn)
    turn = with_blue_green_sizes(turn, is_settled=_is_settled(turn))
    return _promoted(turn)


def restarted(turn: Turn) -> Turn:
    """The turn that begins an update anew: nothing of the one before counts any more, nor of a canary before it."""
    turn = without_pause(turn).with_status(
        currentPodHash=turn.pod_hash, abort=None, abortedAt=None, promoteFull=None, controllerPause=None
    )
    turn = turn.with_status(currentStepHash=None, currentStepIndex=None, canary=None)
    fields = ("prePromotionAnalysisRunStatus", "postPromotionAnalysisRunStatus", "scaleUpPreviewCheckPoint")
    return _looked(turn.with_part(PART, dict.fromkeys(fields)))


def _looked(turn: Turn) -> Turn:
    """The turn whose status says where the Services lead now: they are what counts, not what was written about them."""
    found = {"activeSelector": _active(turn) or None, "previewSelector": _selected(turn, "previewService") or None}
    return turn.with_part(PART, found)


def _led_back(turn: Turn) -> tuple[Action, ...]:
    """What leads the active Service back to the stable pods when it selects pods of all versions.

    In the middle of an update somebody has made it anew, or has changed its selector: no reason to go on with the
    update without its pause and its analysis.
    """
    stable, name = turn.sets.stable, (turn.rollout.blue_green or {}).get("activeService") or ""
    if _active(turn) or stable is None or turn.sets.is_stable_new or stable.available == 0:
        return ()
    return switch(turn, name, hash_of(stable))


def _selected(turn: Turn, field: str) -> str:
    return selected_hash(turn.inputs.services.get((turn.rollout.blue_green or {}).get(field) or ""))


def _active(turn: Turn) -> str:
    return _selected(turn, "activeService")


def is_fast_rollback(turn: Turn) -> bool:
    """Whether the wanted template is an older one that is known to be good: it is the stable one, its pods still wait
    to be scaled down, or it is within rollbackWindow. Then nothing is paused for and nothing analysed."""
    new, stable = turn.sets.new, turn.sets.stable
    if new is None or stable is None:
        return False
    if turn.sets.is_stable_new:
        return _active(turn) != turn.pod_hash
    is_older = created(new) < created(stable)
    return is_within_window(turn) or (is_older and deadline_of(new) is not None and not turn.is_aborted)


def _relieved(turn: Turn) -> Turn:
    """A full promotion and a fast way back know no pause and no abort."""
    is_full = bool(turn.status.get("promoteFull")) and not turn.sets.is_stable_new
    is_over = turn.sets.is_stable_new and turn.is_aborted
    if turn.is_skipping or is_full or is_over:
        return without_pause(turn).with_status(abort=None, abortedAt=None)
    if turn.is_aborted and not turn.status.get("abortedAt"):  # somebody else gave it up
        return turn.with_status(abortedAt=timestamp(turn.now))
    return turn if turn.is_aborted else turn.with_status(abortedAt=None)


def _judged(turn: Turn) -> Turn:
    """The turn with what analyses, crashing pods and the deadline mean for it."""
    sets, is_late = turn.sets, _active(turn) == turn.pod_hash
    scene = Scene(
        {**turn.rollout.raw, "status": turn.status},
        sets.new.raw if sets.new else None,
        sets.stable.raw if sets.stable else None,
        tuple(rs.raw for rs in sets.all),
        turn.inputs.runs,
        turn.inputs.experiments,
        turn.inputs.templates,
        is_skipping=turn.is_skipping,
        is_saturated=is_saturated(turn) if is_late else is_preview_up(turn),
        is_verified=_is_verified(turn),
    )
    judged = judge(scene)
    turn = replace(turn, judgement=judged).then(judged.actions).with_part(PART, judged.blue_green)
    if judged.fault:
        turn = turn.then([Record(turn.inputs.rollout, "Warning", "AnalysisRunError", judged.fault)])
    message = judged.abort or failure(turn) or _outage(turn)
    if message and not turn.is_aborted:
        return aborted(turn, message).with_part(PART, {"scaleUpPreviewCheckPoint": None})
    return _returned(with_pause(turn, judged.pause) if judged.pause else turn)


def _outage(turn: Turn) -> str:
    """Why the update must be given up after the switch: nobody serves, although the old pods could."""
    new, stable = turn.sets.new, turn.sets.stable
    if new is None or stable is None or turn.sets.is_stable_new or _active(turn) != turn.pod_hash:
        return ""
    if new.available > 0 or stable.available == 0 or turn.rollout.replicas == 0:
        return ""
    return f"none of the {turn.rollout.replicas} new pods is available after the switch"


def _returned(turn: Turn) -> Turn:
    """The turn that takes a promotion back: all new pods crash, and the old ones still wait to be scaled down."""
    new = turn.sets.new
    if new is None or not turn.sets.is_stable_new or _active(turn) != turn.pod_hash or new.available > 0:
        return turn
    if turn.rollout.annotations.get(ANNOTATION) == "false" or not has_crashed(turn, new):
        return turn
    waiting = [rs for rs in turn.sets.older if deadline_of(rs) is not None and rs.available > 0]
    if not waiting:
        return turn
    old = max(waiting, key=lambda rs: revision_of(rs.raw))
    rest = tuple(rs for rs in turn.sets.older if rs.name != old.name)
    turn = replace(turn, sets=replace(turn.sets, stable=old, older=rest)).with_status(stableRS=hash_of(old))
    return aborted(turn, f"the {turn.rollout.replicas} new pods crash, and none is available")


def _previewed(turn: Turn) -> Turn:
    """The turn in which the preview Service leads to the new pods, also before there are any."""
    name = (turn.rollout.blue_green or {}).get("previewService") or ""
    if turn.is_halted or not name or turn.sets.new is None:
        return turn
    actions = switch(turn, name, turn.pod_hash)
    return turn.then(actions).with_part(PART, {"previewSelector": turn.pod_hash}) if actions else turn


def _is_pre_done(turn: Turn) -> bool:
    wanted = (turn.rollout.blue_green or {}).get("prePromotionAnalysis")
    return wanted is None or turn.judgement.pre == "Successful"


def _is_fast_tracked(turn: Turn) -> bool:
    """Whether neither a pause nor an analysis is waited for."""
    is_wanted = turn.is_skipping or bool(turn.status.get("promoteFull")) or turn.sets.stable is None
    return is_wanted or _active(turn) in ("", turn.pod_hash)


def _switched(turn: Turn) -> Turn:
    """The turn in which the active Service leads where it should."""
    name, target = (turn.rollout.blue_green or {}).get("activeService") or "", _target(turn)
    if target is None or not hash_of(target):
        return turn
    actions = switch(turn, name, hash_of(target))
    return turn.then(actions).with_part(PART, {"activeSelector": hash_of(target)}) if actions else turn


def _target(turn: Turn) -> ReplicaSet | None:
    """The replica set that the active Service shall lead to; None: it stays as it is."""
    new, stable = turn.sets.new, turn.sets.stable
    active = next((rs for rs in turn.sets.all if hash_of(rs) == _active(turn)), None)
    served = active.available if active is not None else 0
    if turn.is_aborted and stable is not None and not turn.sets.is_stable_new:
        is_ready = stable.available >= turn.rollout.replicas or 0 < served <= stable.available
        is_ready = is_ready or (served == 0 and stable.available > 0)
        return stable if is_ready or not turn.rollout.replicas else None
    if turn.is_halted or new is None:
        return None
    is_through = _is_fast_tracked(turn) or (is_pause_over(turn) and _is_pre_done(turn))
    if is_through and is_saturated(turn):
        return new
    if _active(turn) and served == 0 and stable is not None and stable.available > 0:
        return stable  # what it leads to is gone or down: no outage while there is a stable version
    return None


def _is_verified(turn: Turn) -> bool:
    """Whether the active Service's endpoints are the pods of the replica set that it selects."""
    name = (turn.rollout.blue_green or {}).get("activeService") or ""
    selected = next((rs for rs in turn.sets.all if hash_of(rs) == _active(turn)), None)
    if selected is None:
        return False
    return turn.rollout.replicas == 0 or leads_to(turn, name, selected)


def _is_settled(turn: Turn) -> bool:
    """Whether the Service leads where it shall, and its endpoints have followed."""
    return _is_verified(turn) and (turn.status.get(PART) or {}).get("activeSelector") == _active(turn)


def promotion(turn: Turn) -> str:
    """Why the wanted template is the stable one from now on; empty as long as it is not."""
    if turn.is_aborted or turn.sets.new is None or turn.sets.is_stable_new or not is_saturated(turn):
        return ""
    if _active(turn) != turn.pod_hash or not _is_verified(turn):
        return ""
    if turn.sets.stable is None:
        return "Initial deploy"
    if turn.is_halted:
        return ""
    if turn.status.get("promoteFull"):
        return "Full promotion requested"
    if turn.is_skipping:
        return "Rollback within window" if is_within_window(turn) else "Fast rollback"
    is_asked = (turn.rollout.blue_green or {}).get("postPromotionAnalysis") is not None
    return "" if is_asked and turn.judgement.post != "Successful" else "Completed blue-green update"


def _promoted(turn: Turn) -> Turn:
    reason = promotion(turn)
    if not reason:
        return turn
    revision = revision_of(turn.sets.new.raw) if turn.sets.new else 0
    text = f"Rollout completed update to revision {revision} ({turn.pod_hash}): {reason}"
    turn = turn.then([Record(turn.inputs.rollout, "Normal", "RolloutCompleted", text)])
    stable, delay = turn.sets.stable, turn.rollout.scale_down_delay
    if stable is not None and stable.replicas and delay:  # from this moment on going back to it is fast
        turn = turn.then(with_deadline(stable, delay, turn.now))
    turn = without_pause(turn).with_status(stableRS=turn.pod_hash, promoteFull=None, controllerPause=None)
    return turn.with_part(PART, {"scaleUpPreviewCheckPoint": None})
