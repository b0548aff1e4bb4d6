"""OpenAPI documents, generated from the kinds and the schema table: version 3 per group, version 2 in one piece.

Good for what kubectl reads: server-side validation, `explain`, strategic merge keys, dry-run support. The table
holds no descriptions, so there are none here.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson

from drumroll.apiserver import openapi_protobuf
from drumroll.objects.custom import CustomKind
from drumroll.objects.kinds import KINDS, Kind
from drumroll.objects.meta import Obj
from drumroll.objects.schema import Field, is_message, message, message_of
from drumroll.objects.wire import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH

INFO = {"title": "Kubernetes", "version": "v1.36.0"}
GVK = "x-kubernetes-group-version-kind"
V3, V2 = "#/components/schemas/", "#/definitions/"
_SCALARS: dict[str, Obj] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "raw": {"type": "object"},
}
_NAMED = {
    "quantity": "apimachinery.pkg.api.resource.Quantity",
    "time": "apimachinery.pkg.apis.meta.v1.Time",
    "microtime": "apimachinery.pkg.apis.meta.v1.MicroTime",
    "intstr": "apimachinery.pkg.util.intstr.IntOrString",
    "fieldsv1": "apimachinery.pkg.apis.meta.v1.FieldsV1",
    "json": "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    "schemaorbool": "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool",
}
_NAMED_SCHEMAS: dict[str, Obj] = {
    _NAMED["quantity"]: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    _NAMED["time"]: {"type": "string", "format": "date-time"},
    _NAMED["microtime"]: {"type": "string", "format": "date-time"},
    _NAMED["intstr"]: {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    _NAMED["fieldsv1"]: {"type": "object"},
    _NAMED["json"]: {"description": "any JSON value"},  # with words, as kubectl explain takes an empty schema for none
    _NAMED["schemaorbool"]: {"description": "a schema, or true or false"},
}
_PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH)
_WRITING = ("dryRun", "fieldManager", "fieldValidation")


@cache
def v3_index() -> bytes:
    """The index of documents: path of each group version, and its URL with a hash that changes with its content."""
    paths = {
        path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={hashlib.sha256(_v3(path)).hexdigest().upper()}"}
        for path in _kinds_by_path()
    }
    return orjson.dumps({"paths": paths})


def v3_document(path: str) -> bytes | None:
    """The document at `/openapi/v3/apis/apps/v1` (or `apis/apps/v1`); None when there is no such group version."""
    name = path.removeprefix("/openapi/v3/").strip("/")
    return _v3(name) if name in _kinds_by_path() else None


@cache
def v2_json() -> bytes:
    """The document of version 2, for all groups."""
    return orjson.dumps(_v2())


@cache
def v2_protobuf() -> bytes:
    """The same in the protobuf form of gnostic, the only one that clients before 1.24 ask for."""
    return openapi_protobuf.document(_v2())


@cache
def _kinds_by_path() -> dict[str, list[Kind]]:
    found: dict[str, list[Kind]] = {}
    for kind in KINDS:
        root = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
        found.setdefault(root, []).append(kind)
    return found


@cache
def _v3(path: str) -> bytes:
    kinds = _kinds_by_path()[path]
    return orjson.dumps(
        {
            "openapi": "3.0.0",
            "info": INFO,
            "paths": dict(
                item for kind in kinds for item in paths_of(kind, f"io.k8s.{message_of(kind).name}", is_v3=True)
            ),
            "components": {"schemas": _schemas(kinds, V3)},
        }
    )


def _v2() -> Obj:
    return {
        "swagger": "2.0",
        "info": INFO,
        "paths": dict(
            item for kind in KINDS for item in paths_of(kind, f"io.k8s.{message_of(kind).name}", is_v3=False)
        ),
        "definitions": _schemas(KINDS, V2),
    }


def _schemas(kinds: "list[Kind] | tuple[Kind, ...]", prefix: str) -> Obj:
    """The schemas of the kinds and of all that they reach."""
    out: Obj = {}
    for kind in kinds:
        name = message_of(kind).name
        add(out, name, prefix)
        out[f"io.k8s.{name}"][GVK] = [{"group": kind.group, "kind": kind.name, "version": kind.version}]
        out[f"io.k8s.{name}List"] = _list_schema(kind, prefix)
    add(out, "apimachinery.pkg.apis.meta.v1.ListMeta", prefix)
    return out


def add(out: Obj, name: str, prefix: str) -> None:
    """Add the schema of a message, and of all that it reaches, to `out`."""
    key = f"io.k8s.{name}"
    if key in out:
        return
    if name in _NAMED_SCHEMAS:
        schema = _NAMED_SCHEMAS[name]
        out[key] = {"type": "string", **schema} if prefix == V2 and "oneOf" in schema else dict(schema)
        if prefix == V2:
            out[key].pop("oneOf", None)
        return
    shape = message(name)
    out[key] = schema = {"type": "object"}
    required = [field.name for field in shape.fields.values() if field.required]
    if required:
        schema["required"] = required
    if shape.fields:
        schema["properties"] = {field.name: _property(field, prefix) for field in shape.fields.values()}
    for field in shape.fields.values():
        if is_message(field.element):
            add(out, field.element, prefix)
        elif field.element in _NAMED:
            add(out, _NAMED[field.element], prefix)


def _property(field: Field, prefix: str) -> Obj:
    schema = _type(field.type, prefix)
    for name, value in (
        ("list-map-keys", list(field.list_keys)),
        ("list-type", field.list_type),
        ("map-type", field.map_type),
        ("patch-merge-key", field.merge_key),
        ("patch-strategy", ",".join(field.strategies)),
    ):
        if value:
            schema[f"x-kubernetes-{name}"] = value
    return schema


def _type(type_: str, prefix: str) -> Obj:
    if type_.startswith("[]"):
        return {"type": "array", "items": _type(type_[2:], prefix)}
    if type_.startswith("map[string]"):
        return {"type": "object", "additionalProperties": _type(type_.removeprefix("map[string]"), prefix)}
    name = type_ if is_message(type_) else _NAMED.get(type_)
    if name is None:
        return dict(_SCALARS[type_])
    reference = {"$ref": f"{prefix}io.k8s.{name}"}
    return {"allOf": [reference]} if prefix == V3 else reference


def _list_schema(kind: Kind, prefix: str) -> Obj:
    return {
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "items": {"type": "array", "items": _type(message_of(kind).name, prefix)},
            "kind": {"type": "string"},
            "metadata": _type("apimachinery.pkg.apis.meta.v1.ListMeta", prefix),
        },
        GVK: [{"group": kind.group, "kind": f"{kind.name}List", "version": kind.version}],
    }


def reference(name: str, prefix: str) -> Obj:
    """A reference to a message's schema."""
    return _type(name, prefix)


def paths_of(kind: Kind, schema: str, *, is_v3: bool) -> Iterator[tuple[str, Obj]]:
    """The collection and the object of a kind, with their operations; `schema` is the full name of its schema."""
    shown = schema if is_v3 else ""
    collection = kind.path("{namespace}" if kind.namespaced else "")
    names = ["namespace"] if kind.namespaced else []
    yield (
        collection,
        {
            "get": _operation(kind, "list", ("limit", "continue", "labelSelector", "fieldSelector", "watch"), shown),
            "post": _operation(kind, "post", _WRITING, shown),
            "parameters": [_parameter(name, "path", is_v3) for name in names],
        },
    )
    yield (
        f"{collection}/{{name}}",
        {
            "get": _operation(kind, "get", (), shown),
            "put": _operation(kind, "put", _WRITING, shown),
            "patch": _operation(kind, "patch", (*_WRITING, "force"), shown),
            "delete": _operation(kind, "delete", ("dryRun", "gracePeriodSeconds", "propagationPolicy"), shown),
            "parameters": [_parameter(name, "path", is_v3) for name in ("name", *names)],
        },
    )


def _operation(kind: Kind, action: str, query: tuple[str, ...], shown: str) -> Obj:
    """One operation; `shown` names the schema of bodies in version 3, and is empty in version 2."""
    is_v3 = bool(shown)
    operation: dict[str, Any] = {
        "parameters": [_parameter(name, "query", is_v3) for name in query],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        GVK: {"group": kind.group, "kind": kind.name, "version": kind.version},
    }
    if is_v3:
        schema = {"schema": {"allOf": [{"$ref": f"{V3}{shown}"}]}}
        operation["responses"]["200"]["content"] = {"application/json": schema}
        if action in ("post", "put"):
            operation["requestBody"] = {"content": {"application/json": schema}, "required": True}
        elif action == "patch":
            patch = {"schema": {"type": "object"}}
            understood = [one for one in _PATCHES if one != STRATEGIC_MERGE_PATCH or not isinstance(kind, CustomKind)]
            operation["requestBody"] = {"content": dict.fromkeys(understood, patch), "required": True}
    return operation


def _parameter(name: str, place: str, is_v3: bool) -> Obj:
    type_ = "boolean" if name in ("watch", "force") else "integer" if name in ("limit",) else "string"
    parameter: Obj = {"name": name, "in": place}
    if place == "path":
        parameter["required"] = True
    return {**parameter, "schema": {"type": type_}} if is_v3 else {**parameter, "type": type_, "uniqueItems": True}
