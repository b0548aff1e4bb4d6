"""Protobuf bodies, recorded from kubectl 1.32, become the objects that its JSON would have been."""

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.objects.decode import PROTOBUF, decode
from drumroll.objects.errors import BadRequest
from drumroll.objects.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    INGRESS,
    KINDS,
    NAMESPACE,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SERVICE,
    Kind,
)
from drumroll.objects.protobuf import decode_message

RECORDED = {
    "deployment": (
        "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErYBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEoQBCAISDAoKCgNhcHASA3dlYhpq"
        "ChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkoSLAoDYXBwEgVhcHA6MSoAMgoKABAAGFAiACoAQgBqAHIAgAEAiAEAkAEAogEAGgAyAEIA"
        "SgBSAFgAYABoAIIBAIoBAJoBAMIBACICCgAoADgAGgwIABAAGAAgACgAOAAaACIA"
    ),
    "configmap": "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEiIKEQoBYxIAGgAiACoAMgA4AEIAEgYKAWESAWISBQoBbhIAGgAiAA==",
    "secret": "azhzAAoMCgJ2MRIGU2VjcmV0Eh0KEQoBcxIAGgAiACoAMgA4AEIAEgYKAWESAWIaABoAIgA=",
    "namespace": "azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhkKEQoBbhIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==",
    "service": (
        "azhzAAoNCgJ2MRIHU2VydmljZRJjChsKAXgSABoAIgAqADIAOABCAFoICgNhcHASAXgSQAobCgc4MC04MDgwEgNUQ1AYUCIHCAAQkD8aACgAEggK"
        "A2FwcBIBeBoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA=="
    ),
    "ingress": (
        "azhzAAofChRuZXR3b3JraW5nLms4cy5pby92MRIHSW5ncmVzcxJSChEKAWkSABoAIgAqADIAOABCABI5EggKA2EuYhIBdBomCgNhLmISHwodChsK"
        "Ai94Eg0iCwoDc3ZjEgQKABBQGgZQcmVmaXgiBW5naW54GgIKABoAIgA="
    ),
    "pdb": (
        "azhzAAogCglwb2xpY3kvdjESE1BvZERpc3J1cHRpb25CdWRnZXQSMwoRCgFiEgAaACIAKgAyADgAQgASEgoGCAAQARoAEggKBgoBYRIBYhoKCAAY"
        "ACAAKAAwABoAIgA="
    ),
}
DEPLOYMENT_SPEC = {
    "replicas": 2,
    "selector": {"matchLabels": {"app": "web"}},
    "template": {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"containerPort": 80}], "resources": {}}]},
    },
    "strategy": {},
}
INGRESS_RULE = {
    "host": "a.b",
    "http": {
        "paths": [{"path": "/x", "pathType": "Prefix", "backend": {"service": {"name": "svc", "port": {"number": 80}}}}]
    },
}


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("deployment", DEPLOYMENT, {"spec": DEPLOYMENT_SPEC, "status": {}}),
        ("configmap", CONFIG_MAP, {"data": {"a": "b", "n": ""}}),
        ("secret", SECRET, {"data": {"a": "Yg=="}}),
        ("namespace", NAMESPACE, {"spec": {}, "status": {}}),
        ("service", SERVICE, {
            "spec": {"ports": [{"name": "80-8080", "protocol": "TCP", "port": 80, "targetPort": 8080}],
                     "selector": {"app": "x"}, "type": "ClusterIP"},
            "status": {"loadBalancer": {}}}),
        ("ingress", INGRESS, {
            "spec": {"tls": [{"hosts": ["a.b"], "secretName": "t"}], "rules": [INGRESS_RULE],
                     "ingressClassName": "nginx"},
            "status": {"loadBalancer": {}}}),
        ("pdb", POD_DISRUPTION_BUDGET, {
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
            "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}}),
    ],
)  # fmt: skip
def test_recorded_body_becomes_its_object(name: str, kind: Kind, expected: dict[str, Any]):
    found = decode(base64.b64decode(RECORDED[name]), PROTOBUF, kind, "Strict").obj
    assert {key: value for key, value in found.items() if key not in ("apiVersion", "kind", "metadata")} == expected
    assert (found["apiVersion"], found["kind"]) == (kind.api_version, kind.name)


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def test_scalars_of_every_sort():
    quantity = field(8, field(1, field(1, b"cpu") + field(2, field(1, b"500m"))))
    container = field(1, b"c") + quantity
    assert decode_message(container, "api.core.v1.Container") == {
        "name": "c", "resources": {"limits": {"cpu": "500m"}},
    }  # fmt: skip
    time = field(8, b"\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01")
    assert decode_message(time, "apimachinery.pkg.apis.meta.v1.ObjectMeta") == {
        "creationTimestamp": "0001-01-01T00:00:00Z"
    }
    negative = b"\x08" + b"\xff" * 9 + b"\x01"
    assert decode_message(negative, "api.apps.v1.DeploymentSpec") == {"replicas": -1}
    surge = field(2, b"\x08\x01" + field(3, b"25%"))
    assert decode_message(surge, "api.apps.v1.RollingUpdateDeployment") == {"maxSurge": "25%"}
    probe = field(1, field(2, field(1, b"/h") + field(2, b"\x10\x50"))) + b"\x10\x05"
    assert decode_message(probe, "api.core.v1.Probe") == {
        "httpGet": {"path": "/h", "port": 80}, "initialDelaySeconds": 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"k8s",
        b"abcd",
        b"k8s\x00\x0a\xff",
        b"k8s\x00\x12\x02\x0a\x05",
        b"k8s\x00" + b"\xff" * 20,
        b"k8s\x00\x10\x01",
    ],
)
def test_malformed_body_is_a_bad_request(body: bytes):
    with pytest.raises(BadRequest):
        decode(body, PROTOBUF, CONFIG_MAP)


@given(st.binary(max_size=200), st.sampled_from(KINDS))
def test_any_bytes_are_an_object_or_a_bad_request(raw: bytes, kind: Kind):
    body = b"k8s\x00" + field(2, raw[:100])
    with contextlib.suppress(BadRequest):
        assert decode(body, PROTOBUF, kind).obj["kind"] == kind.name


@given(st.data(), st.sampled_from(sorted(RECORDED)))
def test_damaged_body_is_an_object_or_a_bad_request(data: st.DataObject, name: str):
    body = bytearray(base64.b64decode(RECORDED[name]))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(4, len(body) - 1))] = data.draw(st.integers(0, 255))
    for kind in KINDS:
        with contextlib.suppress(BadRequest):
            decode(bytes(body), PROTOBUF, kind)
