"""The next step of a Rollout: which of the ways of going on is the one for now."""

from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.adoption import claim
from drumroll.domain.rollout.analysis_references import analysis_faults
from drumroll.domain.rollout.anti_affinity import without_avoidance
from drumroll.domain.rollout.blue_green import run_blue_green
from drumroll.domain.rollout.canary import is_changed, run_canary
from drumroll.domain.rollout.ephemeral import with_metadata
from drumroll.domain.rollout.inputs import Inputs, Turn, hash_of
from drumroll.domain.rollout.references import service_fields
from drumroll.domain.rollout.restart import with_restart
from drumroll.domain.rollout.revision import ensure_new, pod_hash, sort_sets, surplus
from drumroll.domain.rollout.services import is_anothers
from drumroll.domain.rollout.status import finished, not_made, refused
from drumroll.domain.rollout.validation import faults_of
from drumroll.domain.rollout.workload import with_template, with_workload_scaled
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.kinds import REPLICA_SET
from drumroll.objects.meta import Obj
from drumroll.objects.selectors import from_object


def decide(inputs: Inputs, now: datetime) -> Plan:
    """What to do about one Rollout now; everything that matters later is in the status that the plan writes."""
    rollout = Rollout(with_template(inputs))
    if rollout.is_deleting:
        return NOTHING  # the garbage collector takes what it owns
    lacking = missing(inputs, rollout)
    faults = (*faults_of(inputs.rollout), *lacking)
    if faults:
        return refused(inputs.rollout, "; ".join(faults), now, lacking)
    is_selected = from_object(rollout.spec["selector"]).matches
    claimed = claim(inputs.rollout, REPLICA_SET, inputs.replica_sets, is_selected)
    if claimed.actions:
        return Plan(claimed.actions)  # the adopted and released ones show up as changes, and then it goes on
    wanted = pod_hash(rollout)
    sets = sort_sets(rollout, claimed.owned, wanted)
    carried = hash_of(sets.new) or wanted  # a replica set of the same template may carry another hash
    return _strategy(Turn(inputs, rollout, carried, sets, dict(rollout.status), now))


def _strategy(turn: Turn) -> Plan:
    run = run_canary if turn.rollout.canary is not None else run_blue_green
    if is_changed(turn):
        return finished(run(turn))  # what the last update left is put away before the new one begins
    made = ensure_new(turn)
    if made:
        return Plan(made, settle=lambda failures: not_made(turn, failures))
    before = without_avoidance(with_metadata(turn))
    turn = with_restart(before)
    if len(turn.actions) > len(before.actions):
        return finished(turn)  # it goes on when the pods that are evicted have been replaced
    turn = with_workload_scaled(run(turn.then(surplus(turn.rollout, turn.sets))))
    return finished(turn, aborted_for=turn.abort_message)


def missing(inputs: Inputs, rollout: Rollout) -> tuple[str, ...]:
    """What the Rollout refers to and is not there."""
    if not rollout.template:
        reference = rollout.spec.get("workloadRef") or {}
        found = f"{reference.get('kind')} {reference.get('name')} is not there: create it, or correct the reference"
        return (f"spec.workloadRef: {found}",)
    name, strategy = ("canary", rollout.canary) if rollout.canary is not None else ("blueGreen", rollout.blue_green)
    services = tuple(
        f'spec.strategy.{name}.{field}: Invalid value: "{service}": {fault}'
        for field, service in service_fields(strategy or {}).items()
        if (fault := _fault(inputs.services.get(service), service, rollout))
    )
    is_going_back = rollout.status.get("abort")  # which no template may hold up
    return services if is_going_back else (*services, *analysis_faults(rollout.spec, inputs.templates))


def _fault(service: Obj | None, name: str, rollout: Rollout) -> str:
    if service is None:
        return f'service "{name}" not found'
    if is_anothers(service, rollout):
        return f'service "{name}" is managed by another Rollout'
    if not (service.get("spec") or {}).get("selector"):
        return f'service "{name}" selects no pods: give it the selector of the Rollout\'s pods'
    return ""
