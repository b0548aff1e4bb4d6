"""Experiments against a real API server and the real ReplicaSet controller, on a simulated node."""

import asyncio
import contextlib

import pytest

from drumroll.controllers.replicaset import replicaset_controller
from drumroll.domain.analysis.names import COMPLETED, POD_HASH
from drumroll.objects.clock import now
from drumroll.objects.kinds import ANALYSIS_RUN, EXPERIMENT, POD, REPLICA_SET, SERVICE
from drumroll.rollouts.analysis import analysis_controller
from drumroll.rollouts.experiment import experiment_controller
from tests.analysis.bench import bench, eventually, serving
from tests.controllers.simulation import SimulatedNode

pytestmark = pytest.mark.asyncio


def controllers(caches, client, web):
    return experiment_controller(caches), analysis_controller(caches, client, web, now), replicaset_controller(caches)


@contextlib.asynccontextmanager
async def laboratory(**node):
    async with bench(controllers) as cluster:
        task = asyncio.create_task(SimulatedNode(cluster.client, **node).run())
        yield cluster
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def template(name, image="app:1", **fields):
    labels = {"app": f"exp-{name}"}
    container = {"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"name": name, "replicas": 1, "selector": {"matchLabels": labels}, "template": pod, **fields}


def experiment(*templates, **spec):
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Experiment",
        "metadata": {"name": "exp", "namespace": "default"},
        "spec": {"templates": list(templates), "scaleDownDelaySeconds": 0, **spec},
    }


def analysis_template(url, **metric):
    settings = {"url": f"{url}/{{{{args.hash}}}}", "jsonPath": "{$.value}"}
    spec = {
        "args": [{"name": "hash"}],
        "metrics": [{"name": "m", "successCondition": "result < 5", "provider": {"web": settings}, **metric}],
    }
    meta = {"name": "check", "namespace": "default"}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": meta, "spec": spec}


ANALYSIS = {
    "name": "check",
    "templateName": "check",
    "requiredForCompletion": True,
    "args": [{"name": "hash", "value": "{{templates.canary.podTemplateHash}}"}],
}


async def status_when(cluster, is_so):
    async def status():
        found = (await cluster.client.get(EXPERIMENT, "default", "exp")).get("status") or {}
        return found if is_so(found) else None

    return await eventually(status)


async def ended(cluster):
    return await status_when(cluster, lambda status: status.get("phase") in COMPLETED)


async def listed(cluster, kind):
    return (await cluster.client.list(kind, "default")).items


async def test_versions_run_side_by_side_are_judged_and_go() -> None:
    async with serving() as served, laboratory() as cluster:
        served.always({"value": 1})
        await cluster.client.create(analysis_template(served.url))
        canary, baseline = template("canary", "app:2", service={}), template("baseline", replicas=2)
        await cluster.client.create(experiment(canary, baseline, analyses=[ANALYSIS]))
        status = await ended(cluster)
        assert (status["phase"], status["message"]) == ("Successful", "Required AnalysisRuns completed")
        assert status["analysisRuns"] == [{"name": "check", "phase": "Successful", "analysisRun": "exp-check"}]
        sets = {one["metadata"]["name"]: one for one in await listed(cluster, REPLICA_SET)}
        assert set(sets) == {"exp-canary", "exp-baseline"}
        pod_hash = sets["exp-canary"]["metadata"]["labels"][POD_HASH]
        assert served.requests[0].path == f"/{pod_hash}"

        async def is_gone() -> bool:
            services = [one["metadata"]["name"] for one in await listed(cluster, SERVICE)]
            return not await listed(cluster, POD) and services == ["kubernetes"]

        await eventually(is_gone)
        templates = {one["name"]: one for one in (await ended(cluster))["templateStatuses"]}
        assert {one["status"] for one in templates.values()} <= {"Running", "Successful"}
        assert (await cluster.events("AnalysisRunSuccessful"))[0]


async def test_a_service_of_its_own_reaches_a_template_while_it_runs() -> None:
    async with laboratory() as cluster:
        await cluster.client.create(experiment(template("canary", service={"name": "peek"})))
        status = await status_when(cluster, lambda found: found.get("availableAt"))
        (one,) = status["templateStatuses"]
        service = await cluster.client.get(SERVICE, "default", "peek")
        assert (one["serviceName"], one["status"]) == ("peek", "Running")
        assert service["spec"]["selector"] == {POD_HASH: one["podTemplateHash"]}
        assert [(port["name"], port["port"]) for port in service["spec"]["ports"]] == [("http", 8080)]
        await cluster.client.patch(EXPERIMENT, "default", "exp", {"spec": {"terminate": True}})
        assert (await ended(cluster))["phase"] == "Successful"


async def test_a_duration_ends_it_well() -> None:
    async with laboratory() as cluster:
        await cluster.client.create(experiment(template("canary"), duration="1s"))
        status = await ended(cluster)
        assert (status["phase"], status["templateStatuses"][0]["status"]) == ("Successful", "Successful")
        assert status["conditions"][0]["reason"] == "ExperimentCompleted"


async def test_a_failed_analysis_fails_the_experiment_and_keeps_the_pods_for_the_delay() -> None:
    async with serving() as served, laboratory() as cluster:
        served.always({"value": 9})
        await cluster.client.create(analysis_template(served.url))
        await cluster.client.create(experiment(template("canary"), analyses=[ANALYSIS], scaleDownDelaySeconds=600))
        status = await ended(cluster)
        assert status["phase"] == "Failed"
        assert status["message"] == 'Metric "m" assessed Failed due to failed (1) > failureLimit (0)'

        async def is_marked() -> bool:
            (found,) = await listed(cluster, REPLICA_SET)
            return "scale-down-deadline" in (found["metadata"].get("annotations") or {})

        await eventually(is_marked)
        assert len(await listed(cluster, POD)) == 1


async def test_pods_that_never_come_fail_it_at_the_deadline() -> None:
    async with laboratory(is_good=lambda pod: False) as cluster:
        await cluster.client.create(experiment(template("canary"), progressDeadlineSeconds=1))
        status = await ended(cluster)
        assert (status["phase"], status["message"]) == (
            "Failed",
            "Template 'canary' exceeded its progressDeadlineSeconds (1)",
        )


WRONG = [
    (
        experiment(template("canary"), analyses=[{"name": "check", "templateName": "gone"}]),
        "AnalysisTemplate verification failed for analysis 'check': AnalysisTemplate 'gone' not found",
    ),
    (
        experiment(template("canary", service={"name": "Not A Name"})),
        "Failed to create Service Not A Name for template 'canary': Service",
    ),
]


@pytest.mark.parametrize(("wanted", "message"), WRONG)
async def test_what_cannot_be_made_is_told(wanted, message) -> None:
    async with laboratory() as cluster:
        await cluster.client.create(wanted)
        status = await ended(cluster)
        assert status["phase"] == "Error"
        assert status["message"].startswith(message)


async def test_a_killed_controller_goes_on_with_the_same_parts() -> None:
    async with serving() as served, laboratory() as cluster:
        served.always({"value": 1})
        await cluster.client.create(analysis_template(served.url, interval="1s", count=2))
        await cluster.client.create(experiment(template("canary"), analyses=[ANALYSIS]))
        await status_when(cluster, lambda found: found.get("analysisRuns"))
        await cluster.stop()
        cluster.start()
        assert (await ended(cluster))["phase"] == "Successful"
        assert [one["metadata"]["name"] for one in await listed(cluster, ANALYSIS_RUN)] == ["exp-check"]
        assert len(await listed(cluster, REPLICA_SET)) == 1
