"""Rules for a pod's volumes. Source: pkg/apis/core/validation/validation.go ValidateVolumes."""

from collections.abc import Callable, Mapping

from drumroll.domain.validation.claim import validate_claim_template
from drumroll.domain.validation.environment import validate_field_reference, validate_resource_reference
from drumroll.domain.validation.field import Errors, duplicate, each, forbidden, invalid, one_of, required
from drumroll.domain.validation.metadata import validate_selector
from drumroll.domain.validation.names import label_faults, subdomain_faults
from drumroll.domain.validation.paths import validate_free_path
from drumroll.domain.validation.volume_sources import SHARED_SOURCES, validate_driver_name, validate_source
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

_FILE_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_ORDER = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
    "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk",
    "storageos", "projected", "scaleIO", "csi", "ephemeral", "image",
)  # fmt: skip
_CONFLICT = "conflicting duplicate paths"


def validate_volumes(volumes: list[Obj], path: str, pod_name: str = "", is_template: bool = False) -> Errors:
    """Every volume has a unique name and exactly one source. Without `pod_name`, names of claims stay unchecked."""
    names: set[str] = set()
    created = {f"{pod_name}-{one.get('name', '')}" for one in volumes if pod_name and one.get("ephemeral") is not None}
    for index, volume in enumerate(volumes):
        where, name = f"{path}[{index}]", volume.get("name") or ""
        faults = list(_validate_volume(volume, where, pod_name, is_template))
        if name in names:
            faults.append(duplicate(f"{where}.name", name))
        if not faults:
            names.add(name)
        yield from faults
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName") or ""
        if claim in created:
            text = "must not reference a PVC that gets created for an ephemeral volume"
            yield invalid(f"{where}.persistentVolumeClaim.claimName", claim, text)


def usable_volumes(volumes: list[Obj], path: str, is_template: bool) -> dict[str, Obj]:
    """By name, the volumes without faults: others cannot be mounted."""
    found: dict[str, Obj] = {}
    for volume in volumes:
        name = volume.get("name") or ""
        if name not in found and not any(_validate_volume(volume, path, "", is_template)):
            found[name] = volume
    return found


def _validate_volume(volume: Obj, path: str, pod_name: str, is_template: bool) -> Errors:
    name = volume.get("name") or ""
    yield from validate_source(volume, path, _ORDER, _SOURCES)
    if name and pod_name and volume.get("ephemeral") is not None:
        claim = f"{pod_name}-{name}"
        yield from each(f"{path}.name", name, (f'PVC name "{claim}": {fault}' for fault in subdomain_faults(claim)))
    image = volume.get("image")
    if image is not None and not is_template and not image.get("reference"):
        yield required(f"{path}.image.reference")
    if name:
        yield from each(f"{path}.name", name, label_faults(name))
    else:
        yield required(f"{path}.name")


def _validate_empty(source: Obj, path: str) -> Errors:
    limit = source.get("sizeLimit")
    if limit is not None and parse_quantity(limit) < 0:
        yield forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _validate_mode(source: Obj, field: str, path: str) -> Errors:
    mode = source.get(field)
    if mode is not None and not 0 <= mode <= 0o777:
        yield invalid(f"{path}.{field}", mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _validate_secret(source: Obj, path: str) -> Errors:
    if not source.get("secretName"):
        yield required(f"{path}.secretName")
    yield from _validate_mode(source, "defaultMode", path)
    yield from _validate_items(source, path)


def _validate_config_map(source: Obj, path: str) -> Errors:
    if not source.get("name"):
        yield required(f"{path}.name")
    yield from _validate_mode(source, "defaultMode", path)
    yield from _validate_items(source, path)


def _validate_items(source: Obj, path: str) -> Errors:
    for index, item in enumerate(source.get("items") or ()):
        yield from _validate_item(item, f"{path}.items[{index}]")


def _validate_item(item: Obj, path: str) -> Errors:
    """A key that becomes a file."""
    if not item.get("key"):
        yield required(f"{path}.key")
    if not item.get("path"):
        yield required(f"{path}.path")
    yield from validate_free_path(item.get("path") or "", f"{path}.path")
    yield from _validate_mode(item, "mode", path)


def _validate_downward(source: Obj, path: str) -> Errors:
    yield from _validate_mode(source, "defaultMode", path)
    for item in source.get("items") or ():
        yield from _validate_field_file(item, path)


def _validate_field_file(item: Obj, path: str) -> Errors:
    """A field of the pod that becomes a file. As in the original, the item's index is not part of the path."""
    if not item.get("path"):
        yield required(f"{path}.path")
    yield from validate_free_path(item.get("path") or "", f"{path}.path")
    if item.get("fieldRef") is not None:
        yield from validate_field_reference(item["fieldRef"], _FILE_FIELDS, f"{path}.fieldRef")
        if item.get("resourceFieldRef") is not None:
            yield invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif item.get("resourceFieldRef") is not None:
        yield from validate_resource_reference(item["resourceFieldRef"], f"{path}.resourceFieldRef", in_volume=True)
    else:
        yield required(path, "one of fieldRef and resourceFieldRef is required")
    yield from _validate_mode(item, "mode", path)


def _validate_projected(source: Obj, path: str) -> Errors:
    """Several sources in one folder: no two files of them have one path."""
    yield from _validate_mode(source, "defaultMode", path)
    seen: set[str] = set()
    for index, projection in enumerate(source.get("sources") or ()):
        where, n_sources = f"{path}.sources[{index}]", 0
        for field, rule in _PROJECTIONS.items():
            if projection.get(field) is not None:
                n_sources += 1
                yield from rule(projection[field], f"{where}.{field}", path, seen)
        if n_sources > 1:
            yield forbidden(where, "may not specify more than 1 volume type per source")


def _taken(file: str, shown: str, path: str, seen: set[str]) -> Errors:
    if file in seen:
        yield invalid(path, shown, _CONFLICT)
    seen.add(file)


def _project_keys(source: Obj, path: str, whole: str, seen: set[str]) -> Errors:
    name = source.get("name") or ""
    if not name:
        yield required(f"{path}.name")
    for index, item in enumerate(source.get("items") or ()):
        yield from _validate_item(item, f"{path}.items[{index}]")
        if item.get("path"):
            yield from _taken(item["path"], name, whole, seen)


def _project_fields(source: Obj, path: str, whole: str, seen: set[str]) -> Errors:
    for item in source.get("items") or ():
        yield from _validate_field_file(item, path)
        if item.get("path"):
            yield from _taken(item["path"], item["path"], whole, seen)


def _project_token(source: Obj, path: str, whole: str, _: set[str]) -> Errors:
    seconds = source.get("expirationSeconds") or 0
    if seconds < 600:
        yield invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds > 1 << 32:
        text = "may not specify a duration larger than 2^32 seconds"
        yield invalid(f"{path}.expirationSeconds", seconds, text)
    if not source.get("path"):
        yield required(f"{whole}.path")
    else:
        yield from validate_free_path(source["path"], f"{whole}.path")


def _project_bundle(source: Obj, path: str, whole: str, seen: set[str]) -> Errors:
    name, signer = source.get("name"), source.get("signerName")
    if name is not None and signer is not None:
        yield invalid(path, source, "only one of name and signerName may be used")
    elif name is not None:
        if not name:
            yield required(f"{path}.name", "must be a valid object name")
        faults = (f"not a valid clustertrustbundlename: {fault}" for fault in subdomain_faults(name.split(":")[-1]))
        yield from each(f"{path}.name", name, faults)
        if source.get("labelSelector") is not None:
            text = "labelSelector must be unset if name is specified"
            yield invalid(f"{path}.labelSelector", source["labelSelector"], text)
    elif signer is not None:
        if not signer:
            yield required(f"{path}.signerName", "must be a valid signer name")
        if source.get("labelSelector") is not None:
            yield from validate_selector(source["labelSelector"], f"{path}.labelSelector")
    else:
        yield required(path, "either name or signerName must be specified")
    if not source.get("path"):
        yield required(f"{path}.path")
    yield from validate_free_path(source.get("path") or "", f"{path}.path")
    yield from _taken(source.get("path") or "", source.get("path") or "", whole, seen)


_PROJECTIONS: Mapping[str, Callable[[Obj, str, str, set[str]], Errors]] = {
    "secret": _project_keys,
    "configMap": _project_keys,
    "downwardAPI": _project_fields,
    "serviceAccountToken": _project_token,
    "clusterTrustBundle": _project_bundle,
}


def _validate_claim(source: Obj, path: str) -> Errors:
    if not source.get("claimName"):
        yield required(f"{path}.claimName")


def _validate_csi(source: Obj, path: str) -> Errors:
    yield from validate_driver_name(source.get("driver") or "", f"{path}.driver")
    secret = source.get("nodePublishSecretRef")
    if secret is not None:
        name = secret.get("name") or ""
        if not name:
            yield required(f"{path}.nodePublishSecretRef.name")
        else:
            yield from each(f"{path}.name", name, subdomain_faults(name))


def _validate_ephemeral(source: Obj, path: str) -> Errors:
    template = source.get("volumeClaimTemplate")
    if template is None:
        yield required(f"{path}.volumeClaimTemplate")
    else:
        yield from validate_claim_template(template, f"{path}.volumeClaimTemplate")


def _validate_image(source: Obj, path: str) -> Errors:
    yield from one_of(f"{path}.pullPolicy", source.get("pullPolicy"), _PULL_POLICIES)


_SOURCES: Mapping[str, Callable[[Obj, str], Errors]] = {
    **SHARED_SOURCES,
    "emptyDir": _validate_empty,
    "secret": _validate_secret,
    "persistentVolumeClaim": _validate_claim,
    "downwardAPI": _validate_downward,
    "configMap": _validate_config_map,
    "projected": _validate_projected,
    "csi": _validate_csi,
    "ephemeral": _validate_ephemeral,
    "image": _validate_image,
}
