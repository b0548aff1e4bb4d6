"""The metrics of Rollouts as an API server shows them."""

import asyncio
import contextlib
from ipaddress import IPv4Network

import pytest

from drumroll.apiserver import ApiServer
from drumroll.client.client import Client
from drumroll.client.inprocess import InProcessTransport
from drumroll.objects.clock import now
from drumroll.objects.kinds import ROLLOUT
from drumroll.objects.metrics import Metrics
from drumroll.objects.wire import User
from drumroll.rollouts.run import run_rollouts
from drumroll.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}


async def test_a_rollout_is_among_the_metrics_of_its_controllers_process():
    metrics = Metrics()
    api = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=now, installs=True)
    await api.prepare()
    client = Client(InProcessTransport(api.handle, User("admin", ("system:masters",))))
    tasks = [asyncio.create_task(api.run()), asyncio.create_task(run_rollouts(client, now=now, metrics=metrics))]
    try:
        await client.create(
            {
                "apiVersion": ROLLOUT.api_version,
                "kind": "Rollout",
                "metadata": {"namespace": "default", "name": "web"},
                "spec": {
                    "replicas": 3,
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": TEMPLATE,
                    "strategy": {"canary": {}},
                },
            }
        )
        async with asyncio.timeout(30):
            while b'rollout_info_replicas_desired{namespace="default",name="web"} 3' not in metrics.text():
                await asyncio.sleep(0.02)
        info = 'rollout_info{namespace="default",name="web",strategy="canary",traffic_router="",phase="Progressing"} 1'
        assert info in metrics.text().decode()
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)
