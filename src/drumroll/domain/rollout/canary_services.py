"""When a canary's Services are led to other pods, and whether they have arrived there."""

from dataclasses import dataclass

from drumroll.domain.actions import Action
from drumroll.domain.endpointslice import SERVICE_NAME
from drumroll.domain.rollout.inputs import Turn, hash_of
from drumroll.domain.rollout.services import MANAGED_BY, selected_hash, switch
from drumroll.objects.apps_v1 import ReplicaSet
from drumroll.objects.meta import annotations_of, controller_of, key_of, labels_of, uid_of


@dataclass(frozen=True, slots=True)
class Switch:
    """What to write so that a Service leads to a replica set, and whether the Service's endpoints are its pods now."""

    actions: tuple[Action, ...] = ()
    is_done: bool = False


def led_to(turn: Turn, name: str, replica_set: ReplicaSet | None, *, at_once: bool = False) -> Switch:
    """Lead a Service to a replica set's pods, as soon as one of them is available.

    A Service that no Rollout has managed so far has pods without regard to their hash: it waits for all of them, unless
    the switch is wanted `at_once`. A Rollout of no replicas has no pods to wait for.
    """
    service, wanted = turn.inputs.services.get(name), hash_of(replica_set)
    if service is None or replica_set is None:
        return Switch()
    current = selected_hash(service)
    is_empty = turn.rollout.replicas == 0
    if current == wanted and annotations_of(service).get(MANAGED_BY) == turn.rollout.name:
        return Switch((), is_done=is_empty or leads_to(turn, name, replica_set))
    enough = replica_set.available >= (1 if current else max(1, replica_set.replicas))
    if current != wanted and not (enough or at_once or is_empty):
        return Switch()
    return Switch(switch(turn, name, wanted))


def leads_to(turn: Turn, name: str, replica_set: ReplicaSet) -> bool:
    """Whether a Service's endpoints are that replica set's pods, one of them ready, and no others."""
    namespace, uid = turn.rollout.key.namespace, uid_of(replica_set.raw)
    ours = {key_of(pod).name for pod in turn.inputs.pods if (controller_of(pod) or {}).get("uid") == uid}
    serving = [
        (endpoint.get("targetRef") or {}).get("name")
        for one in turn.inputs.slices
        if key_of(one).namespace == namespace and labels_of(one).get(SERVICE_NAME) == name
        for endpoint in one.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready", True)
    ]
    return bool(serving) and all(pod in ours for pod in serving)
