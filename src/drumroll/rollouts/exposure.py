"""The controller that reports how many requests met a version that was taken back: it asks the mesh."""

import asyncio
from datetime import datetime

from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.rollout import exposure
from drumroll.objects.kinds import REPLICA_SET, ROLLOUT
from drumroll.objects.meta import Key, Obj
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself
from drumroll.rollouts.asking import number_of
from drumroll.rollouts.providers.asking import MESH_ADDRESS, Web


def exposure_controller(caches: Caches, web: Web) -> Controller:
    """Writes the condition `drumroll.dev/Exposure` of Rollouts that were taken back."""
    rollouts = caches.of(ROLLOUT)

    async def decide(key: Key, now: datetime) -> Plan:
        rollout = rollouts.get(key)
        moment = exposure.due(rollout) if rollout is not None else None
        if rollout is None or moment is None:
            return NOTHING
        if moment > now:
            return Plan(wake_at=moment)
        figures = await _figures(web, rollout, now)
        return exposure.reported(rollout, caches.owned(REPLICA_SET, rollout), figures, now)

    return Controller("exposure", "rollouts-controller", (Watch(rollouts, itself),), decide)


async def _figures(web: Web, rollout: Obj, now: datetime) -> dict[str, float] | str:
    """The figures, or what went wrong."""
    asked = exposure.queries(rollout, now)
    try:
        values = await asyncio.gather(*(number_of(web, MESH_ADDRESS, query) for query in asked.values()))
    except ValueError as error:
        return str(error)
    return dict(zip(asked, values, strict=True))
