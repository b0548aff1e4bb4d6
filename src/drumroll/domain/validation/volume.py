"""Rules for a pod's volumes. Source: pkg/apis/core/validation/validation.go ValidateVolumes."""

from drumroll.domain.validation.container import validate_field_reference, validate_local_path
from drumroll.domain.validation.field import Errors, duplicate, forbidden, in_range, invalid, required, unsupported
from drumroll.domain.validation.names import config_key_faults, label_faults
from drumroll.objects.meta import Obj

_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_FILE_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_PROJECTIONS = ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")


def validate_volumes(volumes: list[Obj], path: str) -> Errors:
    """Every volume has a unique name and exactly one source."""
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        where, name = f"{path}[{index}]", volume.get("name") or ""
        yield from _validate_source(volume, where)
        if not name:
            yield required(f"{where}.name")
            continue
        for fault in label_faults(name):
            yield invalid(f"{where}.name", name, fault)
        if name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name)


def _validate_source(volume: Obj, path: str) -> Errors:
    sources = [field for field in volume if field != "name" and volume[field] is not None]
    if not sources:
        yield required(path, "must specify a volume type")
        return
    yield from _validate_one(sources[0], volume[sources[0]], f"{path}.{sources[0]}")
    for field in sources[1:]:
        yield forbidden(f"{path}.{field}", "may not specify more than 1 volume type")


def _validate_one(kind: str, source: Obj, path: str) -> Errors:
    match kind:
        case "configMap":
            if not source.get("name"):
                yield required(f"{path}.name")
            yield from _validate_files(source, path)
        case "secret":
            if not source.get("secretName"):
                yield required(f"{path}.secretName")
            yield from _validate_files(source, path)
        case "hostPath":
            yield from _validate_host_path(source, path)
        case "projected":
            yield from _validate_mode(source, "defaultMode", path)
            for index, projection in enumerate(source.get("sources") or ()):
                yield from _validate_projection(projection, f"{path}.sources[{index}]")
        case "downwardAPI":
            yield from _validate_mode(source, "defaultMode", path)
            yield from _validate_downward(source, path)
        case "persistentVolumeClaim":
            if not source.get("claimName"):
                yield required(f"{path}.claimName")


def _validate_host_path(source: Obj, path: str) -> Errors:
    target = source.get("path") or ""
    if not target:
        yield required(f"{path}.path")
    elif ".." in target.split("/"):
        yield invalid(f"{path}.path", target, "must not contain '..'")
    if (source.get("type") or "") not in _HOST_PATH_TYPES:
        yield unsupported(f"{path}.type", source["type"], _HOST_PATH_TYPES)


def _validate_mode(source: Obj, field: str, path: str) -> Errors:
    mode = source.get(field)
    if mode is not None and not 0 <= mode <= 0o777:
        yield invalid(f"{path}.{field}", mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _validate_files(source: Obj, path: str) -> Errors:
    """The default mode and the items of a volume that is made of keys."""
    yield from _validate_mode(source, "defaultMode", path)
    for index, item in enumerate(source.get("items") or ()):
        where, key = f"{path}.items[{index}]", item.get("key") or ""
        if not key:
            yield required(f"{where}.key")
        for fault in config_key_faults(key) if key else ():
            yield invalid(f"{where}.key", key, fault)
        if not item.get("path"):
            yield required(f"{where}.path")
        else:
            yield from validate_local_path(item["path"], f"{where}.path")
        yield from _validate_mode(item, "mode", where)


def _validate_projection(projection: Obj, path: str) -> Errors:
    found = [field for field in _PROJECTIONS if projection.get(field) is not None]
    if not found:
        yield required(path)
    for field in found[1:]:
        yield forbidden(f"{path}.{field}", "may not specify more than 1 volume type")
    for field in found[:1]:
        source, where = projection[field], f"{path}.{field}"
        if field in ("secret", "configMap"):
            if not source.get("name"):
                yield required(f"{where}.name")
            yield from _validate_files(source, where)
        elif field == "downwardAPI":
            yield from _validate_downward(source, where)
        elif field == "serviceAccountToken":
            yield from _validate_token(source, where)


def _validate_downward(source: Obj, path: str) -> Errors:
    for index, item in enumerate(source.get("items") or ()):
        where = f"{path}.items[{index}]"
        if not item.get("path"):
            yield required(f"{where}.path")
        else:
            yield from validate_local_path(item["path"], f"{where}.path")
        if item.get("fieldRef") is not None:
            yield from validate_field_reference(item["fieldRef"], _FILE_FIELDS, f"{where}.fieldRef")
            if item.get("resourceFieldRef") is not None:
                yield invalid(where, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif item.get("resourceFieldRef") is None:
            yield required(f"{where}.fieldRef", "one of fieldRef and resourceFieldRef is required")
        yield from _validate_mode(item, "mode", where)


def _validate_token(source: Obj, path: str) -> Errors:
    seconds = source.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        yield invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    elif seconds is not None:
        yield from in_range(f"{path}.expirationSeconds", seconds, 600, 1 << 32)
    if not source.get("path"):
        yield required(f"{path}.path")
    else:
        yield from validate_local_path(source["path"], f"{path}.path")
