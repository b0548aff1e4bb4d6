"""How traffic is to be shared, told to whoever shares it out: routers are pure, and answer with patches.

The weight that is asked for and the weight that is acknowledged are two figures: a router says of what it has asked
whether the data plane has said yes. Nothing is scaled down before that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from drumroll.domain.actions import Action
from drumroll.domain.rollout.analysis import ExperimentShare
from drumroll.domain.rollout.inputs import Inputs
from drumroll.domain.rollout.references import GATEWAY_PLUGIN
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Share:
    """Who shall get how much: `weight` of `most` to the canary Service, what `additional` takes, the rest to the stable
    one. `managed` are the steps (setHeaderRoute, setMirrorRoute) whose routes are in force, first what comes first.
    `former` are Services that got a share before, which is taken away unless they get one now.
    """

    stable: str
    canary: str
    weight: int
    most: int = 100
    additional: tuple[ExperimentShare, ...] = ()
    managed: tuple[Obj, ...] = ()
    former: frozenset[str] = frozenset()

    @property
    def rest(self) -> int:
        """What the stable Service gets."""
        return self.most - self.weight - sum(share.weight for share in self.additional)

    @property
    def weights(self) -> dict[str, int]:
        """The weight of each Service."""
        return {
            self.canary: self.weight,
            self.stable: self.rest,
            **{share.service: share.weight for share in self.additional},
        }


@dataclass(frozen=True, slots=True)
class Routed:
    """What to write, and whether what is asked is in force: None where nobody can tell. `faults` say why not."""

    actions: tuple[Action, ...] = ()
    is_verified: bool | None = None
    faults: tuple[str, ...] = field(default_factory=tuple)


def route(inputs: Inputs, rollout: Rollout, share: Share) -> Routed:
    """What all of the Rollout's routers have to do for that share."""
    from drumroll.domain.rollout.traffic_gateway import route_gateway
    from drumroll.domain.rollout.traffic_nginx import route_nginx
    from drumroll.domain.rollout.traffic_smi import route_smi

    routing = rollout.traffic_routing or {}
    answers = []
    if (routing.get("plugins") or {}).get(GATEWAY_PLUGIN) is not None:
        answers.append(route_gateway(inputs, rollout, share))
    if routing.get("nginx") is not None:
        answers.append(route_nginx(inputs, rollout, share))
    if routing.get("smi") is not None:
        answers.append(route_smi(inputs, rollout, share))
    return together(answers)


def together(answers: Sequence[Routed]) -> Routed:
    """Several routers as one: verified when none says no and one says yes."""
    said = [answer.is_verified for answer in answers]
    verified = False if False in said else (True if True in said else None)
    return Routed(
        tuple(action for answer in answers for action in answer.actions),
        verified,
        tuple(fault for answer in answers for fault in answer.faults),
    )
