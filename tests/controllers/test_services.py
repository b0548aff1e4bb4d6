"""EndpointSlices and Endpoints follow the pods of a Service."""

from typing import Any

import pytest

from drumroll.objects.kinds import DEPLOYMENT, ENDPOINT_SLICE, ENDPOINTS, POD, SERVICE
from drumroll.objects.meta import Obj
from tests.controllers.simulation import Simulation, deployment, new_image, simulate

pytestmark = pytest.mark.asyncio


def service(**spec: Any) -> Obj:
    ports = [{"name": "web", "port": 80, "targetPort": "http"}]
    meta = {"name": "web", "namespace": "default", "labels": {"tier": "front"}}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"selector": {"app": "web"}, "ports": ports, **spec},
    }


async def slices(cluster: Simulation) -> list[Obj]:
    found = await cluster.items(ENDPOINT_SLICE)
    return [one for one in found if one["metadata"]["labels"].get("kubernetes.io/service-name") == "web"]


async def ready(cluster: Simulation) -> set[str]:
    """The uids of the pods that are ready endpoints."""
    endpoints = [one for part in await slices(cluster) for one in part.get("endpoints") or ()]
    return {one["targetRef"]["uid"] for one in endpoints if one["conditions"]["ready"]}


async def test_a_service_without_pods_has_one_empty_slice_and_endpoints() -> None:
    async with simulate() as cluster:
        await cluster.client.create(service())

        async def has_slice() -> list[Obj]:
            return await slices(cluster)

        [only] = await cluster.eventually(has_slice)
        assert not only.get("endpoints")
        assert only["metadata"]["labels"]["tier"] == "front"


async def test_slices_and_endpoints_hold_the_ready_pods_with_their_named_port() -> None:
    async with simulate() as cluster:
        await cluster.client.create(service())
        await cluster.client.create(deployment())
        await cluster.deployed()
        pods = {pod["metadata"]["uid"] for pod in await cluster.items(POD)}

        async def is_complete() -> bool:
            return await ready(cluster) == pods

        await cluster.eventually(is_complete)
        [only] = await slices(cluster)
        assert only["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]

        async def has_endpoints() -> Obj | None:
            found = await cluster.client.get(ENDPOINTS, "default", "web")
            subsets = found.get("subsets") or [{}]
            return found if len(subsets[0].get("addresses") or ()) == 4 else None

        found = await cluster.eventually(has_endpoints)
        assert found["subsets"][0]["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]


async def test_after_an_update_only_the_new_pods_are_left() -> None:
    async with simulate(ends_after=0.05) as cluster:
        await cluster.client.create(service())
        await cluster.client.create(deployment())
        await cluster.deployed()
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:2"))
        await cluster.deployed()

        async def is_exact() -> bool:
            pods = await cluster.items(POD)
            return len(pods) == 4 and await ready(cluster) == {pod["metadata"]["uid"] for pod in pods}

        await cluster.eventually(is_exact)


async def test_a_switched_selector_moves_the_service_to_the_other_deployment() -> None:
    async with simulate() as cluster:
        for name in ("web", "green"):
            await cluster.client.create(deployment(name, replicas=2))
            await cluster.deployed(name)
        await cluster.client.create(service())
        green = {
            one["metadata"]["uid"] for one in await cluster.items(POD) if one["metadata"]["labels"]["app"] == "green"
        }
        await cluster.client.patch(SERVICE, "default", "web", {"spec": {"selector": {"app": "green"}}})

        async def is_switched() -> bool:
            return await ready(cluster) == green

        await cluster.eventually(is_switched)


async def test_slices_go_with_their_service() -> None:
    async with simulate() as cluster:
        await cluster.client.create(service())

        async def has_slice() -> list[Obj]:
            return await slices(cluster)

        await cluster.eventually(has_slice)
        await cluster.client.delete(SERVICE, "default", "web")

        async def is_over() -> bool:
            return not await slices(cluster) and not [
                one for one in await cluster.items(ENDPOINTS) if one["metadata"]["name"] == "web"
            ]

        await cluster.eventually(is_over)


async def test_more_than_a_hundred_pods_take_several_slices() -> None:
    async with simulate() as cluster:
        await cluster.client.create(service())
        await cluster.client.create(deployment(replicas=130))
        await cluster.deployed(timeout=30)

        async def is_complete() -> bool:
            return len(await ready(cluster)) == 130

        await cluster.eventually(is_complete, timeout=20)
        sizes = sorted(len(one["endpoints"]) for one in await slices(cluster))
        assert sum(sizes) == 130
        assert max(sizes) <= 100
