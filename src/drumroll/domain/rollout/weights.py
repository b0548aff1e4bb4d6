"""The weight of a canary's traffic: what is asked for now, by what is there to bear it.

Traffic goes only to what is ready, and it leaves a replica set before the replica set shrinks.
Source: argo-rollouts rollout/trafficrouting.go.
"""

from dataclasses import dataclass, replace

from drumroll.domain.actions import Record
from drumroll.domain.rollout.analysis import experiment_shares
from drumroll.domain.rollout.canary_services import led_to
from drumroll.domain.rollout.inputs import Turn, hash_of
from drumroll.domain.rollout.ping_pong import has_ping_pong, names_of
from drumroll.domain.rollout.services import selected_hash
from drumroll.domain.rollout.sizing import fence_of, is_at_desired, is_enough, set_weight
from drumroll.domain.rollout.steps import is_through, managed_in_force, step_index, weight_in_force
from drumroll.domain.rollout.traffic import Routed, Share, route
from drumroll.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Wanted:
    """The canary's weight, whose it is, and whether managed routes and experiments take part."""

    weight: int
    pod_hash: str
    has_routes: bool = False
    has_experiment: bool = False


def is_promoted(turn: Turn) -> bool:
    """Whether the wanted template is the stable one."""
    return bool(turn.pod_hash) and turn.status.get("stableRS") == turn.pod_hash


def asked_weights(turn: Turn) -> Obj:
    """The weights that were asked for last; empty for none."""
    weights: Obj = (turn.status.get("canary") or {}).get("weights") or {}
    return weights


def asked_weight(turn: Turn) -> int:
    """The weight that the present canary was given last; 0 when the weight was another one's."""
    canary = asked_weights(turn).get("canary") or {}
    return int(canary.get("weight") or 0) if canary.get("podTemplateHash") == turn.pod_hash else 0


def is_settled(turn: Turn) -> bool:
    """Whether the weights that were asked for are in force, as far as anybody can tell."""
    return turn.rollout.traffic_routing is None or asked_weights(turn).get("verified") is not False


def wanted_weight(turn: Turn) -> Wanted:
    """The weight for now, the first of these that applies."""
    rollout, new, most = turn.rollout, turn.sets.new, turn.rollout.most_weight
    is_dynamic = bool((rollout.canary or {}).get("dynamicStableScale"))
    if former := former_canary(turn):
        return Wanted(_bearable(turn) if is_dynamic else 0, former)
    if is_promoted(turn):
        return Wanted(0, turn.pod_hash)
    if turn.sets.stable is None and turn.status.get("stableRS"):  # somebody deleted it: there is no way back
        return Wanted(most if new is not None and new.available > 0 else 0, turn.pod_hash)
    if turn.is_aborted:
        return Wanted(_bearable(turn) if is_dynamic else 0, turn.pod_hash)
    if new is None or new.available == 0:
        return Wanted(0, turn.pod_hash, has_experiment=True)  # an experiment may come before the first canary pod
    if turn.status.get("promoteFull"):
        if is_dynamic:
            return Wanted(most * min(new.available, rollout.replicas) // max(1, rollout.replicas), turn.pod_hash)
        is_whole = is_enough(rollout, rollout.replicas, new.available)
        return Wanted(most if is_whole else asked_weight(turn), turn.pod_hash)
    return _by_steps(turn)


def _by_steps(turn: Turn) -> Wanted:
    """More weight waits for the pods of the step; less does not, for the pods go when their traffic has gone."""
    rollout, status = turn.rollout, turn.status
    is_ready = is_at_desired(rollout, status, turn.sets)
    if is_through(rollout, status) or turn.is_skipping:
        return Wanted(rollout.most_weight if is_ready else asked_weight(turn), turn.pod_hash)
    index, weight = step_index(rollout, status), set_weight(rollout, status)
    if not is_ready and weight > asked_weight(turn):
        weight = min(weight, weight_in_force(rollout, index - 1) if index else 0)
    return Wanted(weight, turn.pod_hash, has_routes=True, has_experiment=True)


def former_canary(turn: Turn) -> str:
    """The hash of a canary that still has traffic although its template is no longer wanted; empty for none.

    Its traffic goes back to the stable pods before anything else happens: the Service that leads to it can lead
    nowhere else meanwhile.
    """
    canary = asked_weights(turn).get("canary") or {}
    pod_hash: str = canary.get("podTemplateHash") or ""
    return pod_hash if pod_hash != turn.pod_hash and canary.get("weight") else ""


def _bearable(turn: Turn) -> int:
    """How much the canary must keep because the stable pods that are there cannot bear it; never more than it has."""
    stable, wanted, most = turn.sets.stable, turn.rollout.replicas, turn.rollout.most_weight
    if not _is_borne(turn):
        return 0
    available = min(stable.available, wanted) if stable else 0
    current = int((asked_weights(turn).get("canary") or {}).get("weight") or 0)
    return min(current, most - most * available // max(1, wanted)) if wanted else 0


def _may_move(turn: Turn, weight: int) -> bool:
    """Whether the stable pods that are there can bear what that weight leaves to them, give or take maxUnavailable.

    They must where whoever bears it now has no pods left, and where the update is given up.
    """
    stable, most = turn.sets.stable, turn.rollout.most_weight
    if stable is None or is_promoted(turn) or (turn.is_aborted and stable.available > 0):
        return True
    if not _is_borne(turn):
        return True
    needed = (most - weight) * turn.rollout.replicas // most
    return stable.available >= min(needed, max(1, needed - fence_of(turn.rollout).unavailable))


def _goes_back(turn: Turn, weight: int) -> bool:
    """Whether traffic is to leave pods that serve it, for the stable ones."""
    current = int((asked_weights(turn).get("canary") or {}).get("weight") or 0)
    return weight < current and turn.sets.stable is not None and _is_borne(turn)


def _is_borne(turn: Turn) -> bool:
    """Whether the canary that was given the present weight has a pod that serves."""
    bearing = (asked_weights(turn).get("canary") or {}).get("podTemplateHash")
    return any(hash_of(rs) == bearing and rs.available > 0 for rs in turn.sets.all)


@dataclass(frozen=True, slots=True)
class Led:
    """Whether the endpoints of each Service are the pods that it should lead to now."""

    stable: bool
    canary: bool


def with_services(turn: Turn) -> tuple[Turn, Led]:
    """The turn with both Services led where they belong, and which of them have arrived there.

    An aborted canary's Service leads to the stable pods at once. A Service that still has a share of the traffic stays
    with the pods that it leads to until the share is gone.
    """
    sets, names, takes_turns = turn.sets, names_of(turn.rollout, turn.status), has_ping_pong(turn.rollout)
    stable, canary = names.stable, names.canary
    turn = _with_plain(turn) if takes_turns else turn
    stable_led = not stable
    if stable and sets.stable is not None:
        found = led_to(turn, stable, sets.stable)
        turn, stable_led = turn.then(found.actions), found.is_done
    if takes_turns and is_promoted(turn):
        return turn, Led(stable_led, canary=True)  # nobody's, until the next update needs it
    if not canary or _must_stay(turn, canary):
        return turn, Led(stable_led, canary=not canary)
    if turn.is_aborted and sets.stable is not None and not takes_turns:
        return turn.then(led_to(turn, canary, sets.stable, at_once=True).actions), Led(stable_led, canary=False)
    found = led_to(turn, canary, sets.new)
    return turn.then(found.actions), Led(stable_led, found.is_done)


def _with_plain(turn: Turn) -> Turn:
    """The turn that leads the plain pair of Services, too, for who looks at the versions by them; they get no share."""
    strategy, names = turn.rollout.canary or {}, names_of(turn.rollout, turn.status)
    for field, replica_set in (("stableService", turn.sets.stable), ("canaryService", turn.sets.new)):
        if (name := strategy.get(field) or "") and name not in (names.stable, names.canary):
            turn = turn.then(led_to(turn, name, replica_set).actions)
    return turn


def _must_stay(turn: Turn, canary: str) -> bool:
    """Whether the canary's Service must go on leading where it leads, for the traffic that it may still get."""
    if is_settled(turn) and not _has_traffic(turn):
        return False
    if turn.is_aborted and not has_ping_pong(turn.rollout):
        return bool((turn.rollout.canary or {}).get("dynamicStableScale"))
    return bool(former_canary(turn)) or _is_others(turn, canary)


def _has_traffic(turn: Turn) -> bool:
    return bool((asked_weights(turn).get("canary") or {}).get("weight"))


def _is_others(turn: Turn, service: str) -> bool:
    """Whether a Service leads to pods of another template than the new one, the stable one among them.

    One that the new pods have traffic by was led to them before: somebody else has led it away since.
    """
    if asked_weight(turn) > 0:
        return False
    selected = selected_hash(turn.inputs.services.get(service))
    return selected != turn.pod_hash and selected in {hash_of(rs) for rs in turn.sets.all}


def with_traffic(turn: Turn, led: Led) -> Turn:
    """The turn with the traffic shared as it should be now, and with the weights in its status."""
    if turn.rollout.traffic_routing is None:
        return turn.with_part("canary", {"weights": None}) if asked_weights(turn) else turn
    wanted = wanted_weight(turn)
    before = asked_weights(turn)
    current = int((before.get("canary") or {}).get("weight") or 0)
    is_led = (
        led.stable if is_promoted(turn) or _goes_back(turn, wanted.weight) else led.canary or wanted.weight <= current
    )
    is_held = before and not (is_led and _may_move(turn, wanted.weight))
    if is_held:
        wanted = replace(wanted, weight=current, pod_hash=before["canary"].get("podTemplateHash") or "")
    elif not before and not is_led:
        wanted = replace(wanted, weight=0)
    share = _share(turn, wanted)
    routed = route(turn.inputs, turn.rollout, share)
    turn = turn.then(routed.actions)
    return _noted(turn, wanted, share, routed)


def _share(turn: Turn, wanted: Wanted) -> Share:
    names = names_of(turn.rollout, turn.status)
    former = frozenset(one.get("serviceName") or "" for one in asked_weights(turn).get("additional") or ())
    return Share(
        names.stable,
        names.canary,
        wanted.weight,
        turn.rollout.most_weight,
        experiment_shares(turn.rollout.raw, turn.judgement.experiment) if wanted.has_experiment else (),
        managed_in_force(turn.rollout, turn.status) if wanted.has_routes else (),
        former,
    )


def _noted(turn: Turn, wanted: Wanted, share: Share, routed: Routed) -> Turn:
    """The turn whose status says what was asked for, and whether it is in force."""
    weights: Obj = {
        "canary": {"weight": share.weight, "serviceName": share.canary, "podTemplateHash": wanted.pod_hash},
        "stable": {"weight": share.rest, "serviceName": share.stable, "podTemplateHash": hash_of(turn.sets.stable)},
    }
    if share.additional:
        weights["additional"] = [
            {"weight": one.weight, "serviceName": one.service, "podTemplateHash": one.pod_hash}
            for one in share.additional
        ]
    before = asked_weights(turn)
    records = [Record(turn.inputs.rollout, "Warning", "TrafficRoutingError", fault) for fault in routed.faults]
    was = (before.get("canary") or {}).get("weight")
    if was != share.weight:
        text = f"Traffic weight updated to {share.weight}" if was is None else f"{_FROM} {was} to {share.weight}"
        records.append(Record(turn.inputs.rollout, "Normal", "TrafficWeightUpdated", text))
    if routed.is_verified is not None:
        weights["verified"] = routed.is_verified
    return turn.then(records).with_part("canary", {"weights": weights})


_FROM = "Traffic weight updated from"
