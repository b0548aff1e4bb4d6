"""Budgets, quotas, replication controllers and mirrored endpoints, with the real API server and controllers."""

from typing import Any

import pytest

from drumroll.objects.errors import TooManyRequests
from drumroll.objects.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    ENDPOINTS,
    POD,
    POD_DISRUPTION_BUDGET,
    REPLICATION_CONTROLLER,
    RESOURCE_QUOTA,
)
from drumroll.objects.meta import Obj, is_deleting
from tests.controllers.simulation import Simulation, deployment, simulate

pytestmark = pytest.mark.asyncio


def made(api_version: str, kind: str, name: str, **more: Any) -> Obj:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, **more}


def budget(**spec: Any) -> Obj:
    return made("policy/v1", "PodDisruptionBudget", "b", spec={"selector": {"matchLabels": {"app": "web"}}, **spec})


async def status_is(cluster: Simulation, **expected: int) -> Obj:
    """The budget's status, once it says what is expected."""

    async def found() -> Obj | None:
        status = (await cluster.client.get(POD_DISRUPTION_BUDGET, "default", "b")).get("status") or {}
        is_so = all((status.get(name) or 0) == value for name, value in expected.items())
        return status if is_so and status.get("observedGeneration") else None

    return await cluster.eventually(found)


def eviction(pod: Obj) -> Obj:
    return made("policy/v1", "Eviction", pod["metadata"]["name"])


@pytest.mark.parametrize(
    ("spec", "desired"),
    [
        ({"minAvailable": 3}, 3),
        ({"minAvailable": "50%"}, 2),
        ({"minAvailable": "51%"}, 3),
        ({"maxUnavailable": 1}, 3),
        ({"maxUnavailable": "30%"}, 2),
    ],
)
async def test_a_budget_counts_the_pods_that_it_selects(spec: Obj, desired: int) -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed()
        await cluster.client.create(budget(**spec))
        status = await status_is(cluster, currentHealthy=4, expectedPods=4, desiredHealthy=desired)
        assert status["disruptionsAllowed"] == 4 - desired
        [condition] = status["conditions"]
        assert (condition["type"], condition["reason"]) == ("DisruptionAllowed", "SufficientPods")


async def test_evictions_go_as_far_as_the_budget_and_on_when_pods_are_back() -> None:
    async with simulate(ends_after=0.3) as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed()
        await cluster.client.create(budget(minAvailable=3))
        await status_is(cluster, disruptionsAllowed=1)
        first, second, *_ = await cluster.items(POD)
        await cluster.client.create(eviction(first), subresource="eviction")
        with pytest.raises(TooManyRequests, match="violate the pod's disruption budget"):
            await cluster.client.create(eviction(second), subresource="eviction")
        await status_is(cluster, disruptionsAllowed=1, currentHealthy=4)
        await cluster.client.create(eviction(second), subresource="eviction")


async def test_no_disruption_is_allowed_while_pods_are_not_ready() -> None:
    async with simulate(is_good=lambda pod: False) as cluster:
        await cluster.client.create(deployment())
        await cluster.client.create(budget(maxUnavailable=1))
        status = await status_is(cluster, expectedPods=4, desiredHealthy=3, currentHealthy=0)
        assert status["disruptionsAllowed"] == 0
        assert status["conditions"][0]["reason"] == "InsufficientPods"


async def test_a_replication_controller_keeps_its_pods() -> None:
    template = {"metadata": {"labels": {"app": "rc"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    async with simulate() as cluster:
        await cluster.client.create(
            made("v1", "ReplicationController", "rc", spec={"replicas": 3, "template": template})
        )

        async def counts(wanted: int) -> bool:
            found = await cluster.client.get(REPLICATION_CONTROLLER, "default", "rc")
            status, pods = found.get("status") or {}, await cluster.items(POD)
            alive = [pod for pod in pods if not is_deleting(pod)]
            return len(alive) == wanted == status.get("replicas") == (status.get("availableReplicas") or 0)

        await cluster.eventually(lambda: counts(3))
        [owner] = (await cluster.items(POD))[0]["metadata"]["ownerReferences"]
        assert (owner["apiVersion"], owner["kind"], owner["name"]) == ("v1", "ReplicationController", "rc")
        await cluster.client.patch(
            REPLICATION_CONTROLLER, "default", "rc", {"spec": {"replicas": 1}}, subresource="scale"
        )
        await cluster.eventually(lambda: counts(1))
        await cluster.client.delete(REPLICATION_CONTROLLER, "default", "rc", propagation_policy="Background")

        async def is_empty() -> bool:
            return not await cluster.items(POD)

        await cluster.eventually(is_empty)


async def test_a_quota_gives_back_what_is_deleted() -> None:
    async with simulate() as cluster:
        await cluster.client.create(
            made("v1", "ResourceQuota", "q", spec={"hard": {"pods": "3", "count/configmaps": "9"}})
        )
        await cluster.client.create(deployment(replicas=5))

        async def used(name: str) -> str:
            found = await cluster.client.get(RESOURCE_QUOTA, "default", "q")
            return str(((found.get("status") or {}).get("used") or {}).get(name))

        async def is_full() -> bool:
            return await used("pods") == "3" and len(await cluster.items(POD)) == 3

        await cluster.eventually(is_full)
        owner = (await cluster.items(POD))[0]["metadata"]["ownerReferences"][0]["name"]

        async def is_told() -> bool:
            expected = "exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3"
            return any(expected in message for message in await cluster.events(owner))

        await cluster.eventually(is_told)
        await cluster.client.patch(RESOURCE_QUOTA, "default", "q", {"spec": {"hard": {"pods": "5"}}})
        assert (await cluster.deployed())["status"]["availableReplicas"] == 5
        await cluster.client.patch(DEPLOYMENT, "default", "web", {"spec": {"replicas": 2}})

        async def is_back() -> bool:
            return await used("pods") == "2"

        await cluster.eventually(is_back)


async def mirrored(cluster: Simulation) -> list[Obj]:
    found = await cluster.items(ENDPOINT_SLICE)
    return [one for one in found if one["metadata"].get("labels", {}).get("kubernetes.io/service-name") == "out"]


async def test_endpoints_kept_by_hand_are_mirrored() -> None:
    async with simulate() as cluster:
        await cluster.client.create(made("v1", "Service", "out", spec={"ports": [{"port": 80}]}))
        subset = {
            "addresses": [{"ip": "10.1.1.1"}],
            "notReadyAddresses": [{"ip": "10.1.1.2"}],
            "ports": [{"port": 8080}],
        }
        await cluster.client.create(made("v1", "Endpoints", "out", subsets=[subset]))

        async def addresses(*expected: tuple[str, bool]) -> bool:
            found = [end for one in await mirrored(cluster) for end in one["endpoints"]]
            return [(end["addresses"][0], end["conditions"]["ready"]) for end in found] == list(expected)

        await cluster.eventually(lambda: addresses(("10.1.1.1", True), ("10.1.1.2", False)))
        [one] = await mirrored(cluster)
        assert one["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
        assert one["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == (
            "endpointslicemirroring-controller.k8s.io"
        )
        await cluster.client.patch(ENDPOINTS, "default", "out", {"subsets": [{"addresses": [{"ip": "10.1.1.3"}]}]})
        await cluster.eventually(lambda: addresses(("10.1.1.3", True)))
        label = {"metadata": {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}}
        await cluster.client.patch(ENDPOINTS, "default", "out", label)
        await cluster.eventually(addresses)


async def test_endpoints_of_a_service_with_a_selector_are_not_mirrored() -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment("out"))
        await cluster.client.create(
            made("v1", "Service", "out", spec={"selector": {"app": "out"}, "ports": [{"port": 80}]})
        )
        await cluster.deployed("out")

        async def has_endpoints() -> bool:
            found = await cluster.items(ENDPOINTS)
            return any(len(part.get("addresses") or ()) == 4 for one in found for part in one.get("subsets") or ())

        await cluster.eventually(has_endpoints)
        assert len(await mirrored(cluster)) == 1
