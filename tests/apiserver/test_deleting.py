"""Deleting: at once, with grace, held by finalizers, by the namespace, by the collection."""

import pytest

from tests.apiserver.server import CONFIG_MAPS, DEPLOYMENTS, PODS, config_map, deployment, pod

pytestmark = pytest.mark.asyncio
FINALIZED = {"metadata": {"name": "a", "finalizers": ["example.com/hold"]}}


async def test_a_plain_object_goes_at_once_and_its_status_names_it(server):
    made = await server.made("POST", CONFIG_MAPS, config_map("a"))
    gone = await server.made("DELETE", f"{CONFIG_MAPS}/a")
    assert gone["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    await server.refused(404, "GET", f"{CONFIG_MAPS}/a")
    assert await server.refused(404, "DELETE", f"{CONFIG_MAPS}/a") == 'configmaps "a" not found'


async def test_a_finalizer_holds_an_object_until_it_is_taken_away(server):
    await server.made("POST", CONFIG_MAPS, FINALIZED)
    held = await server.made("DELETE", f"{CONFIG_MAPS}/a")
    assert "deletionTimestamp" in held["metadata"]
    again = await server.made("DELETE", f"{CONFIG_MAPS}/a")
    assert again["metadata"]["deletionTimestamp"] == held["metadata"]["deletionTimestamp"]
    last = await server.made("PATCH", f"{CONFIG_MAPS}/a", {"metadata": {"finalizers": None}})
    assert last["metadata"]["name"] == "a"
    await server.refused(404, "GET", f"{CONFIG_MAPS}/a")


@pytest.mark.parametrize(
    ("policy", "finalizers"),
    [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"])],
    ids=["foreground waits for dependents", "orphan lets dependents go first"],
)
async def test_propagation_is_left_to_a_finalizer(server, policy, finalizers):
    await server.made("POST", DEPLOYMENTS, deployment("web"))
    held = await server.made("DELETE", f"{DEPLOYMENTS}/web", {"propagationPolicy": policy})
    assert held["metadata"]["finalizers"] == finalizers
    assert "deletionTimestamp" in held["metadata"]


async def test_background_deletion_does_not_wait(server):
    await server.made("POST", DEPLOYMENTS, deployment("web"))
    await server.made("DELETE", f"{DEPLOYMENTS}/web", {"propagationPolicy": "Background"})
    await server.refused(404, "GET", f"{DEPLOYMENTS}/web")


async def test_a_deletion_meant_for_another_incarnation_conflicts(server):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    await server.refused(409, "DELETE", f"{CONFIG_MAPS}/a", {"preconditions": {"uid": "other"}})
    await server.refused(409, "DELETE", f"{CONFIG_MAPS}/a", {"preconditions": {"resourceVersion": "1"}})
    await server.made("GET", f"{CONFIG_MAPS}/a")


async def bound_pod(server, grace: int = 30) -> None:
    await server.made("POST", PODS, pod("p", nodeName="n1", terminationGracePeriodSeconds=grace))


async def test_a_bound_pod_gets_its_grace_and_goes_when_the_node_says_so(server):
    await bound_pod(server, 20)
    going = (await server.made("DELETE", f"{PODS}/p"))["metadata"]
    assert (going["deletionGracePeriodSeconds"], going["deletionTimestamp"]) == (20, "2026-01-01T00:00:20Z")
    assert going["generation"] == 2
    await server.made("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})
    await server.refused(404, "GET", f"{PODS}/p")


async def test_grace_may_only_be_shortened(server):
    await bound_pod(server)
    await server.made("DELETE", f"{PODS}/p")
    server.clock.forward(5)
    longer = (await server.made("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 60}))["metadata"]
    assert longer["deletionGracePeriodSeconds"] == 30
    shorter = (await server.made("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 10}))["metadata"]
    assert (shorter["deletionGracePeriodSeconds"], shorter["deletionTimestamp"]) == (10, "2026-01-01T00:00:10Z")
    past = (await server.made("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 1}))["metadata"]
    assert past["deletionTimestamp"] == "2026-01-01T00:00:05Z"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_finished_pod_needs_no_grace(server, phase):
    await bound_pod(server)
    await server.made("PATCH", f"{PODS}/p/status", {"status": {"phase": phase}})
    await server.made("DELETE", f"{PODS}/p")
    await server.refused(404, "GET", f"{PODS}/p")


async def test_an_unbound_pod_goes_at_once(server):
    await server.made("POST", PODS, pod("p"))
    await server.made("DELETE", f"{PODS}/p")
    await server.refused(404, "GET", f"{PODS}/p")


async def test_a_negative_grace_is_one_second(server):
    await bound_pod(server)
    going = await server.made("DELETE", f"{PODS}/p", {"gracePeriodSeconds": -5})
    assert going["metadata"]["deletionGracePeriodSeconds"] == 1


async def test_a_namespace_terminates_refuses_new_content_and_goes_when_finalized(server):
    await server.made("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
    going = await server.made("DELETE", "/api/v1/namespaces/n")
    assert going["status"]["phase"] == "Terminating"
    message = await server.refused(403, "POST", "/api/v1/namespaces/n/configmaps", config_map("a"))
    assert "because it is being terminated" in message
    going["spec"] = {}
    await server.made("PUT", "/api/v1/namespaces/n/finalize", going)
    await server.refused(404, "GET", "/api/v1/namespaces/n")


async def test_only_finalize_touches_a_namespaces_finalizers(server):
    made = await server.made("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
    kept = await server.made("PUT", "/api/v1/namespaces/n", {**made, "spec": {}})
    assert kept["spec"] == {"finalizers": ["kubernetes"]}


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_a_cluster_keeps_the_namespaces_that_it_needs(server, name):
    assert "may not be deleted" in await server.refused(403, "DELETE", f"/api/v1/namespaces/{name}")


async def test_a_collection_is_deleted_as_far_as_it_is_selected(server):
    for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
        await server.made("POST", CONFIG_MAPS, config_map(name, color=color))
    gone = await server.made("DELETE", f"{CONFIG_MAPS}?labelSelector=color=red")
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "c"]
    rest = await server.made("GET", CONFIG_MAPS)
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b"]
