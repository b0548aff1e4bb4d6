"""Two Services that take turns: with `pingPong`, the Service that got all traffic at the end of an update keeps it.

At the promotion the roles change and not the selectors: what was the canary's Service is the stable one from then on,
and the other one has no traffic until the next update leads it to new pods. Which one is stable is in the status; as
long as nothing was promoted, it is pong.
Source: argo-rollouts utils/trafficrouting/service.go, rollout/service.go, rollout/sync.go.
"""

from dataclasses import dataclass

from drumroll.domain.rollout.inputs import Turn
from drumroll.objects.argo_v1alpha1 import Rollout
from drumroll.objects.meta import Obj

PING, PONG = "ping", "pong"


@dataclass(frozen=True, slots=True)
class Names:
    """The Services that traffic is shared between, empty where the Rollout names none."""

    stable: str
    canary: str


def has_ping_pong(rollout: Rollout) -> bool:
    """Whether the canary's Services take turns."""
    return bool((rollout.canary or {}).get("pingPong"))


def names_of(rollout: Rollout, status: Obj) -> Names:
    """Which Service is the stable one now, and which one the canary's."""
    strategy = rollout.canary or {}
    pair = strategy.get("pingPong")
    if not pair:
        return Names(strategy.get("stableService") or "", strategy.get("canaryService") or "")
    ping, pong = pair.get("pingService") or "", pair.get("pongService") or ""
    return Names(ping, pong) if _is_stable_ping(status) else Names(pong, ping)


def with_roles_changed(turn: Turn) -> Turn:
    """The turn in which the canary's Service has become the stable one. All traffic is there already, so what was asked
    for is the same under the new names."""
    if not has_ping_pong(turn.rollout):
        return turn
    changed = {"stablePingPong": PONG if _is_stable_ping(turn.status) else PING}
    weights = (turn.status.get("canary") or {}).get("weights")
    turn = turn.with_part("canary", changed)
    if not weights or not weights["canary"].get("weight"):  # the first deployment: no traffic was led anywhere
        return turn
    stable, canary = weights["canary"], {**weights["stable"], "podTemplateHash": turn.pod_hash}
    return turn.with_part("canary", {"weights": {**weights, "stable": stable, "canary": canary}})


def _is_stable_ping(status: Obj) -> bool:
    return (status.get("canary") or {}).get("stablePingPong") == PING
