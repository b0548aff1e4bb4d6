"""Rules for ConfigMaps and Secrets. Source: pkg/apis/core/validation/validation.go."""

import json
from base64 import b64decode

from drumroll.domain.validation.field import Errors, forbidden, invalid, required, too_long, unchanged
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import config_key_faults, subdomain_faults
from drumroll.objects.gotext import syntax_error
from drumroll.objects.meta import Obj, annotations_of

_MOST_BYTES = 1024 * 1024
_FROZEN = "field is immutable when `immutable` is set"
_ACCOUNT = "kubernetes.io/service-account.name"
_NEEDED_KEYS = {
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON_KEYS = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}


def validate_config_map(config_map: Obj) -> Errors:
    """Keys are file names, no key is in both maps, and all values together have at most 1 MiB."""
    yield from validate_metadata(config_map["metadata"], namespaced=True, name_faults=subdomain_faults)
    data, binary = config_map.get("data") or {}, config_map.get("binaryData") or {}
    for key in data:
        for fault in config_key_faults(key):
            yield invalid(f"data[{key}]", key, fault)
        if key in binary:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binary:
        for fault in config_key_faults(key):
            yield invalid(f"binaryData[{key}]", key, fault)
    size = sum(len(value.encode()) for value in data.values()) + sum(_decoded_size(text) for text in binary.values())
    if size > _MOST_BYTES:
        yield too_long("[]", _MOST_BYTES)


def validate_config_map_update(new: Obj, old: Obj) -> Errors:
    """A ConfigMap once marked immutable stays as it is."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_frozen(new, old, ("data", "binaryData"))
    yield from validate_config_map(new)


def _validate_frozen(new: Obj, old: Obj, fields: tuple[str, ...]) -> Errors:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden("immutable", _FROZEN)
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            yield forbidden(field, _FROZEN)


def validate_secret(secret: Obj) -> Errors:
    """Keys are file names, values together have at most 1 MiB, and each type has the keys that it needs."""
    yield from validate_metadata(secret["metadata"], namespaced=True, name_faults=subdomain_faults)
    data = secret.get("data") or {}
    for key in data:
        for fault in config_key_faults(key):
            yield invalid(f"data[{key}]", key, fault)
    if sum(_decoded_size(text or "") for text in data.values()) > _MOST_BYTES:
        yield too_long("data", _MOST_BYTES)
    kind = secret.get("type") or ""
    if kind == "kubernetes.io/service-account-token" and not annotations_of(secret).get(_ACCOUNT):
        yield required(f"metadata.annotations[{_ACCOUNT}]")
    for key in _NEEDED_KEYS.get(kind, ()):
        if key not in data or (kind == "kubernetes.io/ssh-auth" and not data[key]):
            yield required(f"data[{key}]")
    if kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        yield required("data[username]")
        yield required("data[password]")
    if kind in _JSON_KEYS:
        yield from _validate_json(data, _JSON_KEYS[kind])


def _validate_json(data: Obj, key: str) -> Errors:
    """The value is a JSON object; what it says stays secret."""
    if key not in data:
        yield required(f"data[{key}]")
        return
    body = b64decode(data[key] or "")
    try:
        value = json.loads(body)
    except ValueError as error:
        fault = (syntax_error(body) or str(error)) if body else "unexpected end of JSON input"
    else:
        if value is None or isinstance(value, dict):
            return
        name = {str: "string", bool: "bool", list: "array"}.get(type(value), "number")
        fault = f"json: cannot unmarshal {name} into Go value of type map[string]interface {{}}"
    yield invalid(f"data[{key}]", "<secret contents redacted>", fault)


def validate_secret_update(new: Obj, old: Obj) -> Errors:
    """A Secret's type stays; one marked immutable stays whole."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from unchanged("type", new.get("type"), old.get("type"))
    yield from _validate_frozen(new, old, ("data",))
    yield from validate_secret(new)


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text.count("=", -2)
