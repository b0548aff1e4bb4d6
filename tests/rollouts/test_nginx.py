"""Canaries by a second Ingress, by their controller: what waits for the proxy, and what does not."""

from typing import Any

import pytest

from drumroll.domain.gateway import ACKNOWLEDGED
from drumroll.domain.ingress_annotations import acknowledgement_of
from drumroll.objects.kinds import INGRESS
from drumroll.objects.meta import Key, Obj, annotations_of
from tests.domain.rollout_world import routed
from tests.rollouts.laboratory import Laboratory, in_default, laboratory, service
from tests.rollouts.test_canary import at, go_on, update

pytestmark = pytest.mark.asyncio

CANARY = "web-front-canary"
WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"
STEPS: list[Obj] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 100}]


def canary() -> Obj:
    found = in_default(routed(steps=STEPS, scaleDownDelaySeconds=0))
    found["spec"]["strategy"]["canary"]["trafficRouting"] = {"nginx": {"stableIngress": "front"}}
    return found


def front() -> Obj:
    backend = {"service": {"name": "web-stable", "port": {"number": 80}}}
    rule = {"host": "web.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    meta = {"name": "front", "namespace": "default"}
    return {"apiVersion": INGRESS.api_version, "kind": "Ingress", "metadata": meta, "spec": {"rules": [rule]}}


async def deployed(cluster: Laboratory) -> None:
    await cluster.apply(service("web-stable"), service("web-canary"), front(), canary())
    await cluster.phase("Healthy")


async def acknowledge(cluster: Laboratory, name: str, *canaries: Key) -> None:
    """As the proxy does when Envoy holds what the Ingress asks for."""
    found = await cluster.client.get(INGRESS, "default", name)
    notes = {ACKNOWLEDGED: acknowledgement_of(found, canaries)}
    await cluster.client.patch(INGRESS, "default", name, {"metadata": {"annotations": notes}})


def asks(weight: int, *, verified: bool | None) -> Any:
    def is_so(status: Obj) -> bool:
        weights = (status.get("canary") or {}).get("weights") or {}
        return (weights.get("canary") or {}).get("weight") == weight and weights.get("verified") is verified

    return is_so


async def test_where_the_proxy_acknowledges_nothing_goes_on_before_it_has() -> None:
    async with laboratory() as cluster:
        await deployed(cluster)
        await acknowledge(cluster, "front")
        await cluster.reaches(asks(0, verified=True))
        await update(cluster)
        found = await cluster.reaches(asks(20, verified=False))
        assert found["status"]["currentStepIndex"] == 0
        await acknowledge(cluster, CANARY)
        await cluster.reaches(at(1))
        await go_on(cluster)
        found = await cluster.reaches(asks(100, verified=False))
        assert found["status"]["stableRS"] != found["status"]["currentPodHash"]
        made = await cluster.client.get(INGRESS, "default", CANARY)
        assert annotations_of(made)[WEIGHT] == "100"
        assert ACKNOWLEDGED not in annotations_of(made)
        await acknowledge(cluster, CANARY)
        found = await cluster.reaches(asks(0, verified=False))
        assert found["status"]["stableRS"] == found["status"]["currentPodHash"]
        assert found["status"]["replicas"] > 4  # the old pods are there until the weight is back
        await acknowledge(cluster, CANARY)
        await cluster.phase("Healthy")
        await cluster.reaches(lambda status: status["replicas"] == 4)


async def test_where_nobody_acknowledges_the_update_goes_on_as_the_originals() -> None:
    async with laboratory() as cluster:
        await deployed(cluster)
        await update(cluster)
        await cluster.reaches(at(1))
        await go_on(cluster)
        await cluster.reaches(asks(0, verified=None))
        await cluster.phase("Healthy")
        await cluster.reaches(lambda status: status["replicas"] == 4)
