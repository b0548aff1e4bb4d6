"""Kinds from definitions take part in ownership and in the end of namespaces."""

import pytest

from drumroll.objects.errors import ApiError, NotFound
from drumroll.objects.kinds import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT, NAMESPACE, Kind
from drumroll.objects.meta import Key, Obj
from tests.controllers.simulation import Simulation, deployment, simulate

pytestmark = pytest.mark.asyncio
WIDGET = Kind("example.com", "v1", "Widget", "widgets", "widget")
DEFINITION: Obj = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def widget(name: str, namespace: str = "default", owner: Obj | None = None) -> Obj:
    meta: Obj = {"name": name, "namespace": namespace}
    if owner is not None:
        meta["ownerReferences"] = [reference(owner)]
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta, "spec": {}}


def reference(owner: Obj) -> Obj:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }


async def create(cluster: Simulation, obj: Obj) -> Obj:
    return await cluster.client.create(obj, kind=WIDGET)


async def is_gone(cluster: Simulation, kind: Kind, key: Key) -> bool:
    try:
        await cluster.client.get(kind, key.namespace, key.name)
    except NotFound:
        return True
    return False


async def defined(cluster: Simulation) -> None:
    await cluster.client.create(DEFINITION)


async def test_what_a_custom_resource_owns_goes_with_it_and_the_other_way_round() -> None:
    async with simulate() as cluster:
        await defined(cluster)
        parent = await create(cluster, widget("parent"))
        owned = deployment()
        owned["metadata"]["ownerReferences"] = [reference(parent)]
        made = await cluster.client.create(owned)
        await create(cluster, widget("child", owner=made))
        await cluster.client.delete(WIDGET, "default", "parent")

        async def is_over() -> bool:
            return await is_gone(cluster, DEPLOYMENT, Key("default", "web")) and await is_gone(
                cluster, WIDGET, Key("default", "child")
            )

        await cluster.eventually(is_over)


async def test_one_owner_less_is_taken_from_a_custom_resource() -> None:
    async with simulate() as cluster:
        await defined(cluster)
        one, other = await create(cluster, widget("one")), await create(cluster, widget("other"))
        child = widget("child", owner=one)
        child["metadata"]["ownerReferences"].append(reference(other))
        await create(cluster, child)
        await cluster.client.delete(WIDGET, "default", "one")

        async def is_taken() -> bool:
            found = await cluster.client.get(WIDGET, "default", "child")
            return [owner["name"] for owner in found["metadata"]["ownerReferences"]] == ["other"]

        await cluster.eventually(is_taken)


async def test_what_instances_own_goes_with_their_definition() -> None:
    async with simulate() as cluster:
        await defined(cluster)
        parent = await create(cluster, widget("parent"))
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}
        made["metadata"]["ownerReferences"] = [reference(parent)]
        await cluster.client.create(made)
        await cluster.client.delete(CUSTOM_RESOURCE_DEFINITION, "", "widgets.example.com")

        async def is_over() -> bool:
            return await is_gone(cluster, CONFIG_MAP, Key("default", "c")) and await is_gone(
                cluster, CUSTOM_RESOURCE_DEFINITION, Key("", "widgets.example.com")
            )

        await cluster.eventually(is_over)
        await defined(cluster)  # and it can come again
        parent = await create(cluster, widget("parent"))
        made["metadata"]["ownerReferences"] = [reference(parent)]
        await cluster.client.create(made)
        await cluster.client.delete(WIDGET, "default", "parent")

        async def is_collected() -> bool:
            return await is_gone(cluster, CONFIG_MAP, Key("default", "c"))

        await cluster.eventually(is_collected)


async def test_a_namespace_ends_with_its_custom_resources() -> None:
    async with simulate() as cluster:
        await defined(cluster)
        await cluster.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for name in ("a", "b"):
            await create(cluster, widget(name, "shop"))
        await cluster.client.delete(NAMESPACE, "", "shop")

        async def is_over() -> bool:
            return await is_gone(cluster, NAMESPACE, Key("", "shop"))

        await cluster.eventually(is_over)
        with pytest.raises(ApiError):
            await create(cluster, widget("late", "shop"))
