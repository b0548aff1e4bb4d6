"""Shadow answers compared, through a real Envoy: users see nothing of it, differences are found and told."""

import pytest
import pytest_asyncio

from drumroll.objects.kinds import COMPARISON
from tests.proxy.cluster import eventually
from tests.proxy.gateways import Front, acknowledged, backend, cluster_with_gateway, route, rule

pytestmark = [pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster():
    async with cluster_with_gateway() as found:
        yield found


async def comparison(cluster, name, *, primary="one", shadow="two", percent=100, **compare):
    await cluster.client.create(
        {
            "apiVersion": COMPARISON.api_version,
            "kind": "Comparison",
            "metadata": {"namespace": "default", "name": name},
            "spec": {
                "routeRef": {"name": name},
                "primary": {"service": primary},
                "shadow": {"service": shadow},
                "percent": percent,
                "compare": compare,
            },
        }
    )


async def status(cluster, name, is_so):
    async def look():
        found = (await cluster.client.get(COMPARISON, "default", name)).get("status") or {}
        return found if is_so(found) else None

    return await eventually(look)


async def test_answers_are_compared_and_users_see_only_the_primarys(cluster):
    await route(cluster, "diff", rule(backend("one")))
    await acknowledged(cluster, "diff")
    await comparison(cluster, "diff", headers=["x-served-by"], ignore=["headers"])
    await status(cluster, "diff", lambda s: s.get("phase") == "Running")
    await acknowledged(cluster, "diff")
    assert await Front(cluster, "diff.test").count(200, "/all/x") == {"one": 200}
    found = await status(cluster, "diff", lambda s: s.get("compared", 0) >= 200)
    assert (found["compared"], found["differing"], found["unanswered"]) == (200, 200, 0)
    assert found["byAspect"] == {"status": 0, "header": 200, "body": 200}
    assert {place["where"] for place in found["places"]} == {"headers.x-served-by", "body.name"}
    assert found["examples"][0]["request"] == "GET /all/x"
    assert found["message"] == "200 of 200 answers differ (100.0 %)"
    assert set(found["latencyMilliseconds"]) == {"primary", "shadow"}


async def test_what_is_ignored_does_not_count_and_a_share_is_copied(cluster):
    await route(cluster, "same", rule(backend("one")))
    await acknowledged(cluster, "same")
    await comparison(cluster, "same", percent=50, ignore=["headers", "name"])
    await status(cluster, "same", lambda s: s.get("phase") == "Running")
    await acknowledged(cluster, "same")
    assert await Front(cluster, "same.test").count(400) == {"one": 400}
    found = await status(cluster, "same", lambda s: s.get("compared", 0) >= 130)
    assert found["differing"] == 0


async def test_what_keeps_a_comparison_from_running_is_said(cluster):
    await comparison(cluster, "nowhere")
    found = await status(cluster, "nowhere", lambda s: s.get("phase") == "Pending")
    assert found["message"] == "no rule of an HTTPRoute 'nowhere' that is served sends to service 'one'"
    await comparison(cluster, "itself", shadow="one")
    found = await status(cluster, "itself", lambda s: s.get("phase") == "Pending")
    assert "a comparison needs two Services" in found["message"]


async def test_a_deleted_comparison_leaves_no_copies(cluster):
    await route(cluster, "gone", rule(backend("one")))
    await acknowledged(cluster, "gone")
    await comparison(cluster, "gone")
    await status(cluster, "gone", lambda s: s.get("phase") == "Running")
    await cluster.client.delete(COMPARISON, "default", "gone")
    front = Front(cluster, "gone.test")

    async def is_plain():
        answer = (await front.ask("/"))[1]
        return "x-drumroll-pair" not in answer["headers"]

    await eventually(is_plain)
