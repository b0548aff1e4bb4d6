"""OpenAPI documents carry what kubectl looks for."""

import json
from typing import Any

import pytest

from drumroll.apiserver import openapi
from drumroll.objects.kinds import KINDS, Kind

GVK = "x-kubernetes-group-version-kind"


def refs(value: Any):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rsplit("/", 1)[1]
        for item in value.values():
            yield from refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from refs(item)


def document(kind: Kind) -> dict[str, Any]:
    path = f"/openapi/v3/apis/{kind.group}/{kind.version}" if kind.group else f"/openapi/v3/api/{kind.version}"
    body = openapi.v3_document(path)
    assert body is not None
    return json.loads(body)


def test_index_names_every_group_version_once_with_a_hash():
    paths = json.loads(openapi.v3_index())["paths"]
    assert set(paths) == {f"apis/{k.group}/{k.version}" if k.group else f"api/{k.version}" for k in KINDS}
    for path, entry in paths.items():
        address, _, hash_ = entry["serverRelativeURL"].partition("?hash=")
        assert address == f"/openapi/v3/{path}"
        assert len(hash_) == 64


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.api_version}-{kind.name}")
def test_kind_can_be_validated_by_the_server(kind: Kind):
    found = document(kind)
    wanted = {"group": kind.group, "version": kind.version, "kind": kind.name}
    patches = [item["patch"] for item in found["paths"].values() if item.get("patch", {}).get(GVK) == wanted]
    assert len(patches) == 1
    assert {"fieldValidation", "dryRun"} <= {p["name"] for p in patches[0]["parameters"] if p["in"] == "query"}
    assert any(wanted in schema.get(GVK, ()) for schema in found["components"]["schemas"].values())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.api_version}-{kind.name}")
def test_every_reference_resolves(kind: Kind):
    found = document(kind)
    assert set(refs(found)) <= set(found["components"]["schemas"])


def test_version_2_references_resolve_too():
    found = json.loads(openapi.v2_json())
    assert set(refs(found)) <= set(found["definitions"])


def test_unknown_document_is_none():
    assert openapi.v3_document("/openapi/v3/apis/nope/v1") is None


def test_merge_keys_are_published():
    schemas = document(KINDS[2])["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    volumes = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["volumes"]
    assert volumes["x-kubernetes-patch-strategy"] == "merge,retainKeys"


def fields(data: bytes):
    """The fields of a protobuf message: (number, bytes or int)."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            size = varint()
            yield tag >> 3, data[at : at + size]
            at += size


def test_protobuf_form_says_the_same_as_json():
    swagger = json.loads(openapi.v2_json())
    document = list(fields(openapi.v2_protobuf()))
    assert dict(document)[1] == b"2.0"
    schemas = [dict(fields(named)) for number, named in fields(dict(document)[9]) if number == 1]
    assert [s[1].decode() for s in schemas] == list(swagger["definitions"])
    paths = [dict(fields(named)) for number, named in fields(dict(document)[8]) if number == 2]
    assert [p[1].decode() for p in paths] == list(swagger["paths"])
    for schema in schemas:
        expected = swagger["definitions"][schema[1].decode()]
        properties = [v for number, v in fields(schema.get(2, b"")) if number == 25]
        names = [dict(fields(p))[1].decode() for _, p in fields(properties[0])] if properties else []
        assert names == list(expected.get("properties", {}))
