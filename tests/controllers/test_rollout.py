"""Deployments, ReplicaSets and pods on the real API server."""

import pytest

from drumroll.objects.kinds import DEPLOYMENT, POD, REPLICA_SET
from drumroll.objects.meta import annotations_of
from tests.controllers.simulation import deployment, new_image, simulate

pytestmark = pytest.mark.asyncio
REVISION = "deployment.kubernetes.io/revision"


async def test_a_deployment_gets_its_pods_and_reports_that_it_is_complete() -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment())
        found = await cluster.deployed()
        conditions = {one["type"]: (one["status"], one["reason"]) for one in found["status"]["conditions"]}
        assert conditions == {
            "Available": ("True", "MinimumReplicasAvailable"),
            "Progressing": ("True", "NewReplicaSetAvailable"),
        }
        assert annotations_of(found)[REVISION] == "1"
        pods = await cluster.items(POD)
        assert len(pods) == 4


async def test_an_update_goes_through_the_steps_of_the_original() -> None:
    async with simulate(ready_after=0.1) as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed()
        [old] = await cluster.items(REPLICA_SET)
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:2"))
        await cluster.deployed()
        sets = {one["metadata"]["name"]: one["spec"]["replicas"] for one in await cluster.items(REPLICA_SET)}
        before = old["metadata"]["name"]
        [after] = set(sets) - {before}
        assert sets == {before: 0, after: 4}
        assert cluster.node.most_at_once <= 5

        async def has_all() -> list[str]:
            found = await cluster.events("web")
            return found if found[-1].endswith("from 1 to 0") or len(found) >= 8 else []

        events = await cluster.eventually(has_all)
        assert events[:4] == [
            f"Scaled up replica set {before} from 0 to 4",
            f"Scaled up replica set {after} from 0 to 1",
            f"Scaled down replica set {before} from 4 to 3",
            f"Scaled up replica set {after} from 1 to 2",
        ]


async def test_going_back_to_an_earlier_template_reuses_its_replica_set() -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed()
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:2"))
        await cluster.deployed()
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:1"))
        await cluster.deployed()
        revisions = {annotations_of(one)[REVISION] for one in await cluster.items(REPLICA_SET)}
        assert revisions == {"2", "3"}

        async def is_noted() -> bool:
            return annotations_of(await cluster.client.get(DEPLOYMENT, "default", "web"))[REVISION] == "3"

        await cluster.eventually(is_noted)


async def test_a_broken_update_stops_and_undoing_it_repairs() -> None:
    def is_good(pod: dict) -> bool:
        return pod["spec"]["containers"][0]["image"] != "app:broken"

    async with simulate(is_good=is_good) as cluster:
        await cluster.client.create(deployment(progressDeadlineSeconds=1))
        await cluster.deployed()
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:broken"))

        async def has_timed_out() -> dict | None:
            found = await cluster.client.get(DEPLOYMENT, "default", "web")
            reasons = {one["reason"] for one in found["status"]["conditions"]}
            return found if "ProgressDeadlineExceeded" in reasons else None

        stuck = await cluster.eventually(has_timed_out)
        assert stuck["status"]["availableReplicas"] == 3
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:1"))
        await cluster.deployed()


async def test_recreate_ends_all_old_pods_before_it_starts_new_ones() -> None:
    async with simulate(ends_after=0.05) as cluster:
        await cluster.client.create(deployment(strategy={"type": "Recreate"}))
        await cluster.deployed()
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:2"))
        await cluster.deployed()
        images = {one["spec"]["containers"][0]["image"] for one in await cluster.items(POD)}
        assert images == {"app:2"}
        assert cluster.node.most_at_once == 4


async def test_fifty_pods_are_updated_within_the_bounds() -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment(replicas=50))
        await cluster.deployed()
        await cluster.client.patch(DEPLOYMENT, "default", "web", new_image("app:2"))
        await cluster.deployed(timeout=20)
        assert cluster.node.most_at_once <= 50 + 13


async def test_scaling_up_and_down_changes_the_one_replica_set() -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed()
        for size in (8, 2):
            await cluster.client.patch(DEPLOYMENT, "default", "web", {"spec": {"replicas": size}})
            await cluster.deployed()
        assert len(await cluster.items(POD)) == 2
        assert len(await cluster.items(REPLICA_SET)) == 1
