"""Controllers that are ended in mid-work, and an API server that fails or whose answers get lost."""

import asyncio
from collections.abc import Callable

import orjson
import pytest

from drumroll.objects.errors import ApiError, Conflict, Forbidden, ServiceUnavailable
from drumroll.objects.kinds import DEPLOYMENT, POD, REPLICA_SET
from drumroll.objects.meta import Obj
from drumroll.objects.wire import Request, Response
from tests.controllers.simulation import Handle, deployment, new_image, simulate

pytestmark = pytest.mark.asyncio


def refuse(error: ApiError) -> Response:
    return Response(error.code, orjson.dumps(error.to_status()))


def every_third(error: ApiError, *, lost: bool = False) -> Callable[[Handle], Handle]:
    """Each third write fails; `lost` means that it is done all the same and only its answer is lost."""

    def spoil(handle: Handle) -> Handle:
        writes = 0

        async def spoiled(request: Request) -> Response:
            nonlocal writes
            if request.method != "GET":
                writes += 1
                if writes % 3 == 0:
                    if lost:
                        await handle(request)
                    return refuse(error)
            return await handle(request)

        return spoiled

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(every_third(ServiceUnavailable("down")), id="writes fail"),
        pytest.param(every_third(ServiceUnavailable("down"), lost=True), id="answers are lost"),
        pytest.param(every_third(Conflict("changed")), id="writes conflict"),
    ],
)
async def test_an_update_completes_all_the_same(spoil: Callable[[Handle], Handle]) -> None:
    async with simulate(spoil) as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed(timeout=20)
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:2"))
        await cluster.deployed(timeout=20)

        async def is_exact() -> bool:
            images = [pod["spec"]["containers"][0]["image"] for pod in await cluster.items(POD)]
            return images == ["app:2"] * 4

        await cluster.eventually(is_exact)


async def test_restarted_again_and_again_the_controllers_finish_an_update_within_the_bounds() -> None:
    async with simulate(ready_after=0.05) as cluster:
        await cluster.client.create(deployment(replicas=8))
        await cluster.deployed()
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:2"))
        for _ in range(10):
            await asyncio.sleep(0.03)  # somewhere in the middle, wherever that is
            await cluster.restart_controllers()
        await cluster.deployed(timeout=20)
        assert cluster.node.most_at_once <= 8 + 2
        assert len(await cluster.items(REPLICA_SET)) == 2


async def test_a_quota_is_told_and_when_it_is_lifted_the_pods_come() -> None:
    is_full = True

    def spoil(handle: Handle) -> Handle:
        async def spoiled(request: Request) -> Response:
            if is_full and request.method == "POST" and request.path.endswith("/pods"):
                return refuse(Forbidden("pods is forbidden: exceeded quota"))
            return await handle(request)

        return spoiled

    async with simulate(spoil) as cluster:
        await cluster.client.create(deployment())

        async def failure() -> Obj | None:
            found = await cluster.client.get(DEPLOYMENT, "default", "web")
            conditions = found.get("status", {}).get("conditions", ())
            return next((one for one in conditions if one["type"] == "ReplicaFailure"), None)

        told = await cluster.eventually(failure)
        assert told["message"] == "pods is forbidden: exceeded quota"
        assert told["reason"] == "FailedCreate"
        is_full = False
        found = await cluster.deployed(timeout=20)

        async def is_lifted() -> bool:
            return await failure() is None

        await cluster.eventually(is_lifted)
        assert found["status"]["availableReplicas"] == 4


async def test_a_paused_deployment_waits_until_it_is_resumed() -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed()
        await cluster.client.patch(DEPLOYMENT, "default", "web", {"spec": {"paused": True}})
        changed = await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:2"))

        async def is_noticed() -> bool:
            found = await cluster.client.get(DEPLOYMENT, "default", "web")
            return found["status"]["observedGeneration"] == changed["metadata"]["generation"]

        await cluster.eventually(is_noticed)
        assert len(await cluster.items(REPLICA_SET)) == 1
        await cluster.client.patch(DEPLOYMENT, "default", "web", {"spec": {"paused": None}})
        await cluster.deployed()
        assert len(await cluster.items(REPLICA_SET)) == 2
