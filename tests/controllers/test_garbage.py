"""What goes with its owner, what stays, and how namespaces end."""

import pytest

from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD, REPLICA_SET, SERVICE_ACCOUNT
from drumroll.objects.meta import Obj
from tests.controllers.simulation import Simulation, deployment, simulate

pytestmark = pytest.mark.asyncio


async def is_gone(cluster: Simulation, kind, namespace: str, name: str) -> bool:
    try:
        await cluster.client.get(kind, namespace, name)
    except NotFound:
        return True
    return False


async def test_everything_below_a_deleted_deployment_goes_in_the_background() -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed()
        await cluster.client.delete(DEPLOYMENT, "default", "web")
        assert await is_gone(cluster, DEPLOYMENT, "default", "web")

        async def is_empty() -> bool:
            return not await cluster.items(REPLICA_SET) and not await cluster.items(POD)

        await cluster.eventually(is_empty)


async def test_in_the_foreground_the_owner_goes_last() -> None:
    async with simulate(ends_after=0.1) as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed()
        await cluster.client.delete(DEPLOYMENT, "default", "web", propagation_policy="Foreground")
        waiting = await cluster.client.get(DEPLOYMENT, "default", "web")
        assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]

        async def is_over() -> bool:
            return await is_gone(cluster, DEPLOYMENT, "default", "web")

        await cluster.eventually(is_over)
        assert await cluster.items(REPLICA_SET) == []
        assert await cluster.items(POD) == []


async def test_orphans_stay_and_are_adopted_again() -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment())
        await cluster.deployed()
        [before] = await cluster.items(REPLICA_SET)
        await cluster.client.delete(DEPLOYMENT, "default", "web", propagation_policy="Orphan")

        async def is_over() -> bool:
            return await is_gone(cluster, DEPLOYMENT, "default", "web")

        await cluster.eventually(is_over)
        [orphan] = await cluster.items(REPLICA_SET)
        assert not orphan["metadata"].get("ownerReferences")
        again = await cluster.client.create(deployment())
        await cluster.deployed()
        [after] = await cluster.items(REPLICA_SET)
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["metadata"]["ownerReferences"][0]["uid"] == again["metadata"]["uid"]


async def test_what_names_an_owner_that_never_was_is_deleted() -> None:
    async with simulate() as cluster:
        owner = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "never",
            "uid": "00000000-0000-0000-0000-000000000000",
        }
        meta = {"name": "lost", "namespace": "default", "ownerReferences": [owner]}
        await cluster.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})

        async def is_over() -> bool:
            return await is_gone(cluster, CONFIG_MAP, "default", "lost")

        await cluster.eventually(is_over)


async def test_a_pod_that_loses_its_label_is_released_and_replaced() -> None:
    async with simulate() as cluster:
        await cluster.client.create(deployment(replicas=2))
        await cluster.deployed()
        [one, _] = await cluster.items(POD)
        name = one["metadata"]["name"]
        await cluster.client.patch(POD, "default", name, {"metadata": {"labels": {"app": "quarantine"}}})

        async def is_replaced() -> bool:
            return len(await cluster.items(POD)) == 3

        await cluster.eventually(is_replaced)
        released = await cluster.client.get(POD, "default", name)
        assert not released["metadata"].get("ownerReferences")


async def test_a_namespace_gets_its_account_and_certificate_and_takes_all_with_it() -> None:
    async with simulate() as cluster:
        await cluster.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})

        async def is_furnished() -> Obj | None:
            accounts = await cluster.items(SERVICE_ACCOUNT, "shop")
            maps = await cluster.items(CONFIG_MAP, "shop")
            return maps[0] if accounts and maps else None

        published = await cluster.eventually(is_furnished)
        assert published["data"] == {"ca.crt": "PEM"}
        web = deployment()
        web["metadata"]["namespace"] = "shop"
        await cluster.client.create(web)

        async def has_pods() -> bool:
            return len(await cluster.items(POD, "shop")) == 4

        await cluster.eventually(has_pods)
        await cluster.client.delete(NAMESPACE, "", "shop")

        async def is_over() -> bool:
            return await is_gone(cluster, NAMESPACE, "", "shop")

        await cluster.eventually(is_over)
        assert await cluster.items(POD, "shop") == []


async def test_a_changed_root_certificate_is_restored() -> None:
    async with simulate() as cluster:

        async def data() -> Obj | None:
            found = [one for one in await cluster.items(CONFIG_MAP) if one["metadata"]["name"] == "kube-root-ca.crt"]
            return found[0].get("data") if found else None

        await cluster.eventually(data)
        await cluster.client.patch(CONFIG_MAP, "default", "kube-root-ca.crt", {"data": {"ca.crt": "evil", "x": "y"}})

        async def is_restored() -> bool:
            return await data() == {"ca.crt": "PEM"}

        await cluster.eventually(is_restored)
