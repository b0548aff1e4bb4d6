"""Events go an hour after their last write, with the real API server."""

import asyncio
from datetime import timedelta

import pytest

from drumroll.controllers.event_expiry import expire_events
from drumroll.objects.clock import now
from drumroll.objects.kinds import EVENT
from drumroll.objects.meta import Obj, timestamp
from tests.controllers.simulation import simulate

pytestmark = pytest.mark.asyncio


def event(name: str, age: timedelta) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "default", "name": name},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web"},
        "reason": "Killing",
        "lastTimestamp": timestamp(now() + timedelta(hours=2) - age),
    }


async def test_old_events_go_and_young_ones_stay() -> None:
    async with simulate() as cluster:
        await cluster.client.create(event("old", timedelta(minutes=61)))
        await cluster.client.create(event("young", timedelta(minutes=59)))
        task = asyncio.create_task(expire_events(cluster.client, lambda: now() + timedelta(hours=2), every=0.01))

        async def only_the_young_one() -> bool:
            return [one["metadata"]["name"] for one in await cluster.items(EVENT)] == ["young"]

        await cluster.eventually(only_the_young_one)
        await asyncio.sleep(0.05)  # some more sweeps
        assert await only_the_young_one()
        task.cancel()
