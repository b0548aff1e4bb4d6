"""Bodies become objects or the original's errors. The texts were recorded from a stock API server."""

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.objects.decode import DELETE_OPTIONS, EVICTION, PROTOBUF, SCALE, YAML, decode
from drumroll.objects.errors import BadRequest, UnsupportedMediaType
from drumroll.objects.kinds import CONFIG_MAP, DEPLOYMENT, EVENT, KINDS, POD, POD_DISRUPTION_BUDGET, SERVICE

FIELD = "Go struct field"
AS_DEPLOYMENT = 'Deployment in version "v1" cannot be handled as a Deployment: '
UNRECOGNIZED = (
    "the object provided is unrecognized (must be of type Deployment): couldn't get version/kind; json parse error: "
)
TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


def deployment(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "app:1"}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template} | spec
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def container(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"} | fields]}}


def refusal(body: bytes | dict[str, Any], kind=DEPLOYMENT, content_type: str = "", validation: str = "") -> str:
    with pytest.raises(BadRequest) as refused:
        decode(body if isinstance(body, bytes) else orjson.dumps(body), content_type, kind, validation)
    return refused.value.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", UNRECOGNIZED + "unexpected end of JSON input ({)"),
        (b"", UNRECOGNIZED + "unexpected end of JSON input (<empty>)"),
        (b"[]", UNRECOGNIZED + f"json: cannot unmarshal array into Go value of type {TYPE_META} (5b5d)"),
        (b"{x}", UNRECOGNIZED + "invalid character 'x' looking for beginning of object key string ({x})"),
        (b'{"a":1 "b"}', UNRECOGNIZED + "invalid character '\"' after object key:value pair ({\"a\":1 \"b\"})"),
        (b"nope", UNRECOGNIZED + "invalid character 'n' looking for beginning of value (6e6f7065)"),
        (b'{"kind":5}', UNRECOGNIZED + "json: cannot unmarshal number "
        f"into {FIELD} .kind of type string ({{\"kind\":5}})"),
        ({"kind": "Pod", "apiVersion": "v1"},
         'Pod in version "v1" cannot be handled as a Deployment: '
         "converting (v1.Pod) to (apps.Deployment): unknown conversion"),
        ({"apiVersion": "apps/v2", "kind": "Deployment"},
         'Deployment in version "v2" cannot be handled as a Deployment: no kind "Deployment" is registered '
         'for version "apps/v2" in scheme "pkg/api/legacyscheme/scheme.go:30"'),
        (deployment(replicas="three"),
         AS_DEPLOYMENT + "json: cannot unmarshal string "
         f"into {FIELD} DeploymentSpec.spec.replicas of type int32"),
        (deployment(replicas=1.5),
         AS_DEPLOYMENT + "json: cannot unmarshal number 1.5 "
         f"into {FIELD} DeploymentSpec.spec.replicas of type int32"),
        (deployment(replicas=2**31),
         AS_DEPLOYMENT + "json: cannot unmarshal number 2147483648 "
         f"into {FIELD} DeploymentSpec.spec.replicas of type int32"),
        (deployment(template="x"),
         AS_DEPLOYMENT + "json: cannot unmarshal string "
         f"into {FIELD} DeploymentSpec.spec.template of type v1.PodTemplateSpec"),
        (deployment(selector={"matchLabels": {"a": 1}}),
         AS_DEPLOYMENT + "json: cannot unmarshal number "
         f"into {FIELD} LabelSelector.spec.selector.matchLabels of type string"),
        (deployment(template={"spec": {"containers": {}}}),
         AS_DEPLOYMENT + "json: cannot unmarshal object "
         f"into {FIELD} PodSpec.spec.template.spec.containers of type []v1.Container"),
        (deployment(template={"spec": {"containers": [{"resources": {"limits": {"cpu": "x"}}}]}}),
         AS_DEPLOYMENT + "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    ],
)  # fmt: skip
def test_bad_body_is_refused_in_the_originals_words(body: bytes | dict[str, Any], message: str):
    assert refusal(body) == message


def test_unknown_media_type_is_refused():
    with pytest.raises(UnsupportedMediaType) as refused:
        decode(b"{}", "text/plain", POD)
    assert refused.value.message == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    )


def test_unknown_fields_are_errors_warnings_or_nothing():
    body = deployment(replica=3, zap={"deep": 1})
    body["spec"]["template"]["spec"]["containers"][0]["imag"] = "x"
    paths = [f'unknown field "{p}"' for p in ("spec.template.spec.containers[0].imag", "spec.replica", "spec.zap")]
    assert refusal(body, validation="Strict") == f"{AS_DEPLOYMENT}strict decoding error: {', '.join(paths)}"
    for validation in ("", "Warn"):
        decoded = decode(orjson.dumps(body), "", DEPLOYMENT, validation)
        assert decoded.warnings == tuple(paths)
        assert "replica" not in decoded.obj["spec"]
    assert decode(orjson.dumps(body), "", DEPLOYMENT, "Ignore").warnings == ()


@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata":{"name":"d","name":"e"}}',
        b'{"metadata":{"name":"d","name" : "e"}}',
        b'{"metadata":{"name":"d","name":"e","annotations":{"\\\\":"\\":"}}}',
    ],
    ids=["compact", "spaces before colons", "quotes and colons inside strings"],
)
def test_repeated_field_is_refused(body: bytes):
    assert (
        refusal(body, validation="Strict") == f'{AS_DEPLOYMENT}strict decoding error: duplicate field "metadata.name"'
    )


def test_strict_problems_come_in_the_order_of_the_document():
    body = b'{"x":1,"metadata":{"name":"d","name":"e","y":2},"data":{"a":"1","a":"2"}}'
    assert decode(body, "", CONFIG_MAP).warnings == (
        'unknown field "x"',
        'duplicate field "metadata.name"',
        'unknown field "metadata.y"',
        'duplicate field "data.a"',
    )


@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(0, 9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    )
)
def test_body_without_repeated_keys_is_never_said_to_have_them(value: Any):
    body = {"metadata": {"managedFields": [{"fieldsV1": {"f": value}}]}}
    for dumped in (
        orjson.dumps(body),
        json.dumps(body, indent=2).encode(),
        json.dumps(body, separators=(" , ", " : ")).encode(),
    ):
        assert not any("duplicate" in warning for warning in decode(dumped, "", POD).warnings)


def test_yaml_booleans_are_those_of_yaml_1_1():
    assert refusal(b"kind: Deployment\nmetadata: {name: y}", content_type=YAML) == (
        AS_DEPLOYMENT + "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.name of type string"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("2020-01-02", "2020-01-02"), ("1:30", "1:30"), ("'y'", "y"), ("0x1F", 31), ("010", 8), ("1_000", 1000),
     ("1e3", 1000.0),
     ("off", False), ("~", None), ("1.5", 1.5), ("08", 8.0), ("-3", -3), ("a b", "a b")],
)  # fmt: skip
def test_yaml_scalar_is_read_as_the_original_reads_it(text: str, value: Any):
    from drumroll.objects.yaml_body import parse_yaml

    assert parse_yaml(f"a: {text}".encode()) == {"a": value}


def test_yaml_body_decodes_and_names_its_repeated_keys():
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\ndata: {2: one, true: two}\n"
    decoded = decode(body, YAML, CONFIG_MAP)
    assert decoded.obj["data"] == {"2": "one", "true": "two"}
    assert decoded.warnings == ('yaml: unmarshal errors:\n  line 5: key "name" already set in map',)


@pytest.mark.parametrize(
    "body", [b"a: [", b"\tx", b"a: &a [*a]", b"\xff\xfe\x00", b"- 1", b"--- 1\n--- 2", b"!!python/none x"]
)
def test_malformed_yaml_is_a_bad_request(body: bytes):
    assert "unrecognized" in refusal(body, content_type=YAML)


def test_aliases_that_blow_up_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "excessive aliasing" in refusal("\n".join(lines).encode(), content_type=YAML)


@pytest.mark.parametrize("body", [b'{"a":' * 900 + b"1" + b"}" * 900, b"[" * 5000, b'{"a":' * 100_000])
def test_deep_nesting_is_a_bad_request_or_dropped(body: bytes):
    with contextlib.suppress(BadRequest):
        assert decode(body, "", POD, "Ignore").obj["metadata"] == {}


@given(st.binary(max_size=60), st.sampled_from(["", YAML, PROTOBUF]), st.sampled_from(KINDS))
def test_any_bytes_are_an_object_or_a_bad_request(body: bytes, content_type: str, kind):
    with contextlib.suppress(BadRequest):
        assert decode(body, content_type, kind).obj["kind"] == kind.name


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}},
         {"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}),
        ({"env": [], "args": None, "command": ["a", None]}, {"command": ["a", ""], "resources": {}}),
        ({"env": [{"name": "E", "value": ""}]}, {"env": [{"name": "E"}], "resources": {}}),
        ({"stdin": False, "securityContext": {"privileged": False}},
         {"securityContext": {"privileged": False}, "resources": {}}),
        ({"livenessProbe": {"httpGet": {"port": "x"}, "periodSeconds": 0}},
         {"livenessProbe": {"httpGet": {"port": "x"}}, "resources": {}}),
    ],
    ids=["quantities become canonical", "nulls and empty lists vanish", "empty optional text vanishes",
         "false pointers stay", "zero that is no pointer vanishes"],
)  # fmt: skip
def test_object_is_stored_as_the_original_stores_it(fields: dict[str, Any], stored: dict[str, Any]):
    decoded = decode(orjson.dumps(container(**fields)), "", POD)
    assert decoded.obj["spec"]["containers"] == [{"name": "c", "image": "i"} | stored]


def test_structs_that_are_no_pointers_appear():
    obj = decode(b"{}", "", DEPLOYMENT).obj
    assert obj["spec"] == {"strategy": {}, "template": {"metadata": {}, "spec": {}}}
    assert obj["status"] == {}
    assert decode(b"{}", "", SERVICE).obj["status"] == {"loadBalancer": {}}
    event = decode(b'{"lastTimestamp":"2026-01-01T02:00:00.5+02:00"}', "", EVENT).obj
    assert (event["firstTimestamp"], event["lastTimestamp"]) == (None, "2026-01-01T00:00:00Z")
    assert decode(b"{}", "", POD_DISRUPTION_BUDGET).obj["status"]["expectedPods"] == 0


def test_zero_replicas_stay():
    assert decode(orjson.dumps(deployment(replicas=0, paused=False)), "", DEPLOYMENT).obj["spec"]["replicas"] == 0


def test_options_are_accepted_under_any_version():
    body = b'{"kind":"DeleteOptions","apiVersion":"apps/v1","gracePeriodSeconds":0,"propagationPolicy":"Background"}'
    found = decode(body, "", DELETE_OPTIONS).obj
    assert (found["gracePeriodSeconds"], found["propagationPolicy"]) == (0, "Background")
    assert decode(b'{"spec":{"replicas":0}}', "", SCALE).obj["spec"] == {}
    assert decode(b'{"kind":"Eviction","apiVersion":"policy/v1"}', "", EVICTION).obj["kind"] == "Eviction"


@given(st.integers(0, 9), st.booleans(), st.lists(st.sampled_from("abc"), max_size=2))
def test_stored_form_is_stable(replicas: int, paused: bool, args: list[str]):
    body = deployment(
        replicas=replicas, paused=paused, template={"spec": {"containers": [{"name": "c", "args": args}]}}
    )
    once = decode(orjson.dumps(body), "", DEPLOYMENT).obj
    assert decode(orjson.dumps(once), "", DEPLOYMENT).obj == once


def test_raw_value_that_could_not_be_written_again_is_refused():
    deep = b'{"metadata":{"managedFields":[{"fieldsV1":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}]}}"
    assert "unsupported value" in refusal(deep)
