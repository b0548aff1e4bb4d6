"""OpenAPI of custom kinds: their schemas as they were given, beside metadata and lists as every kind has them."""

import hashlib
from typing import Any

import orjson

from drumroll.apiserver import openapi, openapi_protobuf
from drumroll.apiserver.registry import Registry
from drumroll.objects.custom import EMBEDDED, INT_OR_STRING, PRESERVE, CustomKind
from drumroll.objects.meta import Obj

_META = "apimachinery.pkg.apis.meta.v1.ObjectMeta"
_LIST_META = "apimachinery.pkg.apis.meta.v1.ListMeta"
_NOT_IN_V2 = ("oneOf", "anyOf", "allOf", "not", "nullable", "default", "x-kubernetes-validations")


def v3_index(registry: Registry) -> bytes:
    """The index of documents, custom group versions included."""
    if "v3_index" not in registry.derived:
        found = orjson.loads(openapi.v3_index())
        for path in {_path(kind) for kind in registry.custom}:
            digest = hashlib.sha256(_v3(registry, path)).hexdigest().upper()
            found["paths"][path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        registry.derived["v3_index"] = orjson.dumps(found)
    index: bytes = registry.derived["v3_index"]
    return index


def v3_document(registry: Registry, path: str) -> bytes | None:
    """The document of a group version, be it of the table or custom; None when it is not served."""
    name = path.removeprefix("/openapi/v3/").strip("/")
    if any(_path(kind) == name for kind in registry.custom):
        return _v3(registry, name)
    return openapi.v3_document(path)


def v2_json(registry: Registry) -> bytes:
    """The document of version 2, for all kinds."""
    if not registry.custom:
        return openapi.v2_json()
    if "v2_json" not in registry.derived:
        registry.derived["v2_json"] = orjson.dumps(_v2(registry))
    document: bytes = registry.derived["v2_json"]
    return document


def v2_protobuf(registry: Registry) -> bytes:
    """The same in protobuf."""
    if not registry.custom:
        return openapi.v2_protobuf()
    if "v2_protobuf" not in registry.derived:
        registry.derived["v2_protobuf"] = openapi_protobuf.document(_v2(registry))
    document: bytes = registry.derived["v2_protobuf"]
    return document


def _path(kind: CustomKind) -> str:
    return f"apis/{kind.group}/{kind.version}"


def _name(kind: CustomKind) -> str:
    """`com.example.v1.Widget`: the group backwards. Source: apiextensions controller/openapi/builder."""
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.name])


def _v3(registry: Registry, path: str) -> bytes:
    key = f"v3 {path}"
    if key not in registry.derived:
        kinds = [kind for kind in registry.custom if _path(kind) == path]
        document = {
            "openapi": "3.0.0",
            "info": openapi.INFO,
            "paths": dict(item for kind in kinds for item in openapi.paths_of(kind, _name(kind), is_v3=True)),
            "components": {"schemas": _schemas(kinds, openapi.V3)},
        }
        registry.derived[key] = orjson.dumps(document)
    body: bytes = registry.derived[key]
    return body


def _v2(registry: Registry) -> Obj:
    document: Obj = orjson.loads(openapi.v2_json())
    for kind in registry.custom:
        document["paths"].update(openapi.paths_of(kind, _name(kind), is_v3=False))
    document["definitions"].update(_schemas(registry.custom, openapi.V2))
    return document


def _schemas(kinds: "list[CustomKind] | tuple[CustomKind, ...]", prefix: str) -> Obj:
    out: Obj = {}
    for kind in kinds:
        name, gvk = _name(kind), {"group": kind.group, "kind": kind.name, "version": kind.version}
        schema = _plain(kind.definition.schema) if prefix == openapi.V2 else dict(kind.definition.schema)
        known = dict(schema.get("properties") or {})
        known["apiVersion"] = {"type": "string", **(known.get("apiVersion") or {})}
        known["kind"] = {"type": "string", **(known.get("kind") or {})}
        known["metadata"] = openapi.reference(_META, prefix)
        out[name] = {**schema, "type": "object", "properties": known, openapi.GVK: [gvk]}
        if kind.definition.schema.get(PRESERVE) and not kind.definition.schema.get("properties"):
            out[name].pop("properties" if prefix == openapi.V2 else "required", None)
        item = {"$ref": f"{prefix}{name}"}
        out[f"{name}List"] = {
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "items": {"type": "array", "items": {"allOf": [item]} if prefix == openapi.V3 else item},
                "kind": {"type": "string"},
                "metadata": openapi.reference(_LIST_META, prefix),
            },
            openapi.GVK: [{**gvk, "kind": kind.definition.list_name or f"{kind.name}List"}],
        }
    for name in (_META, _LIST_META, "apimachinery.pkg.apis.meta.v1.DeleteOptions"):
        openapi.add(out, name, prefix)
    return out


def _plain(schema: Any) -> Any:
    """A schema in the words that version 2 has. Source: apiextensions controller/openapi/v2/conversion.go."""
    if isinstance(schema, bool):
        return {}
    out = {name: value for name, value in schema.items() if name not in _NOT_IN_V2}
    if schema.get(PRESERVE) or schema.get(INT_OR_STRING) or schema.get("nullable") or schema.get(EMBEDDED):
        for name in ("type", "items", "properties", "required", "additionalProperties", "format"):
            out.pop(name, None)
        return out
    for name in ("items", "additionalProperties"):
        if isinstance(out.get(name), dict):
            out[name] = _plain(out[name])
        elif name in out:
            out[name] = {}
    if out.get("properties"):
        out["properties"] = {name: _plain(inner) for name, inner in out["properties"].items()}
    return out
