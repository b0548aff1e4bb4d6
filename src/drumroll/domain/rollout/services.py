"""Which replica set a Rollout's Services select. Source: argo-rollouts rollout/service.go."""

from drumroll.domain.actions import Action, Patch, Record
from drumroll.domain.rollout.inputs import Turn
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH, Rollout
from drumroll.objects.kinds import SERVICE
from drumroll.objects.meta import Obj, annotations_of, key_of, uid_of

MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"


def selected_hash(service: Obj | None) -> str:
    """The pod template's hash that a Service selects; empty when it selects none, or is not there."""
    found: str = (((service or {}).get("spec") or {}).get("selector") or {}).get(ROLLOUT_HASH, "")
    return found


def is_anothers(service: Obj, rollout: Rollout) -> bool:
    """Whether another Rollout manages the Service."""
    managed = annotations_of(service).get(MANAGED_BY)
    return managed is not None and managed != rollout.name


def switch(turn: Turn, name: str, wanted_hash: str) -> tuple[Action, ...]:
    """What makes the Service of that name select the pods of a template; nothing when it does, or is not there.

    The patch names the revision that was looked at: a selector that somebody else has changed meanwhile is not
    overwritten unseen.
    """
    service = turn.inputs.services.get(name)
    if service is None or not wanted_hash:
        return ()
    before = selected_hash(service)
    managed = annotations_of(service).get(MANAGED_BY)
    if before == wanted_hash and managed == turn.rollout.name:
        return ()
    patch = {
        "metadata": {
            "uid": uid_of(service),
            "resourceVersion": service["metadata"]["resourceVersion"],
            "annotations": {MANAGED_BY: turn.rollout.name},
        },
        "spec": {"selector": {ROLLOUT_HASH: wanted_hash}},
    }
    found: list[Action] = [Patch(SERVICE, key_of(service), patch)]
    if before != wanted_hash:
        text = f"Switched selector for service '{name}' from '{before}' to '{wanted_hash}'"
        found.append(Record(turn.inputs.rollout, "Normal", "SwitchService", text))
    return tuple(found)


def release(service: Obj) -> Action:
    """Give a Service back that no Rollout manages any more: it selects all versions again."""
    patch = {
        "metadata": {"uid": uid_of(service), "annotations": {MANAGED_BY: None}},
        "spec": {"selector": {ROLLOUT_HASH: None}},
    }
    return Patch(SERVICE, key_of(service), patch)
