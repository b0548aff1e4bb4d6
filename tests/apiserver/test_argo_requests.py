"""The requests that Argo's own plugin sends, byte by byte, and what they leave behind."""

from pathlib import Path

import pytest
import yaml

from drumroll.objects.wire import JSON_PATCH, MERGE_PATCH
from tests.apiserver.server import Server

pytestmark = pytest.mark.anyio
MANIFEST = Path(__file__).parent / "manifests" / "argo.yaml"
ARGO = "/apis/argoproj.io/v1alpha1/namespaces/default"
SHOP = f"{ARGO}/rollouts/shop"
PAUSED = {
    "phase": "Paused",
    "message": "CanaryPauseStep",
    "controllerPause": True,
    "currentStepIndex": 1,
    "currentPodHash": "new",
    "stableRS": "old",
    "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}],
    "observedGeneration": "1",
    "HPAReplicas": 5,
    "canary": {"currentStepAnalysisRunStatus": {"name": "run", "status": "Inconclusive"}},
}


@pytest.fixture
async def cluster() -> Server:
    server = Server(installs=True)
    await server.api.prepare()
    for sent in yaml.safe_load_all(MANIFEST.read_text()):
        if sent["kind"] != "ClusterAnalysisTemplate":
            await server.made("POST", f"{ARGO}/{sent['kind'].lower()}s", sent)
    await server.made("PATCH", f"{SHOP}/status", {"status": PAUSED})
    return server


async def send(cluster: Server, path: str, body: str, content_type: str = MERGE_PATCH) -> dict:
    agent = {"user_agent": "kubectl-argo-rollouts/v1.9.1", "accept": "application/json, */*"}
    return await cluster.made("PATCH", path, body.encode(), content_type=content_type, **agent)


@pytest.mark.parametrize(
    ("body", "gone", "left"),
    [
        ('{"status":{"pauseConditions":null}}', ["pauseConditions"], {"controllerPause": True}),
        (
            '{"status":{"pauseConditions":null,"currentStepIndex":2}}',
            ["pauseConditions"],
            {"currentStepIndex": 2, "controllerPause": True},
        ),
        (
            '{"status":{"pauseConditions":null,"controllerPause":false,"currentStepIndex":2}}',
            ["pauseConditions"],
            {"currentStepIndex": 2, "controllerPause": False},
        ),
        ('{"status":{"promoteFull":true}}', [], {"promoteFull": True}),
        ('{"status":{"abort":true}}', [], {"abort": True}),
        ('{"status":{"abort":false}}', [], {"abort": False}),
    ],
)
async def test_a_patch_of_the_status_changes_the_status_alone(cluster, body, gone, left):
    before = await cluster.made("GET", SHOP)
    after = await send(cluster, f"{SHOP}/status", body)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert not set(gone) & set(after["status"])
    assert left.items() <= after["status"].items()
    assert after["status"]["observedGeneration"] == "1"


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ('{"spec":{"paused":true}}', "paused", True),
        ('{"spec":{"paused":false}}', "paused", False),
        ('{"spec":{"restartAt":"2026-01-01T00:00:00Z"}}', "restartAt", "2026-01-01T00:00:00Z"),
    ],
)
async def test_a_patch_of_the_spec_makes_a_new_generation(cluster, body, field, value):
    after = await send(cluster, SHOP, body)
    assert after["spec"][field] == value
    assert after["metadata"]["generation"] == 2
    assert after["status"]["phase"] == "Paused"


async def test_a_patch_of_the_object_cannot_reach_its_status(cluster):
    after = await send(cluster, SHOP, '{"spec":{"paused":true},"status":{"abort":true}}')
    assert "abort" not in after["status"]


async def test_undo_replaces_the_template(cluster):
    template = '{"metadata":{"labels":{"app":"shop"}},"spec":{"containers":[{"name":"shop","image":"shop:0"}]}}'
    body = f'[{{"op":"replace","path":"/spec/template","value":{template}}}]'
    after = await send(cluster, SHOP, body, JSON_PATCH)
    assert after["spec"]["template"]["spec"]["containers"] == [{"name": "shop", "image": "shop:0"}]


async def test_set_image_sends_the_whole_object_back(cluster):
    found = await cluster.made("GET", SHOP)
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:9"
    after = await cluster.made("PUT", SHOP, found)
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:9"
    await cluster.refused(409, "PUT", SHOP, found)


async def test_terminate_and_retry_of_runs_and_experiments(cluster):
    run = await send(cluster, f"{ARGO}/analysisruns/by-hand", '{"spec":{"terminate":true}}')
    assert run["spec"]["terminate"] is True
    await send(cluster, f"{ARGO}/experiments/compare", '{"status":{"phase":"Failed"}}')
    again = await send(cluster, f"{ARGO}/experiments/compare", '{"status":null}')
    assert "status" not in again
    await cluster.refused(404, "PATCH", f"{ARGO}/experiments/compare/status", {"status": None})


async def test_the_lists_and_watches_behind_get_watch(cluster):
    for plural in ("rollouts", "analysisruns", "experiments"):
        listed = await cluster.made("GET", f"{ARGO}/{plural}?limit=500&resourceVersion=0")
        revision = listed["metadata"]["resourceVersion"]
        query = f"allowWatchBookmarks=true&resourceVersion={revision}&timeoutSeconds=300&watch=true"
        async with cluster.watching(f"{ARGO}/{plural}?{query}") as watch:
            name = listed["items"][0]["metadata"]["name"]
            await send(cluster, f"{ARGO}/{plural}/{name}", '{"metadata":{"labels":{"seen":"yes"}}}')
            event = await watch.next()
            assert (event["type"], event["object"]["metadata"]["name"]) == ("MODIFIED", name)
