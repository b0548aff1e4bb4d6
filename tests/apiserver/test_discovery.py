"""What clients are told is served: in both forms, and true."""

import pytest

from drumroll.objects.kinds import KINDS, SERVED
from tests.apiserver.server import CONFIG_MAPS, config_map

pytestmark = pytest.mark.asyncio
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
async def test_both_roots_are_served_aggregated(server, version):
    accept = f"{AGGREGATED.format(version)},application/json"
    found = set()
    for root in ("/api", "/apis"):
        response = await server.send("GET", root, accept=accept)
        assert response.content_type == AGGREGATED.format(version)
        body = await server.made("GET", root, accept=accept)
        assert body["apiVersion"] == f"apidiscovery.k8s.io/{version}"
        for group in body["items"]:
            for served in group["versions"]:
                found |= {(served["version"], entry["resource"]) for entry in served["resources"]}
    assert found == {(kind.version, kind.plural) for kind in SERVED}


async def test_the_newest_form_that_the_client_names_first_is_chosen(server):
    accept = f"{AGGREGATED.format('v2')},{AGGREGATED.format('v2beta1')},application/json"
    assert (await server.send("GET", "/apis", accept=accept)).content_type == AGGREGATED.format("v2")


async def test_legacy_discovery_names_every_kind_and_subresource(server):
    groups = await server.made("GET", "/apis")
    documents = [await server.made("GET", "/api/v1")]
    for group in groups["groups"]:
        assert (await server.made("GET", f"/apis/{group['name']}"))["name"] == group["name"]
        for version in group["versions"]:
            documents.append(await server.made("GET", f"/apis/{version['groupVersion']}"))
    found = {entry["name"] for document in documents for entry in document["resources"]}
    expected = {kind.plural for kind in SERVED} | {f"{k.plural}/{s}" for k in SERVED for s in k.subresources}
    assert found == expected


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.plural}.{kind.group}")
async def test_every_kind_that_is_named_can_be_listed_and_shown_as_a_table(server, kind):
    listing = await server.made("GET", kind.path())
    assert (listing["kind"], listing["apiVersion"]) == (f"{kind.name}List", kind.api_version)
    table = await server.made("GET", kind.path(), accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert (table["kind"], bool(table["columnDefinitions"])) == ("Table", True)


async def test_the_hash_of_a_storage_version_is_the_original_one(server):
    resources = (await server.made("GET", "/apis/apps/v1"))["resources"]
    found = {entry["name"]: entry.get("storageVersionHash") for entry in resources}
    assert (found["deployments"], found["replicasets"]) == ("8aSe+NMegvE=", "P1RzHs8/mWQ=")


async def test_the_stages_of_a_write_are_counted(server):
    before = server.api.stages
    await server.made("POST", CONFIG_MAPS, config_map("a"))
    after = server.api.stages
    assert {name: after[name][0] - before[name][0] for name in after if name != "fan-out"} == {
        "decode": 1, "defaults": 1, "ownership": 1, "validate": 1, "encode": 1, "disk": 1,
    }  # fmt: skip
    assert all(after[name][1] > before[name][1] for name in after if name != "fan-out")
    _, metrics = await server.call("GET", "/metrics")
    assert 'drumroll_apiserver_write_stage_seconds_count{stage="disk"}' in metrics
