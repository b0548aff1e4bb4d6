"""Rules for PersistentVolumes. Source: pkg/apis/core/validation/validation.go ValidatePersistentVolumeSpec."""

import json
from collections.abc import Mapping
from posixpath import normpath

from drumroll.domain.validation.affinity import validate_node_selector
from drumroll.domain.validation.claim import VOLUME_MODES, validate_access_modes
from drumroll.domain.validation.field import (
    IMMUTABLE,
    Errors,
    each,
    forbidden,
    invalid,
    known,
    required,
    unchanged,
    unsupported,
)
from drumroll.domain.validation.metadata import validate_metadata
from drumroll.domain.validation.names import label_faults, subdomain_faults
from drumroll.domain.validation.paths import validate_no_backsteps
from drumroll.domain.validation.volume_sources import SHARED_SOURCES, Rule, validate_driver_name, validate_source
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

_RECLAIM = ("Delete", "Recycle", "Retain")
_ORDER = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs",
    "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_SECRETS = ("controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")


def validate_persistent_volume(volume: Obj) -> Errors:
    """The rules for a volume: how it is used, how much it holds, what becomes of it."""
    yield from validate_metadata(volume["metadata"], namespaced=False, name_faults=subdomain_faults)
    spec = volume.get("spec") or {}
    if not spec.get("accessModes"):
        yield required("spec.accessModes")
    yield from validate_access_modes(spec, "spec")
    yield from _validate_capacity(spec.get("capacity") or {})
    policy = spec.get("persistentVolumeReclaimPolicy") or None
    yield from known("spec.persistentVolumeReclaimPolicy", policy, _RECLAIM)
    nodes = spec.get("nodeAffinity")
    if nodes is not None and nodes.get("required") is not None:
        yield from validate_node_selector(nodes["required"], "spec.nodeAffinity.required")
    elif nodes is not None:
        yield required("spec.nodeAffinity.required", "must specify required node constraints")
    yield from validate_source(spec, "spec", _ORDER, _SOURCES)
    if spec.get("local") is not None and nodes is None:
        yield required("spec.nodeAffinity", "Local volume requires node affinity")
    if policy == "Recycle" and normpath((spec.get("hostPath") or {}).get("path") or "a") == "/":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        yield forbidden("spec.persistentVolumeReclaimPolicy", text)
    yield from _validate_classes(spec)


def _validate_capacity(capacity: Mapping[str, str]) -> Errors:
    if not capacity:
        yield required("spec.capacity")
    if "storage" not in capacity or len(capacity) > 1:
        yield unsupported("spec.capacity", dict(capacity) or None, ("storage",))
    for name, amount in capacity.items():
        value = parse_quantity(amount)
        if value < 0:
            yield invalid(f"spec.capacity[{name}]", int(value), "must be a valid resource quantity")
        if value <= 0:
            yield invalid(f"spec.capacity[{name}]", amount, "must be greater than zero")


def _validate_classes(spec: Obj) -> Errors:
    name, attributes = spec.get("storageClassName") or "", spec.get("volumeAttributesClassName")
    if name:
        yield from each("spec.storageClassName", name, subdomain_faults(name))
    yield from known("spec.volumeMode", spec.get("volumeMode"), VOLUME_MODES)
    if attributes is None:
        return
    if not attributes:
        yield required("spec.volumeAttributesClassName", "an empty string is disallowed")
    else:
        yield from each("spec.volumeAttributesClassName", attributes, subdomain_faults(attributes))
    if spec.get("csi") is None:
        yield required("spec.csi", "has to be specified when using volumeAttributesClassName")


def _validate_local(source: Obj, path: str) -> Errors:
    if not source.get("path"):
        yield required(f"{path}.path")
    else:
        yield from validate_no_backsteps(source["path"], f"{path}.path")


def _validate_csi(source: Obj, path: str) -> Errors:
    yield from validate_driver_name(source.get("driver") or "", f"{path}.driver")
    if not source.get("volumeHandle"):
        yield required(f"{path}.volumeHandle")
    for field in _SECRETS:
        if source.get(field) is None:
            continue
        for part, rule in (("name", subdomain_faults), ("namespace", label_faults)):
            value = source[field].get(part) or ""
            if not value:
                yield required(f"{path}.{field}.{part}")
            else:
                yield from each(f"{path}.{field}.{part}", value, rule(value))


_SOURCES: Mapping[str, Rule] = {**SHARED_SOURCES, "local": _validate_local, "csi": _validate_csi}


def validate_persistent_volume_update(new: Obj, old: Obj) -> Errors:
    """Where a volume's data are stays."""
    yield from validate_persistent_volume(new)
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if any(after.get(field) != before.get(field) for field in _ORDER):
        shown = json.dumps({field: after[field] for field in _ORDER if field in after})
        text = f"spec.persistentvolumesource is immutable after creation\n{shown}"
        yield forbidden("spec.persistentvolumesource", text)
    yield from unchanged("volumeMode", after.get("volumeMode"), before.get("volumeMode"))
    if before.get("nodeAffinity") is not None and after.get("nodeAffinity") != before["nodeAffinity"]:
        text = f"{IMMUTABLE}, except for updating from beta label to GA"
        yield invalid("nodeAffinity", after.get("nodeAffinity"), text)
    if before.get("volumeAttributesClassName") is not None and after.get("volumeAttributesClassName") is None:
        yield forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")
