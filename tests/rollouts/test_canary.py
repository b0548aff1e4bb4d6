"""Canary updates by their controller, on the real API server; node and gateway are simulated."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from drumroll.objects.errors import Conflict, ServiceUnavailable
from drumroll.objects.kinds import HTTP_ROUTE, REPLICA_SET, ROLLOUT, SERVICE
from drumroll.objects.meta import Obj
from drumroll.objects.wire import User
from tests.controllers.simulation import Handle
from tests.controllers.test_faults import every_third
from tests.domain.rollout_world import http_route, routed
from tests.rollouts.laboratory import CONTROLLER, Laboratory, in_default, laboratory, service

pytestmark = pytest.mark.asyncio

STEPS: list[Obj] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]
PLUGIN = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}}


def canary(steps: list[Obj] | None = None, routing: Obj | None = None, **strategy: Any) -> Obj:
    found = in_default(routed(steps=STEPS if steps is None else steps, **strategy))
    found["spec"]["strategy"]["canary"]["trafficRouting"] = {**PLUGIN, **(routing or {})}
    return found


async def deployed(cluster: Laboratory, one: Obj) -> None:
    await cluster.apply(service("web-stable"), service("web-canary"), in_default(http_route()), one)
    await cluster.phase("Healthy")


async def update(cluster: Laboratory, image: str = "v2") -> None:
    container = {"name": "c", "image": image}
    await cluster.client.patch(ROLLOUT, "default", "web", {"spec": {"template": {"spec": {"containers": [container]}}}})


async def promoted(cluster: Laboratory, before: Obj) -> None:
    """Until another version than before is the stable one, and all of its traffic is back at the stable Service."""
    known = before["status"]["stableRS"]
    await cluster.reaches(lambda status: status["stableRS"] == status["currentPodHash"] != known)
    await cluster.reaches(lambda status: status["canary"]["weights"]["canary"]["weight"] == 0)


async def go_on(cluster: Laboratory) -> None:
    await cluster.client.patch(ROLLOUT, "default", "web", {"status": {"pauseConditions": None}}, subresource="status")


def at(step: int) -> Any:
    return lambda status: status.get("currentStepIndex") == step and status.get("phase") == "Paused"


async def test_an_update_goes_through_its_steps_with_the_rights_of_the_manifest() -> None:
    async with laboratory(user=CONTROLLER) as cluster:
        await deployed(cluster, canary())
        await update(cluster)
        await cluster.reaches(at(1))
        assert await cluster.weights() == {"web-stable": 80, "web-canary": 20}
        await go_on(cluster)
        await cluster.reaches(at(3))
        assert await cluster.weights() == {"web-stable": 40, "web-canary": 60}
        await go_on(cluster)
        found = await cluster.phase("Healthy")
        assert found["status"]["stableRS"] == found["status"]["currentPodHash"]
        await cluster.reaches(lambda status: status["canary"]["weights"]["canary"]["weight"] == 0)
        assert found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"
        stable = await cluster.client.get(SERVICE, "default", "web-stable")
        assert stable["spec"]["selector"]["rollouts-pod-template-hash"] == found["status"]["stableRS"]


async def test_services_take_turns() -> None:
    pair = {"pingService": "web-stable", "pongService": "web-canary"}
    one = canary([{"setWeight": 20}], pingPong=pair)
    for field in ("stableService", "canaryService"):
        del one["spec"]["strategy"]["canary"][field]
    async with laboratory(user=CONTROLLER) as cluster:
        await deployed(cluster, one)
        for image, stable, weights in (
            ("v2", "pong", {"web-stable": 0, "web-canary": 100}),
            ("v3", "ping", {"web-stable": 100, "web-canary": 0}),
        ):
            before = await cluster.rollout()
            await update(cluster, image)
            await promoted(cluster, before)
            found = await cluster.phase("Healthy")
            assert found["status"]["canary"]["stablePingPong"] == stable
            assert await cluster.weights() == weights


async def test_without_the_rights_of_the_manifest_nothing_happens() -> None:
    stranger = User("system:serviceaccount:default:default", ("system:serviceaccounts", "system:authenticated"))
    async with laboratory(user=stranger) as cluster:
        await cluster.apply(canary())
        with pytest.raises(AssertionError, match="never so"):
            await cluster.phase("Healthy", timeout=0.5)


async def test_a_weight_waits_for_the_gateway() -> None:
    async with laboratory() as cluster:
        await deployed(cluster, canary())
        cluster.gateway.says_yes = False
        await update(cluster)
        found = await cluster.reaches(lambda status: status["canary"]["weights"].get("verified") is False)
        assert found["status"]["currentStepIndex"] == 0
        cluster.gateway.says_yes = True
        await cluster.gateway.take(await cluster.client.get(HTTP_ROUTE, "default", "web"))
        await cluster.reaches(at(1))


async def test_a_controller_that_is_killed_again_and_again_finishes_the_update() -> None:
    async with laboratory(ready_after=0.05) as cluster:
        await deployed(cluster, canary([{"setWeight": 25}, {"setWeight": 50}, {"setWeight": 75}]))
        before = await cluster.rollout()
        await update(cluster)

        async def kill() -> None:
            for pause in range(8):
                await asyncio.sleep(0.03 * pause)
                await cluster.restart()

        killing = asyncio.create_task(kill())
        await promoted(cluster, before)
        await killing
        await cluster.phase("Healthy")


async def test_routes_of_steps_come_back_when_somebody_deletes_them() -> None:
    header = {"name": "beta", "match": [{"headerName": "x-beta", "headerValue": {"exact": "yes"}}]}
    mirror = {"name": "copy", "percentage": 50, "match": [{"method": {"exact": "GET"}}]}
    steps: list[Obj] = [{"setCanaryScale": {"replicas": 1}}, {"setHeaderRoute": header}, {"setMirrorRoute": mirror}]
    managed = {"managedRoutes": [{"name": "beta"}, {"name": "copy"}]}
    async with laboratory() as cluster:
        await deployed(cluster, canary([*steps, {"pause": {}}], managed))
        await update(cluster)
        await cluster.reaches(at(3))

        async def rules() -> list[Obj]:
            found = await cluster.client.get(HTTP_ROUTE, "default", "web")
            return found["spec"]["rules"]  # type: ignore[no-any-return]

        made = await rules()
        assert [rule.get("name") for rule in made] == ["copy", None, "beta"]
        assert made[2]["matches"][0]["headers"] == [{"type": "Exact", "name": "x-beta", "value": "yes"}]
        assert [ref["name"] for ref in made[2]["backendRefs"]] == ["web-canary"]
        assert made[0]["filters"][0]["requestMirror"]["percent"] == 50
        await cluster.client.patch(HTTP_ROUTE, "default", "web", {"spec": {"rules": made[1:2]}})
        async with asyncio.timeout(10):
            while await rules() != made:
                await asyncio.sleep(0.02)
        await cluster.client.patch(ROLLOUT, "default", "web", {"status": {"abort": True}}, subresource="status")
        await cluster.phase("Degraded")
        async with asyncio.timeout(10):
            while len(await rules()) > 1:
                await asyncio.sleep(0.02)


async def test_what_cannot_be_is_told_and_touches_nothing() -> None:
    async with laboratory() as cluster:
        await deployed(cluster, canary())
        wrong = {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 200}]}}}}
        await cluster.client.patch(ROLLOUT, "default", "web", wrong)
        found = await cluster.phase("Degraded", "InvalidSpec")
        assert "steps[0]" in found["status"]["message"]
        [one] = (await cluster.client.list(REPLICA_SET, "default")).items
        assert one["spec"]["replicas"] == 4


async def test_a_missing_route_is_told_and_nothing_shrinks() -> None:
    async with laboratory() as cluster:
        await deployed(cluster, canary(scaleDownDelaySeconds=1))
        await cluster.client.delete(HTTP_ROUTE, "default", "web")
        await update(cluster)
        await cluster.reaches(lambda status: status["canary"]["weights"].get("verified") is False)
        await cluster.apply(in_default(http_route()))
        await cluster.reaches(at(1))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(every_third(ServiceUnavailable("down")), id="writes fail"),
        pytest.param(every_third(ServiceUnavailable("down"), lost=True), id="answers are lost"),
        pytest.param(every_third(Conflict("changed")), id="writes conflict"),
    ],
)
async def test_an_update_completes_all_the_same_when(spoil: Callable[[Handle], Handle]) -> None:
    async with laboratory(spoil=spoil) as cluster:
        await deployed(cluster, canary([{"setWeight": 25}, {"setWeight": 75}]))
        before = await cluster.rollout()
        await update(cluster)
        await promoted(cluster, before)
        found = await cluster.client.list(REPLICA_SET, "default")
        assert len(found.items) == 2
