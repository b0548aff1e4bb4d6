"""What an Ingress's annotation says is in force is in force: a real Envoy answers so from then on."""

import json
import socket

import pytest

from drumroll.objects.kinds import INGRESS
from drumroll.objects.wire import APPLY_PATCH
from tests.proxy.cluster import eventually
from tests.proxy.quick import endpoint, shares
from tests.proxy.test_ingress import NGINX, ingress, rule, shops

pytestmark = pytest.mark.asyncio

HOST, ACKNOWLEDGED = "shop.test", "drumroll.dev/Acknowledged"
TO_ONE, TO_TWO = rule(HOST, ("/", "Prefix", "one")), rule(HOST, ("/", "Prefix", "two"))


async def told(cluster, name):
    """What the proxy has acknowledged of the Ingress; None for nothing."""
    found = await cluster.client.get(INGRESS, "default", name)
    text = found["metadata"].get("annotations", {}).get(ACKNOWLEDGED)
    return None if text is None else json.loads(text)


async def becomes(cluster, name, expected):
    async def look():
        return await told(cluster, name) == expected

    await eventually(look)


async def annotate(cluster, name, **notes):
    """Change annotations of ingress-nginx, and withdraw what was acknowledged, as the Rollouts' controller does."""
    named = {NGINX + key.replace("_", "-"): value for key, value in notes.items()}
    await cluster.client.patch(INGRESS, "default", name, {"metadata": {"annotations": {**named, ACKNOWLEDGED: None}}})


async def canary(cluster, weight):
    await ingress(cluster, "beside", TO_TWO, notes={NGINX + "canary": "true", NGINX + "canary-weight": weight})


async def served(cluster, n=40):
    answers = await shares(cluster.network.listen, cluster.network.http_port, HOST, n)
    return set(answers)


async def test_a_canarys_weight_is_in_force_when_it_is_acknowledged(cluster):
    async with endpoint(cluster, "one", 1), endpoint(cluster, "two", 2):
        await ingress(cluster, "front", TO_ONE)
        await becomes(cluster, "front", {"generation": 1})
        await canary(cluster, "0")
        for weight, name in [("100", "two"), ("0", "one")] * 5:
            await annotate(cluster, "beside", canary_weight=weight)
            await becomes(cluster, "beside", {"generation": 1, "canary": "true", "canary-weight": weight})
            assert await served(cluster) == {name}
        assert await told(cluster, "front") == {"generation": 1, "canaries": ["default/beside"]}
        await annotate(cluster, "beside", canary_weight="100")
        await becomes(cluster, "beside", {"generation": 1, "canary": "true", "canary-weight": "100"})
        await cluster.client.delete(INGRESS, "default", "beside")
        await becomes(cluster, "front", {"generation": 1})
        assert await served(cluster) == {"one"}


async def test_another_generation_is_acknowledged_anew_and_without_a_loop_of_writes(cluster):
    await shops(cluster, "one", "two")
    await ingress(cluster, "front", TO_ONE)
    await becomes(cluster, "front", {"generation": 1})
    await cluster.client.patch(INGRESS, "default", "front", {"spec": {"rules": [TO_TWO]}})
    await becomes(cluster, "front", {"generation": 2})
    await cluster.service("three")
    await ingress(cluster, "other", rule("other.test", ("/", "Prefix", "three")))
    await becomes(cluster, "other", {"generation": 1})
    before = (await cluster.client.get(INGRESS, "default", "front"))["metadata"]["resourceVersion"]
    await ingress(cluster, "third", rule("third.test", ("/", "Prefix", "three")))
    await becomes(cluster, "third", {"generation": 1})
    assert (await cluster.client.get(INGRESS, "default", "front"))["metadata"]["resourceVersion"] == before


async def test_who_applies_the_manifest_again_meets_no_conflict_and_takes_nothing_away(cluster):
    await shops(cluster, "one")
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
    manifest = {**head, "metadata": {"namespace": "default", "name": "front"}, "spec": {"rules": [TO_ONE]}}

    async def apply():
        path, query = INGRESS.path("default", "front"), (("fieldManager", "me"),)
        return await cluster.client._call("PATCH", path, query, body=manifest, content_type=APPLY_PATCH)

    await apply()
    await becomes(cluster, "front", {"generation": 1})
    before = await cluster.client.get(INGRESS, "default", "front")
    after = await apply()
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]


async def test_an_ingress_that_another_controller_takes_over_no_longer_looks_like_ours(cluster):
    await shops(cluster, "one")
    await ingress(cluster, "front", TO_ONE, notes={"kubernetes.io/ingress.class": "nginx"})
    await ingress(cluster, "theirs", rule("x.test", ("/", "Prefix", "one")), ingressClassName="theirs")
    await becomes(cluster, "front", {"generation": 1})
    other = {"metadata": {"annotations": {"kubernetes.io/ingress.class": "theirs"}}}
    await cluster.client.patch(INGRESS, "default", "front", other)
    await becomes(cluster, "front", None)
    assert await told(cluster, "theirs") is None


async def test_a_port_that_cannot_be_had_holds_nothing_up(cluster):
    await shops(cluster, "one")
    with socket.create_server((cluster.network.listen, cluster.network.https_port)):
        await ingress(cluster, "front", TO_ONE)
        await becomes(cluster, "front", {"generation": 1})


async def test_what_another_ingress_has_is_not_acknowledged(cluster):
    await shops(cluster, "one", "two")
    await ingress(cluster, "front", TO_ONE)
    await becomes(cluster, "front", {"generation": 1})
    await ingress(cluster, "taken", TO_TWO)
    await ingress(cluster, "third", rule("third.test", ("/", "Prefix", "two")))
    await becomes(cluster, "third", {"generation": 1})
    assert await told(cluster, "taken") is None
