"""What Envoy counts, per revision of the pods."""

import aiohttp
import pytest

from drumroll.domain.mesh.reading import QUERY, Target, parse
from drumroll.proxy.admin import get
from tests.proxy.cluster import eventually
from tests.proxy.test_services import answers

pytestmark = pytest.mark.asyncio


async def test_requests_are_counted_by_revision_and_answer(cluster):
    ip = await cluster.service()
    await cluster.pod(labels={"pod-template-hash": "one"})
    url = f"http://{ip}:20080"
    await answers(url)

    async with aiohttp.ClientSession() as session:
        for query in ("status=500", "status=404", "ms=30", "ms=30"):
            async with session.get(f"{url}/?{query}"):
                pass

    def counted():
        reading = parse((get(cluster.run_folder / "envoy-admin.sock", QUERY) or b"").decode())
        target = Target("default/web/http", "one")
        durations = reading.durations.get(target)
        codes = {a.code: n for a, n in reading.answers.items() if a.target == target}
        return durations and durations.counts[-1] == sum(codes.values()) and codes == {"200": 3, "404": 1, "500": 1}

    await eventually(counted)


async def test_a_new_label_reaches_envoy_with_the_next_change(cluster):
    ip = await cluster.service()
    await cluster.pod(labels={"pod-template-hash": "one"})
    await answers(f"http://{ip}:20080/")
    await cluster.pod(labels={"pod-template-hash": "two", "rollouts-pod-template-hash": "three"})

    async def both():
        await answers(f"http://{ip}:20080/")
        reading = parse((get(cluster.run_folder / "envoy-admin.sock", QUERY) or b"").decode())
        return {a.target.revision for a in reading.answers} >= {"one", "three"}

    await eventually(both)
