"""Rules for the sources that a pod's volumes and PersistentVolumes have in common.

Source: pkg/apis/core/validation/validation.go validateVolumeSource.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from drumroll.domain.validation.field import (
    Errors,
    each,
    forbidden,
    in_range,
    invalid,
    known,
    required,
    too_long,
    unsupported,
)
from drumroll.domain.validation.names import label_faults, subdomain_faults
from drumroll.domain.validation.paths import validate_local_path, validate_no_backsteps
from drumroll.objects.meta import Obj

Rule = Callable[[Obj, str], Errors]

_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_SPELLED = {"gcePersistentDisk": "persistentDisk"}
_REPEATED = {"downwardAPI": "downwarAPI", "cephfs": "cephFS"}  # misspelled by the original, too
_ISCSI_NAMES = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$"),
    "eui": re.compile(r"^eui.[A-Za-z0-9]{16}$"),
    "naa": re.compile(r"^naa.[A-Za-z0-9]{32}$"),
}
_HOST_PORT = "must be a host:port pair or multiple pairs separated by commas"
_MANAGED = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def validate_source(volume: Obj, path: str, order: Iterable[str], rules: Mapping[str, Rule]) -> Errors:
    """A volume has exactly one source: the first found is checked, others are refused."""
    found = False
    for field in order:
        source = volume.get(field)
        if source is None:
            continue
        if found:
            yield forbidden(f"{path}.{_REPEATED.get(field, field)}", "may not specify more than 1 volume type")
            continue
        found = True
        yield from rules[field](source, f"{path}.{_SPELLED.get(field, field)}")
    if not found:
        yield required(path, "must specify a volume type")


def _needs(*fields: str) -> Rule:
    """The rule that each of `fields` is given."""

    def rule(source: Obj, path: str) -> Errors:
        for field in fields:
            if not source.get(field):
                yield required(f"{path}.{field}")

    return rule


def validate_host_path(source: Obj, path: str) -> Errors:
    """A file or folder of the node."""
    if not source.get("path"):
        yield required(f"{path}.path")
        return
    yield from validate_no_backsteps(source["path"], f"{path}.path")
    yield from known(f"{path}.type", source.get("type"), _HOST_PATH_TYPES)


def _validate_git(source: Obj, path: str) -> Errors:
    if not source.get("repository"):
        yield required(f"{path}.repository")
    yield from validate_local_path(source.get("directory") or "", f"{path}.directory")


def _validate_disk(needed: str) -> Rule:
    def rule(source: Obj, path: str) -> Errors:
        if not source.get(needed):
            yield required(f"{path}.{needed}")
        if not 0 <= (source.get("partition") or 0) <= 255:
            yield invalid(f"{path}.partition", source["partition"], "must be between 1 and 255, inclusive")

    return rule


def _validate_nfs(source: Obj, path: str) -> Errors:
    yield from _needs("server", "path")(source, path)
    if not (source.get("path") or "").startswith("/"):
        yield invalid(f"{path}.path", source.get("path") or "", "must be an absolute path")


def _iscsi_faults(name: str) -> tuple[str, ...]:
    if name[:3] not in _ISCSI_NAMES:
        return ("must be valid format starting with iqn, eui, or naa",)
    return () if _ISCSI_NAMES[name[:3]].search(name) else ("must be valid format",)


def _validate_iscsi(source: Obj, path: str) -> Errors:
    if not source.get("targetPortal"):
        yield required(f"{path}.targetPortal")
    name = source.get("iqn") or ""
    if not name:
        yield required(f"{path}.iqn")
    else:
        yield from each(f"{path}.iqn", name, _iscsi_faults(name))
    yield from in_range(f"{path}.lun", source.get("lun") or 0, 0, 255)
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        yield required(f"{path}.secretRef")
    if source.get("initiatorName") is not None:
        yield from each(f"{path}.initiatorname", source["initiatorName"], _iscsi_faults(source["initiatorName"]))


def _validate_flocker(source: Obj, path: str) -> Errors:
    name, uid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    if not name and not uid:
        yield required(path, "one of datasetName and datasetUUID is required")
    if name and uid:
        yield invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in name:
        yield invalid(f"{path}.datasetName", name, "must not contain '/'")


def _validate_cinder(source: Obj, path: str) -> Errors:
    if not source.get("volumeID"):
        yield required(f"{path}.volumeID")
    if source.get("secretRef") is not None and not source["secretRef"].get("name"):
        yield required(f"{path}.secretRef.name")


def _validate_quobyte(source: Obj, path: str) -> Errors:
    registry = source.get("registry") or ""
    if not registry:
        yield required(f"{path}.registry", _HOST_PORT)
    elif len(source.get("tenant") or "") >= 65:
        yield required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters")
    elif any(not pair.rpartition(":")[1] for pair in registry.split(",")):
        yield invalid(f"{path}.registry", registry, _HOST_PORT)
    if not source.get("volume"):
        yield required(f"{path}.volume")


def _validate_fibre_channel(source: Obj, path: str) -> Errors:
    targets, names, lun = source.get("targetWWNs") or [], source.get("wwids") or [], source.get("lun")
    if not targets and not names:
        yield required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both")
    if targets and names:
        text = "targetWWNs and wwids can not be specified simultaneously"
        yield invalid(f"{path}.targetWWNs", targets, text)
    if targets and lun is None:
        yield required(f"{path}.lun", "lun is required if targetWWNs is specified")
    elif targets and lun is not None:
        yield from in_range(f"{path}.lun", lun, 0, 255)


def _validate_flex(source: Obj, path: str) -> Errors:
    if not source.get("driver"):
        yield required(f"{path}.driver")
    for key in source.get("options") or ():
        domain = f".{key.partition('/')[0].lower()}"
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            text = "kubernetes.io and k8s.io namespaces are reserved"
            yield invalid(f"{path}.options[{key}]", key, text)


def _validate_azure_disk(source: Obj, path: str) -> Errors:
    yield from _needs("diskName", "diskURI")(source, path)
    kind, uri = source.get("kind"), source.get("diskURI") or ""
    yield from known(f"{path}.cachingMode", source.get("cachingMode"), ("None", "ReadOnly", "ReadWrite"))
    yield from known(f"{path}.kind", kind, ("Dedicated", "Managed", "Shared"))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        yield unsupported(f"{path}.diskURI", uri, (_MANAGED,))
    if kind not in (None, "Managed") and not uri.startswith("https://"):
        yield unsupported(f"{path}.diskURI", uri, (_BLOB,))


def _validate_storage_os(source: Obj, path: str) -> Errors:
    name, namespace = source.get("volumeName") or "", source.get("volumeNamespace") or ""
    if not name:
        yield required(f"{path}.volumeName")
    else:
        yield from each(f"{path}.volumeName", name, label_faults(name))
    if namespace:
        yield from each(f"{path}.volumeNamespace", namespace, label_faults(namespace))
    if source.get("secretRef") is not None and not source["secretRef"].get("name"):
        yield required(f"{path}.secretRef.name")


def validate_driver_name(name: str, path: str) -> Errors:
    """The name of a CSI driver: a subdomain in any case."""
    if not name:
        yield required(path)
    if len(name) > 63:
        yield too_long(path, 63)
    yield from each(path, name, subdomain_faults(name.lower()))


SHARED_SOURCES: Mapping[str, Rule] = {
    "hostPath": validate_host_path,
    "gitRepo": _validate_git,
    "gcePersistentDisk": _validate_disk("pdName"),
    "awsElasticBlockStore": _validate_disk("volumeID"),
    "nfs": _validate_nfs,
    "iscsi": _validate_iscsi,
    "glusterfs": _needs("endpoints", "path"),
    "flocker": _validate_flocker,
    "rbd": _needs("monitors", "image"),
    "cinder": _validate_cinder,
    "cephfs": _needs("monitors"),
    "quobyte": _validate_quobyte,
    "fc": _validate_fibre_channel,
    "flexVolume": _validate_flex,
    "azureFile": _needs("secretName", "shareName"),
    "vsphereVolume": _needs("volumePath"),
    "photonPersistentDisk": _needs("pdID"),
    "portworxVolume": _needs("volumeID"),
    "azureDisk": _validate_azure_disk,
    "storageos": _validate_storage_os,
    "scaleIO": _needs("gateway", "system", "volumeName"),
}
