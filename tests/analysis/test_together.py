"""Rollouts, their analyses and experiments with all the real controllers, on a simulated node."""

import asyncio
import contextlib
from copy import deepcopy

import pytest

from drumroll.controllers.endpointslice import endpointslice_controller
from drumroll.controllers.replicaset import replicaset_controller
from drumroll.controllers.services import Rosters
from drumroll.objects.clock import now
from drumroll.objects.kinds import ANALYSIS_RUN, HTTP_ROUTE, ROLLOUT, SERVICE
from drumroll.rollouts.analysis import analysis_controller
from drumroll.rollouts.experiment import experiment_controller
from drumroll.rollouts.rollout import rollout_controller
from drumroll.rollouts.run import wait_served
from tests.analysis.bench import bench, eventually, serving
from tests.controllers.simulation import SimulatedNode

pytestmark = pytest.mark.asyncio


@contextlib.asynccontextmanager
async def cluster_with_everything():
    served = frozenset()

    def controllers(caches, client, web):
        return (
            rollout_controller(caches, served),
            experiment_controller(caches),
            analysis_controller(caches, client, web, now),
            replicaset_controller(caches),
            endpointslice_controller(caches, Rosters(caches)),
        )

    async with bench(controllers, starts=False) as cluster:
        served = await wait_served(cluster.client)
        cluster.start()
        tasks = [asyncio.create_task(SimulatedNode(cluster.client).run()), asyncio.create_task(mesh(cluster.client))]
        yield cluster
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


async def mesh(client):
    """Accepts every route as it is, as a Gateway's controller would."""
    while True:
        for route in (await client.list(HTTP_ROUTE, "default")).items:
            generation = route["metadata"]["generation"]
            condition = {"type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": generation,
                         "lastTransitionTime": "2026-01-01T00:00:00Z", "message": ""}  # fmt: skip
            parent = {"parentRef": {"name": "edge"}, "controllerName": "example.com/x", "conditions": [condition]}
            if (route.get("status") or {}).get("parents") != [parent]:
                patch = {"status": {"parents": [parent]}}
                await client.patch(HTTP_ROUTE, "default", "shop", patch, subresource="status")
        await asyncio.sleep(0.05)


def shop(strategy, version="1"):
    container = {"name": "c", "image": f"shop:{version}", "ports": [{"name": "http", "containerPort": 8080}]}
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": template, "strategy": strategy}
    meta = {"name": "shop", "namespace": "default"}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": meta, "spec": spec}


def service(name):
    spec = {"selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def check(served, **metric):
    settings = {"url": f"{served.url}/{{{{args.hash}}}}", "jsonPath": "{$.value}"}
    spec = {
        "args": [{"name": "hash"}],
        "metrics": [
            {
                "name": "m",
                "successCondition": "result < 5",
                "failureCondition": "result > 8",
                "provider": {"web": settings},
                **metric,
            }
        ],
    }
    meta = {"name": "check", "namespace": "default"}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": meta, "spec": spec}


ANALYSIS = {
    "templates": [{"templateName": "check"}],
    "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
}


async def status_when(cluster, is_so):
    async def status():
        found = (await cluster.client.get(ROLLOUT, "default", "shop")).get("status") or {}
        return found if is_so(found) else None

    return await eventually(status)


def is_healthy(status):
    return status.get("phase") == "Healthy" and status["stableRS"] == status["currentPodHash"]


async def updated(cluster, strategy):
    """The hash of the second version, once its update has begun."""
    await cluster.client.create(shop(strategy))
    first = (await status_when(cluster, is_healthy))["stableRS"]
    await patch(cluster, {"spec": {"template": shop(strategy, "2")["spec"]["template"]}})
    return (await status_when(cluster, lambda found: found.get("currentPodHash") not in (None, first)))[
        "currentPodHash"
    ]


async def patch(cluster, change, subresource=""):
    await cluster.client.patch(ROLLOUT, "default", "shop", change, subresource=subresource)


async def runs(cluster):
    found = (await cluster.client.list(ANALYSIS_RUN, "default")).items
    return {one["metadata"]["name"]: (one.get("status") or {}).get("phase") for one in found}


CANARY = {"canary": {"steps": [{"setWeight": 50}, {"analysis": ANALYSIS}]}}


async def test_a_good_step_goes_on_to_the_end() -> None:
    async with serving() as served, cluster_with_everything() as cluster:
        served.always({"value": 1})
        await cluster.client.create(check(served))
        new = await updated(cluster, CANARY)
        status = await status_when(cluster, lambda found: is_healthy(found) and found["stableRS"] == new)
        assert status["currentStepIndex"] == 2
        assert await runs(cluster) == {f"shop-{new}-2-1": "Successful"}
        assert served.requests[0].path == f"/{new}"


async def test_a_bad_step_aborts_and_a_retry_measures_anew() -> None:
    async with serving() as served, cluster_with_everything() as cluster:
        served.always({"value": 9})
        await cluster.client.create(check(served))
        new = await updated(cluster, CANARY)
        status = await status_when(cluster, lambda found: found.get("phase") == "Degraded")
        why = 'Step-based analysis phase error/failed: Metric "m" assessed Failed due to failed (1) > failureLimit (0)'
        assert status["message"] == f"RolloutAborted: Rollout aborted update to revision 2: {why}"
        assert status["abort"] is True
        served.always({"value": 1})
        await patch(cluster, {"status": {"abort": False}}, "status")
        await status_when(cluster, lambda found: is_healthy(found) and found["stableRS"] == new)
        assert await runs(cluster) == {f"shop-{new}-2-1": "Failed", f"shop-{new}-2-1.1": "Successful"}


async def test_an_inconclusive_step_pauses_and_going_on_measures_anew() -> None:
    async with serving() as served, cluster_with_everything() as cluster:
        served.always({"value": 6})
        await cluster.client.create(check(served))
        new = await updated(cluster, CANARY)
        status = await status_when(cluster, lambda found: found.get("phase") == "Paused")
        assert status["message"] == "InconclusiveAnalysisRun"
        served.always({"value": 1})
        await patch(cluster, {"status": {"pauseConditions": None}}, "status")
        await status_when(cluster, lambda found: is_healthy(found) and found["stableRS"] == new)
        assert await runs(cluster) == {f"shop-{new}-2-1": "Inconclusive", f"shop-{new}-2-1.1": "Successful"}


async def test_background_analysis_aborts_in_the_middle_of_a_pause() -> None:
    strategy = {"canary": {"analysis": ANALYSIS, "steps": [{"setWeight": 50}, {"pause": {}}]}}
    async with serving() as served, cluster_with_everything() as cluster:
        served.in_turn({"value": 1}, {"value": 1}, {"value": 9})
        await cluster.client.create(check(served, interval="1s"))
        new = await updated(cluster, strategy)
        await status_when(cluster, lambda found: found.get("message") == "CanaryPauseStep")
        status = await status_when(cluster, lambda found: found.get("phase") == "Degraded")
        assert "Background analysis phase error/failed: Metric" in status["message"]
        assert await runs(cluster) == {f"shop-{new}-2": "Failed"}


async def test_a_template_that_is_missing_is_told_before_anything_moves() -> None:
    async with serving() as served, cluster_with_everything() as cluster:
        served.always({"value": 1})
        await cluster.client.create(shop(CANARY))
        status = await status_when(cluster, lambda found: found.get("phase") == "Degraded")
        assert "InvalidSpec: spec.strategy.canary.steps[1].analysis.templates[0].templateName" in status["message"]
        assert "AnalysisTemplate 'check' not found" in status["message"]
        await cluster.client.create(check(served))
        await status_when(cluster, is_healthy)


BLUE_GREEN = {
    "blueGreen": {"activeService": "active", "prePromotionAnalysis": ANALYSIS, "postPromotionAnalysis": ANALYSIS}
}


async def active(cluster):
    spec = (await cluster.client.get(SERVICE, "default", "active"))["spec"]
    return spec["selector"].get("rollouts-pod-template-hash")


async def test_blue_green_is_judged_before_and_after_the_switch() -> None:
    async with serving() as served, cluster_with_everything() as cluster:
        served.always({"value": 1})
        await cluster.client.create(check(served))
        await cluster.client.create(service("active"))
        new = await updated(cluster, BLUE_GREEN)
        await status_when(cluster, lambda found: is_healthy(found) and found["stableRS"] == new)
        assert await active(cluster) == new
        assert await runs(cluster) == {f"shop-{new}-2-pre": "Successful", f"shop-{new}-2-post": "Successful"}


async def test_blue_green_goes_back_when_the_analysis_after_the_switch_fails() -> None:
    async with serving() as served, cluster_with_everything() as cluster:
        served.in_turn({"value": 1}, {"value": 9})
        await cluster.client.create(check(served))
        await cluster.client.create(service("active"))
        new = await updated(cluster, BLUE_GREEN)
        status = await status_when(cluster, lambda found: found.get("phase") == "Degraded")
        assert "Blue/green post-promotion analysis phase error/failed" in status["message"]

        async def is_back() -> bool:
            return await active(cluster) == status["stableRS"] != new

        await eventually(is_back)


ROUTE = {
    "apiVersion": HTTP_ROUTE.api_version,
    "kind": "HTTPRoute",
    "metadata": {"name": "shop", "namespace": "default"},
    "spec": {
        "parentRefs": [{"name": "edge"}],
        "rules": [{"backendRefs": [{"name": "stable", "port": 80}, {"name": "canary", "port": 80}]}],
    },
}


async def test_an_experiment_before_the_first_canary_pod_gets_its_part_of_the_traffic() -> None:
    tried = {
        "templates": [{"name": "new", "specRef": "canary", "weight": 20}],
        "analyses": [
            {"name": "check", "templateName": "check", "args": ANALYSIS["args"], "requiredForCompletion": True}
        ],
        "scaleDownDelaySeconds": 0,
    }
    routing = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}}}
    services = {"canaryService": "canary", "stableService": "stable"}
    strategy = {"canary": {**services, "trafficRouting": routing, "steps": [{"experiment": tried}, {"setWeight": 50}]}}
    async with serving() as served, cluster_with_everything() as cluster:
        served.in_turn({"value": 6}, {"value": 1})
        await cluster.client.create(check(served, interval="1s", inconclusiveLimit=100, consecutiveSuccessLimit=1))
        for name in services.values():
            await cluster.client.create(service(name))
        await cluster.client.create(deepcopy(ROUTE))
        new = await updated(cluster, strategy)

        async def weights():
            (rule,) = (await cluster.client.get(HTTP_ROUTE, "default", "shop"))["spec"]["rules"]
            found = {one["name"]: one.get("weight") for one in rule["backendRefs"]}
            return found if len(found) == 3 else None

        assert await eventually(weights) == {"stable": 80, "canary": 0, f"shop-{new}-2-0-new": 20}
        await status_when(cluster, lambda found: is_healthy(found) and found["stableRS"] == new)
        assert await weights() is None


@contextlib.asynccontextmanager
async def killing(cluster, pause):
    """Kills the controllers again and again, each time a little later: also a busy machine gets somewhere."""

    over = asyncio.Event()  # not a cancellation: one that comes during a kill would be taken for the controllers' own

    async def kill() -> None:
        seconds = pause
        while not over.is_set():
            await asyncio.sleep(seconds)
            await cluster.stop()
            cluster.start()
            seconds *= 1.1

    killer = asyncio.create_task(kill())
    try:
        yield
    finally:
        over.set()
        await killer


@pytest.mark.parametrize("pause", [0.02, 0.05, 0.11])
async def test_controllers_that_are_killed_all_the_time_come_to_the_same_end(pause) -> None:
    strategy = {
        "canary": {"analysis": ANALYSIS, "steps": [{"setWeight": 50}, {"analysis": ANALYSIS}, {"setWeight": 80}]}
    }
    async with serving() as served, cluster_with_everything() as cluster:
        served.always({"value": 1})
        await cluster.client.create(check(served))
        await cluster.client.create(shop(strategy))
        first = (await status_when(cluster, is_healthy))["stableRS"]
        async with killing(cluster, pause):
            await patch(cluster, {"spec": {"template": shop(strategy, "2")["spec"]["template"]}})
            status = await status_when(cluster, lambda found: is_healthy(found) and found["stableRS"] != first)
        new = status["stableRS"]
        assert await runs(cluster) == {f"shop-{new}-2": "Successful", f"shop-{new}-2-1": "Successful"}
