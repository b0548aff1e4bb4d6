"""Custom resources through the whole API: definitions, instances, versions, subresources, an end."""

import asyncio
import copy
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest

from drumroll.objects.wire import APPLY_PATCH, JSON_PATCH, STRATEGIC_MERGE_PATCH
from drumroll.store.memory import MemoryStore
from tests.apiserver.server import Server

pytestmark = pytest.mark.asyncio
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "replicas": {"type": "integer"},
        "since": {"type": "string", "format": "date-time"},
        "label": {"type": "string"},
    },
    "x-kubernetes-validations": [
        {"rule": "self.color != 'blue' || self.size > 1", "message": "blue is for large ones"},
        {"rule": "self.size >= oldSelf.size", "message": "may not shrink"},
    ],
}
STATUS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "conditions": {
            "type": "array",
            "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    },
}


def version(name: str = "v1", *, storage: bool = True, **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": copy.deepcopy(SPEC), "status": STATUS}}
    found = {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}, **more}
    found.setdefault("subresources", {
        "status": {},
        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
    })  # fmt: skip
    return found


def definition(*versions: dict[str, Any], plural: str = "widgets", kind: str = "Widget", **names: Any) -> Any:
    return {
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": list(versions) or [version()],
        },
    }


def widget(name: str = "a", api: str = "example.com/v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 2, **spec}}


@asynccontextmanager
async def housekeeping(server: Server):
    task = asyncio.create_task(server.api.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(server: Server, path: str, is_so) -> Any:
    async with asyncio.timeout(5):
        while True:
            status, answer = await server.call("GET", path)
            if is_so(status, answer):
                return answer
            await asyncio.sleep(0.01)


def conditions(crd: Any) -> dict[str, str]:
    return {one["type"]: f"{one['status']} {one['reason']}" for one in crd["status"].get("conditions") or ()}


async def test_a_kind_is_served_as_soon_as_its_definition_is_created(server: Server):
    assert (await server.call("GET", WIDGETS))[0] == 404
    created = await server.made("POST", DEFINITIONS, definition(shortNames=["wd"], categories=["all"]))
    assert created["status"] == {
        "conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": ["v1"],
    }  # fmt: skip
    assert (await server.made("GET", WIDGETS))["kind"] == "WidgetList"
    found = await server.made("GET", "/apis/example.com/v1")
    assert [entry["name"] for entry in found["resources"]] == ["widgets", "widgets/scale", "widgets/status"]
    assert found["resources"][0]["shortNames"] == ["wd"]
    groups = await server.made("GET", "/apis")
    assert "example.com" in [group["name"] for group in groups["groups"]]
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    aggregated = await server.made("GET", "/apis", accept=accept)
    assert "example.com" in [item["metadata"]["name"] for item in aggregated["items"]]
    assert "/apis/example.com/v1" in (await server.made("GET", "/"))["paths"]
    index = await server.made("GET", "/openapi/v3")
    document = await server.made("GET", index["paths"]["apis/example.com/v1"]["serverRelativeURL"].partition("?")[0])
    assert document["components"]["schemas"]["com.example.v1.Widget"]["properties"]["spec"]["required"] == ["size"]
    assert "com.example.v1.Widget" in (await server.made("GET", "/openapi/v2"))["definitions"]


async def test_openapi_follows_a_changed_schema(server: Server):
    await server.made("POST", DEFINITIONS, definition())
    before = (await server.made("GET", "/openapi/v3"))["paths"]["apis/example.com/v1"]
    crd = await server.made("GET", f"{DEFINITIONS}/widgets.example.com")
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["weight"] = {"type": "integer"}
    await server.made("PUT", f"{DEFINITIONS}/widgets.example.com", crd)
    assert (await server.made("GET", "/openapi/v3"))["paths"]["apis/example.com/v1"] != before
    assert (await server.made("POST", WIDGETS, widget(weight=3)))["spec"]["weight"] == 3


async def test_a_definition_is_established(server: Server):
    async with housekeeping(server):
        await server.made("POST", DEFINITIONS, definition())
        path = f"{DEFINITIONS}/widgets.example.com"
        crd = await until(server, path, lambda _, crd: conditions(crd).get("Established", "").startswith("True"))
        assert conditions(crd) == {
            "NamesAccepted": "True NoConflicts", "Established": "True InitialNamesAccepted",
        }  # fmt: skip
        assert crd["status"]["acceptedNames"] == {
            "plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList",
        }  # fmt: skip


async def test_a_name_that_is_taken_is_not_accepted(server: Server):
    await server.made("POST", DEFINITIONS, definition())
    await server.made("POST", DEFINITIONS, definition(plural="gadgets", kind="Widget", singular="gadget"))
    crd = await server.made("GET", f"{DEFINITIONS}/gadgets.example.com")
    assert conditions(crd) == {"NamesAccepted": "False KindConflict", "Established": "False NotAccepted"}
    assert (await server.call("GET", "/apis/example.com/v1/namespaces/default/gadgets"))[0] == 404


async def test_instances_are_pruned_defaulted_and_validated(server: Server):
    await server.made("POST", DEFINITIONS, definition())
    response = await server.send("POST", WIDGETS, {**widget(extra=1), "status": {"replicas": 9}})
    made = json.loads(response.body)
    assert response.headers == (("Warning", '299 - "unknown field \\"spec.extra\\""'),)
    assert made["spec"] == {"size": 2, "color": "red"}
    assert "status" not in made
    assert made["metadata"]["generation"] == 1
    message = await server.refused(400, "POST", f"{WIDGETS}?fieldValidation=Strict", widget("b", extra=1))
    assert message.endswith('strict decoding error: unknown field "spec.extra"')
    assert await server.refused(422, "POST", WIDGETS, widget("b", size=0, color="green")) == (
        'Widget.example.com "b" is invalid: [spec.size: Invalid value: 0: spec.size in body should be greater than or '
        'equal to 1, spec.color: Unsupported value: "green": supported values: "red", "blue"]'
    )
    assert await server.refused(422, "POST", WIDGETS, widget("b", size=1, color="blue")) == (
        'Widget.example.com "b" is invalid: spec: Invalid value: "object": blue is for large ones'
    )


async def test_rules_are_not_checked_beside_values_of_a_wrong_type(server: Server):
    await server.made("POST", DEFINITIONS, definition())
    message = await server.refused(422, "POST", WIDGETS, widget(size="x"))
    assert 'spec.size in body must be of type integer: "string"' in message
    assert "<nil>: Invalid value: null: some validation rules were not checked" in message


async def test_patches_and_their_limits(server: Server):
    await server.made("POST", DEFINITIONS, definition())
    await server.made("POST", WIDGETS, widget())
    path = f"{WIDGETS}/a"
    changed = await server.made("PATCH", path, {"spec": {"size": 3}})
    assert (changed["spec"]["size"], changed["metadata"]["generation"]) == (3, 2)
    step = [{"op": "replace", "path": "/spec/size", "value": 4}]
    assert (await server.made("PATCH", path, step, content_type=JSON_PATCH))["spec"]["size"] == 4
    await server.refused(415, "PATCH", path, {"spec": {"size": 5}}, content_type=STRATEGIC_MERGE_PATCH)
    assert "may not shrink" in await server.refused(422, "PATCH", path, {"spec": {"size": 3}})
    labelled = await server.made("PATCH", path, {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 3
    same = await server.made("PATCH", path, {"spec": {"size": 4}})
    assert same["metadata"]["resourceVersion"] == labelled["metadata"]["resourceVersion"]


async def test_server_side_apply_uses_the_schema(server: Server):
    await server.made("POST", DEFINITIONS, definition())
    path = f"{WIDGETS}/a?fieldManager=one"
    made = await server.made("PATCH", path, widget(), content_type=APPLY_PATCH)
    assert made["metadata"]["managedFields"][0]["manager"] == "one"
    message = await server.refused(
        409, "PATCH", f"{WIDGETS}/a?fieldManager=two", widget(size=9), content_type=APPLY_PATCH
    )
    assert ".spec.size" in message


async def test_status_and_scale_are_subresources(server: Server):
    await server.made("POST", DEFINITIONS, definition())
    await server.made("POST", WIDGETS, widget(replicas=2))
    path = f"{WIDGETS}/a"
    changed = await server.made("PATCH", f"{path}/status", {"status": {"replicas": 1}, "spec": {"size": 9}})
    assert (changed["status"], changed["spec"]["size"]) == ({"replicas": 1}, 2)
    assert changed["metadata"]["generation"] == 1
    kept = await server.made("PATCH", path, {"status": {"replicas": 7}})
    assert kept["status"] == {"replicas": 1}
    scale = await server.made("GET", f"{path}/scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 2}, {"replicas": 1})
    scaled = await server.made("PATCH", f"{path}/scale", {"spec": {"replicas": 5}})
    assert scaled["spec"] == {"replicas": 5}
    found = await server.made("GET", path)
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (5, 2)


async def test_columns_are_printed_from_their_paths(server: Server):
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Since", "type": "date", "jsonPath": ".spec.since"},
        {"name": "Label", "type": "string", "jsonPath": ".spec.label", "priority": 1},
    ]
    await server.made("POST", DEFINITIONS, definition(version(additionalPrinterColumns=columns)))
    await server.made("POST", WIDGETS, widget(since="2025-12-31T23:59:00Z"))
    status = {"status": {"conditions": [{"type": "New", "status": "x"}, {"type": "Ready", "status": "True"}]}}
    await server.made("PATCH", f"{WIDGETS}/a/status", status)
    table = await server.made("GET", WIDGETS, accept=TABLE)
    assert [(one["name"], one["priority"]) for one in table["columnDefinitions"]] == [
        ("Name", 0), ("Size", 0), ("Ready", 0), ("Since", 0), ("Label", 1),
    ]  # fmt: skip
    assert table["rows"][0]["cells"] == ["a", 2, "True", "60s", None]


async def test_versions_show_the_same_object(server: Server):
    await server.made("POST", DEFINITIONS, definition(version("v1beta1", storage=False), version("v1")))
    beta = WIDGETS.replace("v1", "v1beta1")
    made = await server.made("POST", beta, widget(api="example.com/v1beta1"))
    assert made["apiVersion"] == "example.com/v1beta1"
    assert (await server.made("GET", f"{WIDGETS}/a"))["apiVersion"] == "example.com/v1"
    await server.made("PATCH", f"{beta}/a", {"spec": {"size": 8}})
    assert (await server.made("GET", f"{WIDGETS}/a"))["spec"]["size"] == 8
    listed = await server.made("GET", beta)
    assert (listed["apiVersion"], [one["spec"]["size"] for one in listed["items"]]) == ("example.com/v1beta1", [8])
    group = await server.made("GET", "/apis/example.com")
    assert [one["version"] for one in group["versions"]] == ["v1", "v1beta1"]
    async with server.watching(beta) as watch:
        event = await watch.next()
        assert (event["type"], event["object"]["apiVersion"]) == ("ADDED", "example.com/v1beta1")
        await server.made("DELETE", f"{WIDGETS}/a")
        event = await watch.next()
        assert (event["type"], event["object"]["apiVersion"]) == ("DELETED", "example.com/v1beta1")


async def test_objects_of_an_older_schema_are_pruned_and_defaulted_when_read(server: Server):
    await server.made("POST", DEFINITIONS, definition())
    await server.made("POST", WIDGETS, widget(label="x"))
    crd = await server.made("GET", f"{DEFINITIONS}/widgets.example.com")
    known = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del known["label"]
    known["shape"] = {"type": "string", "default": "round"}
    await server.made("PUT", f"{DEFINITIONS}/widgets.example.com", crd)
    wanted = {"size": 2, "color": "red", "shape": "round"}
    assert (await server.made("GET", f"{WIDGETS}/a"))["spec"] == wanted
    assert (await server.made("GET", WIDGETS))["items"][0]["spec"] == wanted


async def test_field_selectors_by_name_and_by_selectable_fields(server: Server):
    chosen = [{"jsonPath": ".spec.color"}]
    await server.made("POST", DEFINITIONS, definition(version(selectableFields=chosen)))
    await server.made("POST", WIDGETS, widget("a"))
    await server.made("POST", WIDGETS, widget("b", color="blue"))
    for selector, names in (("metadata.name=a", ["a"]), ("spec.color=blue", ["b"]), ("spec.color!=blue", ["a"])):
        listed = await server.made("GET", f"{WIDGETS}?fieldSelector={selector}")
        assert [one["metadata"]["name"] for one in listed["items"]] == names
    await server.refused(400, "GET", f"{WIDGETS}?fieldSelector=spec.size=2")


async def test_a_definition_goes_with_its_instances_and_can_come_again(server: Server):
    async with housekeeping(server):
        await server.made("POST", DEFINITIONS, definition())
        path = f"{DEFINITIONS}/widgets.example.com"
        await server.made("POST", WIDGETS, widget("plain"))
        held = widget("held")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await server.made("POST", WIDGETS, held)
        going = await server.made("DELETE", path)
        assert going["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
        await until(server, f"{WIDGETS}/plain", lambda status, _: status == 404)
        found = await server.made("GET", path)
        assert conditions(found)["Terminating"] == "True InstanceDeletionInProgress"
        assert await server.refused(405, "POST", WIDGETS, widget("late")) == (
            "create not allowed while custom resource definition is terminating"
        )
        await server.made("PATCH", f"{WIDGETS}/held", {"metadata": {"finalizers": None}})
        await until(server, path, lambda status, _: status == 404)
        assert (await server.call("GET", WIDGETS))[0] == 404
        assert "example.com" not in str(await server.made("GET", "/apis"))
        await server.made("POST", DEFINITIONS, definition())
        assert (await server.made("GET", WIDGETS))["items"] == []


async def test_instances_survive_a_restart():
    store = MemoryStore()
    first = Server(store)
    await first.api.prepare()
    await first.made("POST", DEFINITIONS, definition())
    await first.made("POST", WIDGETS, widget())
    second = Server(store)
    await second.api.prepare()
    assert (await second.made("GET", f"{WIDGETS}/a"))["spec"] == {"size": 2, "color": "red"}
    await store.close()


REFUSED = [
    pytest.param(lambda crd: crd["spec"].update(versions=[]),
                 "spec.versions: Invalid value: []: must have exactly one version marked as storage version",
                 id="none"),
    pytest.param(lambda crd: crd["spec"]["versions"].append(version("v2")),
                 "must have exactly one version marked as storage version", id="two storage versions"),
    pytest.param(lambda crd: crd["metadata"].update(name="x.example.com"),
                 'metadata.name: Invalid value: "x.example.com": must be spec.names.plural+"."+spec.group', id="name"),
    pytest.param(lambda crd: crd["spec"].update(scope="World"),
                 'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"', id="scope"),
    pytest.param(lambda crd: crd["spec"]["versions"][0].pop("schema"),
                 "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required", id="no schema"),
    pytest.param(lambda crd: schema(crd).pop("type"),
                 "spec.versions[0].schema.openAPIV3Schema.type: Required value: must not be empty at the root",
                 id="no type"),
    pytest.param(lambda crd: spec_of(crd)["properties"].update(x={"description": "?"}),
                 "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[x].type: Required value: "
                 "must not be empty for specified object fields", id="not structural"),
    pytest.param(lambda crd: spec_of(crd)["properties"].update(x={"type": "array"}),
                 "properties[x].items: Required value: must be specified", id="array without items"),
    pytest.param(lambda crd: spec_of(crd)["properties"]["color"].update(default="green"),
                 'properties[color].default: Unsupported value: "green": supported values: "red", "blue"',
                 id="default"),
    pytest.param(lambda crd: spec_of(crd)["x-kubernetes-validations"].append({"rule": "self.size +"}),
                 "x-kubernetes-validations[2].rule: Invalid value: \"self.size +\": compilation failed: ERROR: <input>",
                 id="rule"),
    pytest.param(lambda crd: spec_of(crd).update(anyOf=[{"properties": {"size": {"type": "integer"}}}]),
                 "anyOf[0].properties[size].type: Forbidden: must be empty to be structural", id="type in anyOf"),
    pytest.param(lambda crd: crd["spec"]["versions"][0].update(
                     subresources={"scale": {"specReplicasPath": "replicas", "statusReplicasPath": ".status.x"}}),
                 'subresources.scale.specReplicasPath: Invalid value: "replicas": should be a json path under .spec',
                 id="scale path"),
    pytest.param(lambda crd: crd["spec"].update(group="x.k8s.io") or crd["metadata"].update(name="widgets.x.k8s.io"),
                 "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have ",
                 id="protected group"),
]  # fmt: skip


def schema(crd: Any) -> Any:
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def spec_of(crd: Any) -> Any:
    return schema(crd)["properties"]["spec"]


@pytest.mark.parametrize(("spoil", "wanted"), REFUSED)
async def test_a_definition_that_breaks_a_rule_is_refused(server: Server, spoil, wanted):
    crd = copy.deepcopy(definition())
    spoil(crd)
    assert wanted in await server.refused(422, "POST", DEFINITIONS, crd)


async def test_an_established_definition_keeps_its_kind_and_scope(server: Server):
    async with housekeeping(server):
        await server.made("POST", DEFINITIONS, definition())
        path = f"{DEFINITIONS}/widgets.example.com"
        await until(server, path, lambda _, crd: conditions(crd).get("Established", "").startswith("True"))
        assert 'spec.scope: Invalid value: "Cluster": field is immutable' in await server.refused(
            422, "PATCH", path, {"spec": {"scope": "Cluster"}}
        )


async def test_a_stored_version_may_not_vanish(server: Server):
    await server.made("POST", DEFINITIONS, definition())
    await server.refused(422, "PATCH", f"{DEFINITIONS}/widgets.example.com", {"spec": {"versions": [version("v2")]}})
