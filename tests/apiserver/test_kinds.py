"""Kinds beside the first ones: two versions of autoscalers, warnings, evictions."""

import pytest

from drumroll.objects.wire import Request
from tests.apiserver.server import PODS

pytestmark = pytest.mark.asyncio
OLD = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
NEW = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def cpu(share):
    target = {"type": "Utilization", "averageUtilization": share}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


async def test_an_autoscaler_is_one_object_in_two_versions(server):
    spec = {"maxReplicas": 3, "scaleTargetRef": TARGET, "targetCPUUtilizationPercentage": 60}
    made = await server.made("POST", OLD, {"metadata": {"name": "a"}, "spec": spec})
    assert (made["apiVersion"], made["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 60)
    newer = await server.made("GET", f"{NEW}/a")
    assert (newer["apiVersion"], newer["spec"]["metrics"], newer["spec"]["minReplicas"]) == (
        "autoscaling/v2",
        [cpu(60)],
        1,
    )
    await server.made("PATCH", f"{OLD}/a", {"spec": {"targetCPUUtilizationPercentage": 70}})
    assert (await server.made("GET", f"{NEW}/a"))["spec"]["metrics"] == [cpu(70)]
    listed = await server.made("GET", OLD)
    assert [item["spec"]["targetCPUUtilizationPercentage"] for item in listed["items"]] == [70]
    await server.made("PUT", f"{OLD}/a", {**await server.made("GET", f"{OLD}/a"), "spec": {**spec, "maxReplicas": 9}})
    assert (await server.made("GET", f"{NEW}/a"))["spec"]["maxReplicas"] == 9
    await server.made("DELETE", f"{OLD}/a")
    assert (await server.made("GET", NEW))["items"] == []


async def test_what_the_old_version_has_no_field_for_survives_it(server):
    pods = {
        "type": "Pods",
        "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "5"}},
    }
    memory = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
    }
    behavior = {"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 9}]}}
    spec = {"maxReplicas": 3, "scaleTargetRef": TARGET, "metrics": [pods, cpu(50), memory], "behavior": behavior}
    before = await server.made("POST", NEW, {"metadata": {"name": "a"}, "spec": spec})
    shown = await server.made("GET", f"{OLD}/a")
    assert "autoscaling.alpha.kubernetes.io/behavior" in shown["metadata"]["annotations"]
    await server.made("PUT", f"{OLD}/a", shown)
    after = await server.made("GET", f"{NEW}/a")
    assert after["spec"]["behavior"] == before["spec"]["behavior"]
    assert sorted(after["spec"]["metrics"], key=str) == sorted(before["spec"]["metrics"], key=str)
    assert "annotations" not in after["metadata"]


async def test_both_versions_are_printed_alike(server):
    spec = {"maxReplicas": 3, "scaleTargetRef": TARGET}
    await server.made("POST", NEW, {"metadata": {"name": "a"}, "spec": spec})
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    cells = [(await server.made("GET", path, accept=accept))["rows"][0]["cells"] for path in (OLD, NEW)]
    assert cells[0] == cells[1]


async def test_what_has_no_controller_says_so(server):
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    job = {"metadata": {"name": "j"}, "spec": {"template": {"spec": pod}}}
    response = await server.send("POST", "/apis/batch/v1/namespaces/default/jobs", job)
    warning = 'Job \\"j\\" is stored, but no controller acts on it in this version of Drumroll'
    assert ("Warning", f'299 - "{warning}"') in response.headers


async def test_a_job_selects_its_own_pods(server):
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    made = await server.made(
        "POST",
        "/apis/batch/v1/namespaces/default/jobs",
        {"metadata": {"name": "j"}, "spec": {"template": {"spec": pod}}},
    )
    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert made["spec"]["template"]["metadata"]["labels"]["job-name"] == "j"


async def test_the_old_endpoints_are_deprecated_in_every_answer(server):
    path = "/api/v1/namespaces/default/endpoints"
    for response in (await server.send("GET", path), await server.send("POST", path, {"metadata": {"name": "e"}})):
        assert any(name == "Warning" and "v1.33+" in value for name, value in response.headers)


async def test_a_name_with_dots_is_warned_about(server):
    pod = {"metadata": {"name": "a.b"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    response = await server.send("POST", PODS, pod)
    assert any("a DNS label is recommended" in value for _, value in response.headers)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("true", True), ("True", True), ("1", True), ("", True), ("false", False), ("False", False), ("0", False)],
)
async def test_a_flag_is_true_unless_it_says_no(query, expected):
    assert Request("GET", "/", (("watch", query),)).flag("watch") is expected
    assert Request("GET", "/").flag("watch") is False


async def running_pod(server, name, ready=True):
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"}
    await server.made("POST", PODS, {"metadata": {"name": name, "labels": {"app": "x"}}, "spec": spec})
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    await server.made("PATCH", f"{PODS}/{name}/status", {"status": {"phase": "Running", "conditions": [condition]}})


def eviction(name):
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}


async def budget(server, name="b", status=None, **spec):
    await server.made(
        "POST", BUDGETS, {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": "x"}}, **spec}}
    )
    if status:
        await server.made("PATCH", f"{BUDGETS}/{name}/status", {"status": {"observedGeneration": 1, **status}})


async def test_an_eviction_waits_until_the_budget_was_looked_at(server):
    await running_pod(server, "p")
    await budget(server, minAvailable=1)
    status, answer = await server.call("POST", f"{PODS}/p/eviction", eviction("p"))
    assert (status, answer["details"]["retryAfterSeconds"]) == (429, 10)
    assert "still being processed" in answer["details"]["causes"][0]["message"]


async def test_an_eviction_that_is_only_tried_takes_nothing(server):
    await running_pod(server, "p")
    await budget(server, status={"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1}, minAvailable=1)
    await server.made("POST", f"{PODS}/p/eviction?dryRun=All", eviction("p"))
    assert (await server.made("GET", f"{BUDGETS}/b"))["status"]["disruptionsAllowed"] == 1


@pytest.mark.parametrize(
    ("policy", "healthy", "expected"),
    [("IfHealthyBudget", 1, 201), ("IfHealthyBudget", 0, 429), ("AlwaysAllow", 0, 201)],
)
async def test_a_pod_that_is_not_ready_goes_as_the_policy_says(server, policy, healthy, expected):
    await running_pod(server, "p", ready=False)
    status = {"disruptionsAllowed": 0, "currentHealthy": healthy, "desiredHealthy": 1}
    await budget(server, status=status, minAvailable=1, unhealthyPodEvictionPolicy=policy)
    assert (await server.call("POST", f"{PODS}/p/eviction", eviction("p")))[0] == expected


async def test_two_budgets_for_one_pod_are_too_many(server):
    await running_pod(server, "p")
    await budget(server, "a", minAvailable=1)
    await budget(server, "b", minAvailable=1)
    assert "more than one PodDisruptionBudget" in await server.refused(500, "POST", f"{PODS}/p/eviction", eviction("p"))
