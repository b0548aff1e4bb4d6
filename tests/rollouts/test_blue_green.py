"""Blue/green, restarts and workloads by their controller, on the real API server with the rights of the manifest."""

from typing import Any

import pytest

from drumroll.objects.clock import now
from drumroll.objects.kinds import DEPLOYMENT, POD, POD_DISRUPTION_BUDGET, ROLLOUT, SERVICE
from drumroll.objects.meta import Obj, is_deleting, timestamp
from tests.controllers.simulation import deployment
from tests.domain.blue_green_world import blue_green
from tests.rollouts.laboratory import CONTROLLER, Laboratory, in_default, laboratory, service
from tests.rollouts.test_canary import go_on, update

pytestmark = pytest.mark.asyncio
HASH = "rollouts-pod-template-hash"


async def deployed(cluster: Laboratory, **strategy: Any) -> Obj:
    await cluster.apply(service("active"), service("preview"), in_default(blue_green(**strategy)))
    return await cluster.phase("Healthy")


async def led(cluster: Laboratory, name: str) -> str:
    found = await cluster.client.get(SERVICE, "default", name)
    return str(found["spec"]["selector"].get(HASH, ""))


async def pods(cluster: Laboratory) -> dict[str, Obj]:
    found = (await cluster.client.list(POD)).items
    return {pod["metadata"]["name"]: pod for pod in found if not is_deleting(pod)}


async def change(cluster: Laboratory, **spec: Any) -> None:
    await cluster.client.patch(ROLLOUT, "default", "web", {"spec": spec})


async def test_an_update_is_looked_at_promoted_and_undone_and_the_services_are_given_back() -> None:
    metadata = {"activeMetadata": {"labels": {"role": "active"}}, "previewMetadata": {"labels": {"role": "preview"}}}
    async with laboratory(user=CONTROLLER) as cluster:
        first = (await deployed(cluster, autoPromotionEnabled=False, **metadata))["status"]["stableRS"]
        await a_second_later(cluster)  # ages are told by whole seconds
        await update(cluster)
        second = (await cluster.phase("Paused", "BlueGreenPause"))["status"]["currentPodHash"]
        assert (await led(cluster, "active"), await led(cluster, "preview")) == (first, second)
        roles = {
            pod["metadata"]["labels"][HASH]: pod["metadata"]["labels"].get("role")
            for pod in (await pods(cluster)).values()
        }
        assert roles == {first: "active", second: "preview"}
        await cluster.restart()
        await go_on(cluster)
        await cluster.reaches(lambda status: status.get("stableRS") == second)
        assert await led(cluster, "active") == second
        await update(cluster, "v1")
        await cluster.reaches(lambda status: status.get("stableRS") == first)
        assert await led(cluster, "active") == first
        await cluster.client.delete(ROLLOUT, "default", "web")

        async def is_free() -> bool:
            return await led(cluster, "active") == "" == await led(cluster, "preview")

        await eventually(is_free)


async def eventually(is_so: Any) -> None:
    import asyncio

    async with asyncio.timeout(30):
        while not await is_so():
            await asyncio.sleep(0.02)


async def a_second_later(cluster: Laboratory) -> None:
    """Until every pod was made in a second that is over."""

    async def is_over() -> bool:
        return max(pod["metadata"]["creationTimestamp"] for pod in (await pods(cluster)).values()) < timestamp(now())

    await eventually(is_over)


async def test_a_restart_asks_the_budget() -> None:
    async with laboratory(user=CONTROLLER) as cluster:
        await deployed(cluster)
        selector = {"matchLabels": {"app": "web"}}
        meta = {"name": "b", "namespace": "default"}
        body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta}
        await cluster.client.create({**body, "spec": {"selector": selector, "maxUnavailable": 0}})

        async def is_counted() -> bool:
            found = await cluster.client.get(POD_DISRUPTION_BUDGET, "default", "b")
            return (found.get("status") or {}).get("expectedPods") == 3

        await eventually(is_counted)
        before = set(await pods(cluster))
        await a_second_later(cluster)
        moment = timestamp(now())
        await change(cluster, restartAt=moment)
        await cluster.phase("Progressing", "rollout is restarting")

        async def was_refused() -> bool:
            events = await cluster.client.raw("/api/v1/namespaces/default/events")
            return b"RolloutPodRestarted" in events

        await eventually(was_refused)
        assert set(await pods(cluster)) == before
        await cluster.client.patch(POD_DISRUPTION_BUDGET, "default", "b", {"spec": {"maxUnavailable": 1}})
        await cluster.reaches(lambda status: status.get("restartedAt") == moment)
        await cluster.phase("Healthy")
        assert not before & set(await pods(cluster))


async def test_a_deployment_is_taken_over_pod_by_pod() -> None:
    async with laboratory(user=CONTROLLER) as cluster:
        old = deployment()
        await cluster.apply(service("active"), old)
        name, wanted = old["metadata"]["name"], old["spec"]["replicas"]
        one = in_default(blue_green())
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "scaleDown": "progressively"}
        one["spec"] = {
            "replicas": wanted,
            "workloadRef": reference,
            "strategy": {"blueGreen": {"activeService": "active"}},
        }
        await cluster.apply(one)
        await cluster.phase("Healthy")

        async def is_down() -> bool:
            return (await cluster.client.get(DEPLOYMENT, "default", name))["spec"]["replicas"] == 0

        await eventually(is_down)
        found = await cluster.rollout()
        assert (found["status"]["availableReplicas"], found["status"]["workloadObservedGeneration"]) >= (wanted, "1")
