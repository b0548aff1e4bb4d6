"""Sharing traffic by SMI's TrafficSplit, which the Rollout owns. Source: argo-rollouts rollout/trafficrouting/smi."""

from drumroll.domain.actions import Create, patch_of
from drumroll.domain.gateway import ACKNOWLEDGED
from drumroll.domain.rollout.inputs import Inputs
from drumroll.domain.rollout.traffic import Routed, Share
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.kinds import TRAFFIC_SPLIT
from drumroll.objects.meta import Obj, annotations_of, controller_of, owner_reference


def route_smi(inputs: Inputs, rollout: Rollout, share: Share) -> Routed:
    """Make the TrafficSplit, or bring its weights up to date. Whether it is in force, only our proxy tells."""
    config = (rollout.traffic_routing or {})["smi"]
    name = config.get("trafficSplitName") or rollout.name
    found = inputs.splits.get(name)
    spec = {
        "service": config.get("rootService") or share.stable,
        "backends": [{"service": service, "weight": weight} for service, weight in share.weights.items()],
    }
    if found is None:
        return Routed((Create(_build(rollout, name, spec)),), is_verified=False)
    owner = controller_of(found)
    if owner is None or owner["uid"] != rollout.uid:
        fault = f"TrafficSplit {name} belongs to somebody else: delete it, or name another one in smi.trafficSplitName"
        return Routed((), is_verified=False, faults=(fault,))
    if _plain(found.get("spec") or {}) == spec:
        return Routed(is_verified=_is_acknowledged(found))
    return Routed((patch_of(TRAFFIC_SPLIT, found, {"spec": spec}),), is_verified=False)


def _is_acknowledged(split: Obj) -> bool | None:
    """Whether the proxy has acknowledged this generation; None where none says so of any."""
    acknowledged = annotations_of(split).get(ACKNOWLEDGED)
    return None if acknowledged is None else acknowledged == str(split["metadata"].get("generation") or 0)


def _plain(spec: Obj) -> Obj:
    backends = [{"service": one.get("service"), "weight": one.get("weight")} for one in spec.get("backends") or ()]
    return {"service": spec.get("service"), "backends": backends}


def _build(rollout: Rollout, name: str, spec: Obj) -> Obj:
    return {
        "apiVersion": TRAFFIC_SPLIT.api_version,
        "kind": TRAFFIC_SPLIT.name,
        "metadata": {
            "name": name,
            "namespace": rollout.key.namespace,
            "ownerReferences": [owner_reference(rollout.raw)],
        },
        "spec": spec,
    }
