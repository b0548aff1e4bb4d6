"""Creating, replacing, patching: names, conflicts, dry runs, subresources."""

import asyncio

import pytest

from drumroll.objects.wire import JSON_PATCH, STRATEGIC_MERGE_PATCH
from drumroll.store.interface import Unavailable
from tests.apiserver.server import CONFIG_MAPS, DEPLOYMENTS, PODS, Server, config_map, deployment, pod

pytestmark = pytest.mark.asyncio


async def test_a_name_is_generated_from_a_prefix(server):
    made = [await server.made("POST", CONFIG_MAPS, {"metadata": {"generateName": "x-"}}) for _ in range(3)]
    found = {obj["metadata"]["name"] for obj in made}
    assert len(found) == 3
    assert all(name.startswith("x-") and len(name) == 7 for name in found)


async def test_a_taken_name_is_refused(server):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    message = await server.refused(409, "POST", CONFIG_MAPS, config_map("a"))
    assert message == 'configmaps "a" already exists'


async def test_an_object_needs_a_namespace_that_exists(server):
    message = await server.refused(404, "POST", "/api/v1/namespaces/nope/configmaps", config_map("a"))
    assert message == 'namespaces "nope" not found'


async def test_a_dry_run_answers_like_the_real_thing_and_stores_nothing(server):
    before = server.store.revision
    made = await server.made("POST", f"{CONFIG_MAPS}?dryRun=All", config_map("a"))
    assert (made["metadata"]["name"], "resourceVersion" in made["metadata"]) == ("a", False)
    await server.made("POST", CONFIG_MAPS, config_map("b"))
    patched = await server.made("PATCH", f"{CONFIG_MAPS}/b?dryRun=All", {"data": {"k": "w"}})
    await server.made("DELETE", f"{CONFIG_MAPS}/b?dryRun=All")
    assert patched["data"] == {"k": "w"}
    assert (await server.made("GET", f"{CONFIG_MAPS}/b"))["data"] == {"k": "v"}
    assert server.store.revision == before + 1


async def test_replacing_with_an_old_revision_conflicts_and_without_one_does_not(server):
    made = await server.made("POST", CONFIG_MAPS, config_map("a"))
    await server.made("PATCH", f"{CONFIG_MAPS}/a", {"data": {"k": "w"}})
    message = await server.refused(409, "PUT", f"{CONFIG_MAPS}/a", made)
    assert "the object has been modified" in message
    made["metadata"].pop("resourceVersion")
    assert (await server.made("PUT", f"{CONFIG_MAPS}/a", made))["data"] == {"k": "v"}


async def test_a_write_that_changes_nothing_gets_no_revision(server):
    made = await server.made("POST", CONFIG_MAPS, config_map("a"))
    again = await server.made("PUT", f"{CONFIG_MAPS}/a", made)
    patched = await server.made("PATCH", f"{CONFIG_MAPS}/a", {"data": {"k": "v"}})
    assert again == patched == made


async def test_concurrent_patches_all_take_effect(server):
    await server.made("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})
    await asyncio.gather(*(server.made("PATCH", f"{CONFIG_MAPS}/a", {"data": {f"k{n}": "v"}}) for n in range(30)))
    assert len((await server.made("GET", f"{CONFIG_MAPS}/a"))["data"]) == 30


async def test_a_patch_that_names_another_revision_conflicts(server):
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    await server.refused(409, "PATCH", f"{CONFIG_MAPS}/a", {"metadata": {"resourceVersion": "1"}, "data": {"k": "w"}})


async def test_a_replacement_of_another_incarnation_conflicts(server):
    made = await server.made("POST", CONFIG_MAPS, config_map("a"))
    other = {**made, "metadata": {"name": "a", "uid": "00000000-0000-0000-0000-000000000000"}}
    assert "Precondition failed: UID" in await server.refused(409, "PUT", f"{CONFIG_MAPS}/a", other)


async def test_an_absent_object_cannot_be_replaced_but_a_lease_can_be_made_so(server):
    await server.refused(404, "PUT", f"{CONFIG_MAPS}/a", config_map("a"))
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    status, _ = await server.call("PUT", f"{leases}/l", {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}})
    assert status == 201


async def test_status_and_spec_are_written_through_their_own_doors(server):
    await server.made("POST", DEPLOYMENTS, deployment("web"))
    both = {"spec": {"replicas": 3}, "status": {"replicas": 2, "observedGeneration": 1}}
    by_status = await server.made("PATCH", f"{DEPLOYMENTS}/web/status", both)
    assert (by_status["spec"]["replicas"], by_status["status"]["replicas"]) == (1, 2)
    by_spec = await server.made("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": 3}, "status": {"replicas": 9}})
    assert (by_spec["spec"]["replicas"], by_spec["status"]["replicas"]) == (3, 2)
    assert (by_status["metadata"]["generation"], by_spec["metadata"]["generation"]) == (1, 2)


async def test_scale_is_a_view_of_replicas(server):
    await server.made("POST", DEPLOYMENTS, deployment("web", 2))
    scale = await server.made("GET", f"{DEPLOYMENTS}/web/scale")
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 2}, "app=web")
    patched = await server.made("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 5}})
    assert patched["spec"] == {"replicas": 5}
    await server.refused(409, "PUT", f"{DEPLOYMENTS}/web/scale", scale)
    found = await server.made("GET", f"{DEPLOYMENTS}/web")
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (5, 2)
    await server.refused(422, "PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}})


async def test_every_patch_type_reaches_the_object(server):
    await server.made("POST", DEPLOYMENTS, deployment("web"))
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    await server.made("PATCH", f"{DEPLOYMENTS}/web", operations, content_type=JSON_PATCH)
    image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}}}
    found = await server.made("PATCH", f"{DEPLOYMENTS}/web", image, content_type=STRATEGIC_MERGE_PATCH)
    assert found["spec"]["replicas"] == 4
    assert [c["image"] for c in found["spec"]["template"]["spec"]["containers"]] == ["i:2"]


async def test_a_pod_is_bound_once_and_is_scheduled_then(server):
    await server.made("POST", PODS, pod("p"))
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
    await server.made("POST", f"{PODS}/p/binding", binding)
    assert "already assigned" in await server.refused(409, "POST", f"{PODS}/p/binding", binding)
    found = await server.made("GET", f"{PODS}/p")
    assert found["spec"]["nodeName"] == "n1"
    assert [(c["type"], c["status"]) for c in found["status"]["conditions"]] == [("PodScheduled", "True")]


async def test_new_pods_get_what_all_pods_have(server):
    assert "serviceAccountName" not in (await server.made("POST", PODS, pod("early")))["spec"]
    await server.made("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    spec = (await server.made("POST", PODS, pod("p")))["spec"]
    assert spec["serviceAccountName"] == "default"
    assert [(t["key"], t["tolerationSeconds"]) for t in spec["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]


async def test_an_eviction_spends_the_budget_and_then_has_to_wait(server):
    budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}}
    await server.made("POST", budgets, budget)
    status = {"disruptionsAllowed": 1, "currentHealthy": 2, "observedGeneration": 1}
    await server.made("PATCH", f"{budgets}/b/status", {"status": status})
    for name in ("p", "q"):
        await server.made(
            "POST", PODS, {**pod(name, nodeName="n1"), "metadata": {"name": name, "labels": {"app": "x"}}}
        )
        await server.made("PATCH", f"{PODS}/{name}/status", {"status": {"phase": "Running"}})
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    await server.made("POST", f"{PODS}/p/eviction", eviction)
    message = await server.refused(429, "POST", f"{PODS}/q/eviction", {**eviction, "metadata": {"name": "q"}})
    assert message == "Cannot evict pod as it would violate the pod's disruption budget."
    assert "deletionTimestamp" in (await server.made("GET", f"{PODS}/p"))["metadata"]


async def test_while_nothing_can_be_stored_reads_go_on_and_writes_say_so(monkeypatch):
    server = Server()
    await server.api.prepare()

    async def full(_write):
        raise Unavailable("database or disk is full")

    monkeypatch.setattr(server.store, "write", full)
    message = await server.refused(503, "POST", CONFIG_MAPS, config_map("a"))
    assert "disk is full" in message
    assert (await server.made("GET", CONFIG_MAPS))["items"] == []


async def test_preparing_twice_changes_nothing(server):
    before = server.store.revision
    await server.api.prepare()
    assert server.store.revision == before
