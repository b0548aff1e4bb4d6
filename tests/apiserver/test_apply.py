"""Server-side apply and field ownership over the API: what is created, merged, refused, and by whom."""

import asyncio
import json

import pytest

from tests.apiserver.server import CONFIG_MAPS, DEPLOYMENTS, PODS

pytestmark = pytest.mark.asyncio
YAML = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"


def config_map(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def deployment(image="app:1", **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
            **spec,
        },
    }


async def apply(server, body, path=f"{CONFIG_MAPS}/a", **query):
    parameters = "&".join(f"{name}={value}" for name, value in {"fieldManager": "me", **query}.items())
    return await server.call("PATCH", f"{path}?{parameters}", body, content_type=YAML)


def managers(obj):
    return [
        (entry["manager"], entry["operation"], entry.get("subresource", ""))
        for entry in obj["metadata"].get("managedFields", ())
    ]


async def test_an_apply_creates_and_then_merges_and_prunes(server):
    status, made = await apply(server, config_map(a="1", b="2"))
    assert (status, made["metadata"]["uid"] != "") == (201, True)
    await server.made("PATCH", f"{CONFIG_MAPS}/a", {"data": {"c": "3"}}, user_agent="kubectl/v1.32 (linux)")
    status, found = await apply(server, config_map(a="1"))
    assert (status, found["data"], found["metadata"]["uid"]) == (200, {"a": "1", "c": "3"}, made["metadata"]["uid"])
    assert managers(found) == [("me", "Apply", ""), ("kubectl", "Update", "")]


async def test_applying_the_same_again_writes_nothing(server):
    _, made = await apply(server, deployment(), f"{DEPLOYMENTS}/web")
    server.clock.forward(5)
    status, found = await apply(server, deployment(), f"{DEPLOYMENTS}/web")
    assert (status, found) == (200, made)


async def test_defaults_are_nobodys_and_come_back(server):
    _, made = await apply(server, deployment(strategy={"type": "Recreate"}), f"{DEPLOYMENTS}/web")
    assert "f:strategy" in made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    _, found = await apply(server, deployment(), f"{DEPLOYMENTS}/web")
    assert found["spec"]["strategy"]["type"] == "RollingUpdate"
    assert "f:strategy" not in found["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]


async def test_a_conflict_is_409_and_force_takes_over(server):
    await apply(server, deployment(replicas=2), f"{DEPLOYMENTS}/web")
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
    status, refused = await apply(server, body, f"{DEPLOYMENTS}/web", fieldManager="you")
    assert (status, refused["reason"]) == (409, "Conflict")
    assert refused["message"] == 'Apply failed with 1 conflict: conflict with "me": .spec.replicas'
    assert refused["details"] == {
        "causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".spec.replicas"}]
    }
    status, found = await apply(server, body, f"{DEPLOYMENTS}/web", fieldManager="you", force="true")
    assert (status, found["spec"]["replicas"]) == (200, 5)


async def test_a_dry_run_stores_nothing(server):
    assert (await apply(server, config_map(a="1"), dryRun="All"))[0] == 201
    assert (await server.call("GET", f"{CONFIG_MAPS}/a"))[0] == 404
    await apply(server, config_map(a="1"))
    _, shown = await apply(server, config_map(a="2"), dryRun="All")
    assert shown["data"] == {"a": "2"}
    assert (await server.made("GET", f"{CONFIG_MAPS}/a"))["data"] == {"a": "1"}


async def test_a_yaml_body_with_nulls_and_comments(server):
    body = b"# mine\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  creationTimestamp: null\ndata: {a: 'x'}\n"
    assert (await apply(server, body))[0] == 201
    status, found = await apply(server, body)
    assert (status, found["data"], bool(found["metadata"]["creationTimestamp"])) == (200, {"a": "x"}, True)


@pytest.mark.parametrize(
    ("query", "change", "code", "words"),
    [
        ("", {}, 422, "fieldManager: Required value: is required for apply patch"),
        ("fieldManager=me", {"metadata": {"name": "b"}}, 400, "the name of the object (b) does not match"),
        ("fieldManager=me", {"metadata": {"namespace": "z"}}, 400, "the namespace of the provided object does not"),
        ("fieldManager=me", {"metadata": {"managedFields": [{"manager": "x"}]}}, 400, "managedFields must be nil"),
        ("fieldManager=me", {"metadata": {"uid": "u"}}, 409, "uid mismatch: the provided object specified uid u"),
        ("fieldManager=me", {"kind": "Secret"}, 400, "Secret in version"),
        ("fieldManager=me", {"data": {"a": 1}}, 500,
         "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .data.a:"
         " expected string, got &value.valueUnstructured{Value:1}"),
        ("fieldManager=me", {"metadata": {"labels": ["x"]}}, 500, ".metadata.labels: expected map, got &{[x]}"),
        ("fieldManager=me", {"immutable": "no"}, 500, ".immutable: expected boolean, got &{no}"),
        ("fieldManager=me", {"metadata": {"ownerReferences": [{"name": "x"}]}}, 500,
         ".metadata.ownerReferences: element 0: associative list with keys has an element that omits all key fields"),
        ("fieldManager=me", {"dat": {}}, 500,
         "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .dat: field not declared in schema"),
    ],
)  # fmt: skip
async def test_what_cannot_be_applied(server, query, change, code, words):
    status, answer = await server.call(
        "PATCH", f"{CONFIG_MAPS}/a?{query}", {**config_map(), **change}, content_type=YAML
    )
    assert status == code
    assert words in answer["message"]


async def test_an_unknown_field_is_named_by_the_keys_of_its_list(server):
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["imag"] = "x"
    status, answer = await apply(server, body, f"{DEPLOYMENTS}/web")
    assert status == 500
    assert '.spec.template.spec.containers[name="web"].imag: field not declared in schema' in answer["message"]


async def test_force_is_for_applies_only(server):
    await server.made("POST", CONFIG_MAPS, config_map())
    status, answer = await server.call("PATCH", f"{CONFIG_MAPS}/a?force=true", {"data": {}})
    assert (status, answer["details"]["causes"][0]["field"]) == (422, "force")


async def test_a_status_is_applied_beside_the_object(server):
    await apply(server, deployment(), f"{DEPLOYMENTS}/web")
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"replicas": 3}}
    status, found = await apply(server, body, f"{DEPLOYMENTS}/web/status", fieldManager="hpa")
    assert (status, found["status"]) == (200, {"replicas": 3})
    assert managers(found) == [("hpa", "Apply", "status"), ("me", "Apply", "")]
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "app:1"
    _, found = await apply(server, {**deployment(), "status": {"replicas": 9}}, f"{DEPLOYMENTS}/web")
    assert found["status"] == {"replicas": 3}


async def test_a_scale_is_owned_under_its_own_name(server):
    await apply(server, deployment(replicas=1), f"{DEPLOYMENTS}/web")
    scale = {"spec": {"replicas": 4}}
    await server.made("PATCH", f"{DEPLOYMENTS}/web/scale?fieldManager=scaler", scale)
    found = await server.made("GET", f"{DEPLOYMENTS}/web")
    (entry,) = (e for e in found["metadata"]["managedFields"] if e["manager"] == "scaler")
    assert (entry["subresource"], entry["apiVersion"]) == ("scale", "apps/v1")
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    status, refused = await apply(server, deployment(replicas=1), f"{DEPLOYMENTS}/web")
    assert status == 409
    assert 'conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas' in refused["message"]


async def test_a_scale_is_applied_as_a_field_of_its_object(server):
    await server.made("POST", f"{DEPLOYMENTS}?fieldManager=maker", deployment())
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 4}}
    refused = await server.refused(
        409, "PATCH", f"{DEPLOYMENTS}/web/scale?fieldManager=scaler", scale, content_type=YAML
    )
    assert 'conflict with "maker" using apps/v1: .spec.replicas' in refused
    path = f"{DEPLOYMENTS}/web/scale?fieldManager=scaler&force=true"
    found = await server.made("PATCH", path, scale, content_type=YAML)
    assert (found["kind"], found["spec"]) == ("Scale", {"replicas": 4})
    entries = (await server.made("GET", f"{DEPLOYMENTS}/web"))["metadata"]["managedFields"]
    (entry,) = (e for e in entries if e["manager"] == "scaler")
    assert (entry["subresource"], entry["operation"], entry["apiVersion"]) == ("scale", "Apply", "apps/v1")
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    wrong = {**scale, "spec": {"replicas": "4"}}
    message = await server.refused(500, "PATCH", path, wrong, content_type=YAML)
    assert message.endswith("Kind=Scale): .spec.replicas: expected numeric (int or float), got string")


async def test_a_put_without_entries_keeps_them_and_one_with_an_empty_entry_forgets_them(server):
    made = await server.made("POST", CONFIG_MAPS, config_map(a="1"), user_agent="one/1")
    plain = config_map(a="1", b="2")
    found = await server.made("PUT", f"{CONFIG_MAPS}/a", plain, user_agent="two/1")
    assert managers(made) == [("one", "Update", "")]
    assert managers(found) == [("one", "Update", ""), ("two", "Update", "")]
    reset = {**plain, "metadata": {"name": "a", "managedFields": [{}]}}
    assert "managedFields" not in (await server.made("PUT", f"{CONFIG_MAPS}/a", reset))["metadata"]


async def test_a_json_patch_can_rewrite_the_entries(server):
    made = await server.made("POST", CONFIG_MAPS, config_map(a="1"), user_agent="one/1")
    entries = [{**made["metadata"]["managedFields"][0], "manager": "renamed"}]
    patch = json.dumps([{"op": "replace", "path": "/metadata/managedFields", "value": entries}]).encode()
    found = await server.made("PATCH", f"{CONFIG_MAPS}/a", patch, content_type="application/json-patch+json")
    assert managers(found) == [("renamed", "Update", "")]


async def test_what_admission_and_the_system_add_is_nobodys(server):
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    made = await server.made("POST", PODS, pod, user_agent="me/1")
    fields = made["metadata"]["managedFields"][0]["fieldsV1"]
    assert set(fields) == {"f:spec"}
    assert not {"f:tolerations", "f:priority", "f:serviceAccountName"} & set(fields["f:spec"])
    assert made["spec"]["tolerations"]


async def test_a_change_of_a_change_keeps_ownership_up_to_date(server):
    await apply(server, deployment("app:1"), f"{DEPLOYMENTS}/web")
    change = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "app:2"}]}}}}
    patched = await server.made("PATCH", f"{DEPLOYMENTS}/web?fieldManager=kubectl-set", change, content_type=STRATEGIC)
    assert managers(patched) == [("me", "Apply", ""), ("kubectl-set", "Update", "")]
    status, refused = await apply(server, deployment("app:3"), f"{DEPLOYMENTS}/web")
    assert (status, "kubectl-set" in refused["message"]) == (409, True)


async def test_both_event_kinds_keep_their_entries(server):
    event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
             "reason": "Because", "type": "Normal"}  # fmt: skip
    await server.made("POST", "/api/v1/namespaces/default/events", event, user_agent="one/1")
    found = await server.made("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")
    assert managers(found) == [("one", "Update", "")]


WIDGETS = {
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
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "parts": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                        "items": {
                                            "type": "object",
                                            "required": ["name"],
                                            "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
                                        },
                                    }
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


async def test_a_custom_resource_is_applied_by_the_lists_of_its_schema(server):
    def widget(**sizes):
        parts = [{"name": name, "size": size} for name, size in sizes.items()]
        return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"parts": parts}}

    await server.made("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WIDGETS)
    path = "/apis/example.com/v1/namespaces/default/widgets/w"
    async with asyncio.timeout(10):
        while (await server.call("GET", path.rpartition("/")[0]))[0] != 200:
            await asyncio.sleep(0.02)
    status, _ = await apply(server, widget(a=1, b=2), path)
    assert status == 201
    status, found = await apply(server, widget(c=3), path, fieldManager="you")
    assert (status, [part["name"] for part in found["spec"]["parts"]]) == (200, ["a", "b", "c"])
    status, refused = await apply(server, widget(a=9), path, fieldManager="you")
    assert (status, 'conflict with "me": .spec.parts[name="a"].size' in refused["message"]) == (409, True)
    status, found = await apply(server, widget(b=2), path)
    assert (status, [part["name"] for part in found["spec"]["parts"]]) == (200, ["b", "c"])
