"""Rules for kinds of storage and the node, as far as they can be checked without a driver.

Source: pkg/apis/{core,storage,node}/validation/validation.go.
"""

from drumroll.domain.validation.field import IMMUTABLE, Errors, forbidden, invalid, required, unsupported
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import label_faults, qualified_faults, subdomain_faults
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_RECLAIM = ("Delete", "Recycle", "Retain")


def validate_namespaced(obj: Obj) -> Errors:
    """The rules for the metadata of an object in a namespace."""
    yield from validate_metadata(obj["metadata"], namespaced=True, name_faults=subdomain_faults)


def validate_cluster_wide(obj: Obj) -> Errors:
    """The rules for the metadata of an object outside of namespaces."""
    yield from validate_metadata(obj["metadata"], namespaced=False, name_faults=subdomain_faults)


def validate_persistent_volume_claim(claim: Obj) -> Errors:
    """The rules for a claim: how it is used, and how much."""
    yield from validate_namespaced(claim)
    spec = claim.get("spec") or {}
    yield from _validate_modes(spec)
    amount = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if amount is None:
        yield required("spec.resources[storage]")
    elif parse_quantity(amount) <= 0:
        yield invalid("spec.resources[storage]", amount, "must be greater than zero")


def validate_persistent_volume_claim_update(new: Obj, old: Obj) -> Errors:
    """A claim's wishes stay."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    fields = ("accessModes", "selector", "storageClassName", "volumeMode", "dataSource")
    if any(after.get(field) != before.get(field) for field in fields):
        text = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield forbidden("spec", text)


def validate_persistent_volume(volume: Obj) -> Errors:
    """The rules for a volume: how it is used, how much it holds, what becomes of it."""
    yield from validate_cluster_wide(volume)
    spec = volume.get("spec") or {}
    yield from _validate_modes(spec)
    if not (spec.get("capacity") or {}).get("storage"):
        yield required("spec.capacity")
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy not in _RECLAIM:
        yield unsupported("spec.persistentVolumeReclaimPolicy", policy, _RECLAIM)


def _validate_modes(spec: Obj) -> Errors:
    modes = spec.get("accessModes") or ()
    if not modes:
        yield required("spec.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in _ACCESS_MODES:
            yield unsupported("spec.accessModes", mode, _ACCESS_MODES)


def validate_storage_class(storage_class: Obj) -> Errors:
    """The rules for a storage class."""
    yield from validate_cluster_wide(storage_class)
    provisioner = storage_class.get("provisioner") or ""
    if not provisioner:
        yield required("provisioner")
    for fault in qualified_faults(provisioner.lower()) if provisioner else ():
        yield invalid("provisioner", provisioner, fault)
    policy = storage_class.get("reclaimPolicy")
    if policy not in ("Delete", "Retain"):
        yield unsupported("reclaimPolicy", policy, ("Delete", "Retain"))
    mode = storage_class.get("volumeBindingMode")
    if mode not in ("Immediate", "WaitForFirstConsumer"):
        yield unsupported("volumeBindingMode", mode, ("Immediate", "WaitForFirstConsumer"))


def validate_storage_class_update(new: Obj, old: Obj) -> Errors:
    """A class keeps what volumes were made by."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    if (new.get("parameters") or None) != (old.get("parameters") or None):
        yield forbidden("parameters", "updates to parameters are forbidden.")
    if new.get("provisioner") != old.get("provisioner"):
        yield forbidden("provisioner", "updates to provisioner are forbidden.")
    if new.get("reclaimPolicy") != old.get("reclaimPolicy"):
        yield forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden.")
    if new.get("volumeBindingMode") != old.get("volumeBindingMode"):
        yield invalid("volumeBindingMode", new.get("volumeBindingMode"), IMMUTABLE)


def validate_runtime_class(runtime_class: Obj) -> Errors:
    """The rules for a runtime class."""
    yield from validate_cluster_wide(runtime_class)
    handler = runtime_class.get("handler") or ""
    if not handler:
        yield required("handler")
    for fault in label_faults(handler) if handler else ():
        yield invalid("handler", handler, fault)


def validate_controller_revision_update(new: Obj, old: Obj) -> Errors:
    """What a revision holds is history."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    if new.get("data") != old.get("data"):
        yield invalid("data", new.get("data"), IMMUTABLE)
