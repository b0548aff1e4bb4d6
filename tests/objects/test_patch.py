"""Three patch types: a table per directive, and what holds for every patch. Errors are those of a stock server."""

import contextlib
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.objects.decode import decode
from drumroll.objects.errors import ApiError, BadRequest, Invalid, UnsupportedMediaType
from drumroll.objects.kinds import DEPLOYMENT, POD, POD_DISRUPTION_BUDGET, SERVICE
from drumroll.objects.meta import Obj
from drumroll.objects.patch import apply_patch, merge
from drumroll.objects.wire import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH


def stored() -> Obj:
    web = {
        "name": "web",
        "image": "app:1",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81, "protocol": "TCP"}],
    }
    spec = {"containers": [web, {"name": "side", "image": "s:1"}], "volumes": [{"name": "v", "emptyDir": {}}]}
    body = {
        "metadata": {"name": "web", "labels": {"a": "1", "b": "2"}, "finalizers": ["x/1", "x/2"]},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        },
    }
    return decode(orjson.dumps(body), "", DEPLOYMENT).obj


def strategic(patch: Any, current: Obj | None = None) -> Obj:
    body = patch if isinstance(patch, bytes) else orjson.dumps(patch)
    return apply_patch(DEPLOYMENT, current or stored(), body, STRATEGIC_MERGE_PATCH, "Strict").obj


def pod_spec(patch: Obj, current: Obj | None = None) -> Obj:
    found: Obj = strategic({"spec": {"template": {"spec": patch}}}, current)["spec"]["template"]["spec"]
    return found


def containers(*items: Obj, **directives: Any) -> list[Obj]:
    found: list[Obj] = pod_spec({"containers": list(items)} | directives)["containers"]
    return found


def env(*items: Obj, **directives: Any) -> list[str]:
    web = containers({"name": "web", "env": list(items)} | directives)[0]
    return [f"{e['name']}={e.get('value', '')}" for e in web.get("env", [])]


def test_list_of_objects_merges_by_its_key():
    found = containers({"name": "web", "image": "app:2"})
    assert [(c["name"], c["image"]) for c in found] == [("web", "app:2"), ("side", "s:1")]
    assert [p["containerPort"] for p in found[0]["ports"]] == [80, 81]


def test_new_items_come_where_the_patch_puts_them():
    assert env({"name": "A", "$patch": "delete"}, {"name": "C", "value": "3"}) == ["C=3", "B=2"]
    assert env({"name": "C"}) == ["C=", "A=1", "B=2"]
    assert env({"name": "B", "value": "9"}, {"name": "A"}) == ["B=9", "A=1"]


def test_replace_directive_replaces_the_list():
    assert [c["name"] for c in containers({"$patch": "replace"}, {"name": "only", "image": "o"})] == ["only"]
    assert "volumes" not in pod_spec({"volumes": [{"$patch": "replace"}]})


def test_delete_directive_deletes_the_item_or_the_map():
    assert [c["name"] for c in containers({"name": "side", "$patch": "delete"})] == ["web"]
    assert strategic({"spec": {"strategy": {"$patch": "delete"}}})["spec"]["strategy"] == {}


def test_replace_directive_replaces_the_map():
    patch = {"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}
    assert strategic(patch)["spec"]["strategy"] == {"type": "Recreate"}


def test_set_element_order_orders_the_list():
    order = [{"name": "side"}, {"name": "web"}]
    found = containers({"name": "side", "image": "s:2"}, **{"$setElementOrder/containers": order})
    assert [(c["name"], c["image"]) for c in found] == [("side", "s:2"), ("web", "app:1")]


def test_set_element_order_alone_orders_the_list_and_keeps_the_servers_own_in_place():
    current = stored()
    pods = current["spec"]["template"]["spec"]["containers"]
    pods.insert(1, {"name": "injected", "image": "i"})
    found = pod_spec({"$setElementOrder/containers": [{"name": "side"}, {"name": "web"}]}, current)["containers"]
    assert [c["name"] for c in found] == ["injected", "side", "web"]


def test_retain_keys_drops_what_it_does_not_list():
    volume = {"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}
    assert pod_spec({"volumes": [volume]})["volumes"] == [{"name": "v", "configMap": {"name": "c"}}]
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic(patch)["spec"]["strategy"] == {"type": "Recreate"}


def test_lists_of_texts_add_up_and_lose_what_is_named():
    assert strategic({"metadata": {"finalizers": ["x/3", "x/1"]}})["metadata"]["finalizers"] == ["x/3", "x/1", "x/2"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/1"]}}
    assert strategic(patch)["metadata"]["finalizers"] == ["x/2"]
    patch = {"metadata": {"$setElementOrder/finalizers": ["x/2", "x/1"]}}
    assert strategic(patch)["metadata"]["finalizers"] == ["x/2", "x/1"]


def test_list_without_merge_strategy_is_replaced():
    assert containers({"name": "web", "args": ["a"]})[0]["args"] == ["a"]


def test_null_deletes_the_field_and_nulls_in_new_values_vanish():
    assert "labels" not in strategic({"metadata": {"labels": None}})["metadata"]
    assert strategic({"metadata": {"labels": {"a": None}}})["metadata"]["labels"] == {"b": "2"}
    assert strategic({"metadata": {"annotations": {"x": None, "y": "1"}}})["metadata"]["annotations"] == {"y": "1"}


@pytest.mark.parametrize(
    ("patch", "code", "message"),
    [
        (b"[]", 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (b"{", 400, "unexpected end of JSON input"),
        ({"spec": {"template": {"spec": {"containers": [{"image": "noname"}]}}}}, 500,
         "map: map[image:noname] does not contain declared merge key: name"),
        ({"spec": {"strategy": {"$patch": "merge"}}}, 500,
         "unknown patch type: merge in map: map[$patch:merge]"),
        ({"spec": {"strategy": {"$retainKeys": ["a"], "type": "Recreate"}}}, 400,
         "invalid patch format of retainKeys"),
        ({"metadata": {"$setElementOrder/finalizers": ["a", "b"], "finalizers": ["b", "a"]}}, 400,
         "The order in patch list:\n[b a]\n doesn't match $setElementOrder list:\n[a b]\n"),
        ({"spec": {"replicas": "x"}}, 422,
         ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": unrecognized type: int32'),
        ({"spec": {"replica": 3}}, 422,
         ' "" is invalid: patch: Invalid value: "map[spec:map[replica:3]]": '
         'strict decoding error: unknown field "spec.replica"'),
        (b'{"spec":{"replicas":1,"replicas":2}}', 422,
         ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:2]]": '
         'strict decoding error: duplicate field "spec.replicas"'),
    ],
)  # fmt: skip
def test_bad_strategic_patch_is_refused_in_the_originals_words(patch: Any, code: int, message: str):
    with pytest.raises(ApiError) as refused:
        strategic(patch)
    assert (refused.value.code, refused.value.message) == (code, message)
    assert ("reason" in refused.value.to_status()) == (code != 500)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)  # fmt: skip
def test_merge_patch_follows_the_rfcs_examples(target: Any, patch: Any, result: Any):
    assert merge(target, patch) == result


def test_json_patch_changes_what_it_names():
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 1},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "add", "path": "/metadata/labels/c~1d", "value": "3"},
        {"op": "remove", "path": "/spec/template/spec/containers/1"},
    ]
    found = apply_patch(DEPLOYMENT, stored(), orjson.dumps(operations), JSON_PATCH, "Strict").obj
    assert found["spec"]["replicas"] == 3
    assert found["metadata"]["labels"] == {"a": "1", "b": "2", "c/d": "3"}
    assert [c["name"] for c in found["spec"]["template"]["spec"]["containers"]] == ["web"]


@pytest.mark.parametrize(
    ("body", "media", "code", "message"),
    [
        (b"{}", JSON_PATCH, 400,
         "error decoding patch: json: cannot unmarshal object into Go value of type []interface {}"),
        (b"[1]", JSON_PATCH, 400, "json: cannot unmarshal number into Go value of type jsonpatch.Operation"),
        (b'[{"op":"test","path":"/spec/replicas","value":7}]', JSON_PATCH, 422,
         "the server rejected our request due to an error in our request"),
        (b'[{"op":"remove","path":"/nope"}]', JSON_PATCH, 422,
         "the server rejected our request due to an error in our request"),
        (b'[{"op":"nope","path":"/spec"}]', JSON_PATCH, 422,
         "the server rejected our request due to an error in our request"),
        (b"[]", MERGE_PATCH, 400,
         "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (b'{"kind":"Pod","apiVersion":"v1"}', MERGE_PATCH, 400,
         'Pod in version "v1" cannot be handled as a Deployment: '
         "converting (v1.Pod) to (apps.Deployment): unknown conversion"),
    ],
)  # fmt: skip
def test_bad_patch_is_refused(body: bytes, media: str, code: int, message: str):
    with pytest.raises(ApiError) as refused:
        apply_patch(DEPLOYMENT, stored(), body, media)
    assert (refused.value.code, refused.value.message) == (code, message)


def test_wrong_type_in_a_merge_patch_quotes_the_whole_object():
    with pytest.raises(ApiError) as refused:
        apply_patch(POD, {"metadata": {"name": "p"}}, b'{"spec":{"containers":3}}', MERGE_PATCH)
    quoted = '"{\\"metadata\\":{\\"name\\":\\"p\\"},\\"spec\\":{\\"containers\\":3}}"'
    reason = "json: cannot unmarshal number into Go struct field PodSpec.spec.containers of type []v1.Container"
    assert refused.value.message == f' "" is invalid: patch: Invalid value: {quoted}: {reason}'


@pytest.mark.parametrize("media", [APPLY_PATCH, "application/json", ""])
def test_other_media_types_are_refused(media: str):
    with pytest.raises(UnsupportedMediaType) as refused:
        apply_patch(DEPLOYMENT, stored(), b"{}", media)
    assert refused.value.message.endswith(
        "application/json-patch+json, application/merge-patch+json, "
        "application/strategic-merge-patch+json, application/apply-patch+yaml"
    )


@pytest.mark.parametrize(
    "body", [b'{"a":' * 900 + b"1" + b"}" * 900, b'{"metadata":{"annotations":' * 400 + b"1" + b"}}" * 400]
)
@pytest.mark.parametrize("media", [MERGE_PATCH, STRATEGIC_MERGE_PATCH])
def test_deep_patch_ends_in_an_api_error_at_worst(body: bytes, media: str):
    with contextlib.suppress(BadRequest, Invalid):
        assert apply_patch(DEPLOYMENT, stored(), body, media, "Ignore").obj["metadata"]["name"] == "web"


def test_ports_of_a_service_merge_by_number():
    body = b'{"metadata":{"name":"s"},"spec":{"ports":[{"port":80,"name":"a"},{"port":81,"name":"b"}]}}'
    current = decode(body, "", SERVICE).obj
    patch = b'{"spec":{"ports":[{"port":81,"targetPort":"http"}]}}'
    ports = apply_patch(SERVICE, current, patch, STRATEGIC_MERGE_PATCH).obj["spec"]["ports"]
    assert sorted(p["name"] for p in ports) == ["a", "b"]
    assert next(p for p in ports if p["port"] == 81)["targetPort"] == "http"


def test_selector_of_a_disruption_budget_is_replaced():
    current = decode(b'{"spec":{"selector":{"matchLabels":{"a":"1"}}}}', "", POD_DISRUPTION_BUDGET).obj
    patch = b'{"spec":{"selector":{"matchLabels":{"b":"2"}}}}'
    found = apply_patch(POD_DISRUPTION_BUDGET, current, patch, STRATEGIC_MERGE_PATCH).obj
    assert found["spec"]["selector"] == {"matchLabels": {"b": "2"}}


NAMES = st.sampled_from(["web", "side", "new", "other"])
ENV = st.fixed_dictionaries({"name": st.sampled_from("ABC")}, optional={"value": st.sampled_from(["", "x"])})
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={
            "image": st.sampled_from(["i:1", "i:2"]),
            "env": st.lists(ENV, max_size=3, unique_by=lambda e: e["name"]),
        },
    ),
    max_size=3,
    unique_by=lambda c: c["name"],
)
LABELS = st.dictionaries(st.sampled_from("abc"), st.none() | st.sampled_from(["1", "2"]), max_size=3)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries({"labels": LABELS}),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "replicas": st.integers(0, 5),
                "template": st.fixed_dictionaries({"spec": st.fixed_dictionaries({"containers": CONTAINERS})}),
            },
        ),
    },
)


@given(PATCHES, st.sampled_from([MERGE_PATCH, STRATEGIC_MERGE_PATCH]))
def test_patching_twice_is_patching_once_and_leaves_its_input_alone(patch: Obj, media: str):
    current, body = stored(), orjson.dumps(patch)
    before = deepcopy(current)
    once = apply_patch(DEPLOYMENT, current, body, media, "Strict").obj
    assert current == before
    assert apply_patch(DEPLOYMENT, once, body, media, "Strict").obj == once


@given(CONTAINERS)
def test_strategic_patch_loses_no_container_and_keeps_the_patchs_order(items: list[Obj]):
    names = [c["name"] for c in containers(*items)]
    assert set(names) == {"web", "side"} | {c["name"] for c in items}
    assert len(names) == len(set(names))
    assert [name for name in names if name in {c["name"] for c in items}] == [c["name"] for c in items]


@pytest.mark.parametrize("media", [MERGE_PATCH, STRATEGIC_MERGE_PATCH])
def test_empty_patch_changes_nothing(media: str):
    assert apply_patch(DEPLOYMENT, stored(), b"{}", media, "Strict").obj == stored()
