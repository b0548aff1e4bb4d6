"""Rules for what a container mounts, and for block devices. Source: pkg/apis/core/validation/validation.go."""

from collections.abc import Mapping

from drumroll.domain.validation.field import Errors, forbidden, invalid, known, not_found, required, unsupported
from drumroll.domain.validation.paths import validate_local_path
from drumroll.objects.meta import Obj

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(container: Obj, volumes: Mapping[str, Obj], path: str) -> Errors:
    """Volumes that exist, at places that differ; some messages' paths lack the index, as the original's do."""
    devices = {one.get("name") or "": one.get("devicePath") or "" for one in container.get("volumeDevices") or ()}
    mounted: set[str] = set()
    for index, mount in enumerate(container["volumeMounts"]):
        where = f"{path}[{index}]"
        name, target = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            yield required(f"{where}.name")
        if name not in volumes:
            yield not_found(f"{where}.name", name)
        if not target:
            yield required(f"{where}.mountPath")
        if target in mounted:
            yield invalid(f"{where}.mountPath", target, "must be unique")
        mounted.add(target)
        if name in devices:
            yield invalid(f"{where}.name", name, "must not already exist in volumeDevices")
        if target in devices.values():
            yield invalid(f"{where}.mountPath", target, "must not already exist as a path in volumeDevices")
        yield from _validate_parts(mount, (volumes.get(name) or {}).get("image") is not None, path, where)
        if mount.get("mountPropagation") is not None:
            yield from _validate_propagation(mount["mountPropagation"], container, f"{path}.mountPropagation")
        if mount.get("recursiveReadOnly") is not None:
            yield from _validate_recursion(mount, f"{path}.recursiveReadOnly")


def _validate_parts(mount: Obj, is_image: bool, path: str, where: str) -> Errors:
    part, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    for field, value in (("subPath", part), ("subPathExpr", expression)):
        if is_image and value:
            yield invalid(f"{where}.{field}", value, "not allowed in image volume sources")
    if part:
        yield from validate_local_path(part, f"{path}.subPath")
    if expression:
        if part:
            yield invalid(f"{where}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive")
        yield from validate_local_path(expression, f"{path}.subPathExpr")


def _validate_propagation(propagation: str, container: Obj, path: str) -> Errors:
    yield from known(path, propagation, _PROPAGATIONS)
    if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        yield forbidden(path, "Bidirectional mount propagation is available only to privileged containers")


def _validate_recursion(mount: Obj, path: str) -> Errors:
    match mount["recursiveReadOnly"]:
        case "Disabled":
            pass
        case "Enabled" | "IfPossible":
            if not mount.get("readOnly"):
                yield forbidden(path, "may only be specified when readOnly is true")
            if mount.get("mountPropagation") not in (None, "None"):
                text = "may only be specified when mountPropagation is None or not specified"
                yield forbidden(path, text)
        case other:
            yield unsupported(path, other, _RECURSIVE)


def validate_devices(container: Obj, volumes: Mapping[str, Obj], path: str) -> Errors:
    """Claims that a container sees as raw devices."""
    mounts = {mount.get("name") or "": mount.get("mountPath") or "" for mount in container.get("volumeMounts") or ()}
    names: set[str] = set()
    targets: set[str] = set()
    for index, device in enumerate(container["volumeDevices"]):
        where, name, target = f"{path}[{index}]", device.get("name") or "", device.get("devicePath") or ""
        volume = volumes.get(name)
        if not name:
            yield required(f"{where}.name")
        if name in names:
            yield invalid(f"{where}.name", name, "must be unique")
        if volume is None:
            yield not_found(f"{where}.name", name)
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            yield invalid(f"{where}.name", name, text)
        yield from _validate_device_path(target, targets, f"{where}.devicePath")
        if name in mounts:
            yield invalid(f"{where}.name", name, "must not already exist in volumeMounts")
        if target in mounts.values():
            yield invalid(f"{where}.devicePath", target, "must not already exist as a path in volumeMounts")
        names |= {name} - {""}


def _validate_device_path(target: str, taken: set[str], path: str) -> Errors:
    if not target:
        yield required(path)
    if target in taken:
        yield invalid(path, target, "must be unique")
    if ".." in target.split("/"):
        yield invalid(path, target, "can not contain backsteps ('..')")
    else:
        taken.add(target)
