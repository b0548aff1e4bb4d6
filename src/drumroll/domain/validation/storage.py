"""Rules for kinds of storage and the node, as far as they can be checked without a driver.

Source: pkg/apis/{core,storage,node}/validation/validation.go.
"""

from drumroll.domain.validation.affinity import validate_tolerations
from drumroll.domain.validation.field import (
    IMMUTABLE,
    Errors,
    duplicate,
    each,
    forbidden,
    invalid,
    known,
    not_negative,
    required,
    too_long,
    unchanged,
)
from drumroll.domain.validation.metadata import validate_labels, validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import label_faults, qualified_faults, subdomain_faults
from drumroll.domain.validation.resources import validate_resources
from drumroll.objects.meta import Obj

_MOST_PARAMETERS, _MOST_PARAMETER_BYTES = 512, 256 * 1024


def validate_namespaced(obj: Obj) -> Errors:
    """The rules for the metadata of an object in a namespace."""
    yield from validate_metadata(obj["metadata"], namespaced=True, name_faults=subdomain_faults)


def validate_cluster_wide(obj: Obj) -> Errors:
    """The rules for the metadata of an object outside of namespaces."""
    yield from validate_metadata(obj["metadata"], namespaced=False, name_faults=subdomain_faults)


def validate_storage_class(storage_class: Obj) -> Errors:
    """The rules for a storage class."""
    yield from validate_cluster_wide(storage_class)
    provisioner, parameters = storage_class.get("provisioner") or "", storage_class.get("parameters") or {}
    if not provisioner:
        yield required("provisioner")
    else:
        yield from each("provisioner", provisioner, qualified_faults(provisioner.lower()))
    if len(parameters) > _MOST_PARAMETERS:
        yield too_long("parameters", _MOST_PARAMETERS)
    else:
        if "" in parameters:
            yield invalid("parameters", "", "field can not be empty.")
        if sum(len(key) + len(value) for key, value in parameters.items()) > _MOST_PARAMETER_BYTES:
            yield too_long("parameters", _MOST_PARAMETER_BYTES)
    yield from known("reclaimPolicy", storage_class.get("reclaimPolicy") or None, ("Delete", "Retain"))
    mode = storage_class.get("volumeBindingMode")
    if mode is None:
        yield required("volumeBindingMode")
    yield from known("volumeBindingMode", mode, ("Immediate", "WaitForFirstConsumer"))
    for index, term in enumerate(storage_class.get("allowedTopologies") or ()):
        yield from _validate_topology(term, f"allowedTopologies[{index}].matchLabelExpressions")


def _validate_topology(term: Obj, path: str) -> Errors:
    keys: set[str] = set()
    for index, wish in enumerate(term.get("matchLabelExpressions") or ()):
        where, key, values = f"{path}[{index}]", wish.get("key") or "", wish.get("values") or []
        if not values:
            yield required(f"{where}.values")
        for position, value in enumerate(values):
            if value in values[:position]:
                yield duplicate(f"{where}.values[{position}]", value)
        yield from each(f"{where}.key", key, qualified_faults(key))
        if key in keys:
            yield duplicate(f"{where}.key", key)
        keys.add(key)


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
    metadata, handler = runtime_class["metadata"], runtime_class.get("handler") or ""
    yield from validate_metadata(metadata, namespaced=False, name_faults=subdomain_faults, by_kind=False)
    yield from each("handler", handler, label_faults(handler))
    overhead = (runtime_class.get("overhead") or {}).get("podFixed")
    if overhead:
        yield from validate_resources({"limits": overhead}, "overhead")
    scheduling = runtime_class.get("scheduling") or {}
    yield from validate_labels(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
    yield from validate_tolerations(scheduling.get("tolerations") or [], "scheduling.tolerations")


def validate_runtime_class_update(new: Obj, old: Obj) -> Errors:
    """What runs pods stays."""
    yield from validate_metadata_update(new["metadata"], old["metadata"], by_kind=False)
    yield from unchanged("handler", new.get("handler"), old.get("handler"))


def validate_controller_revision(revision: Obj) -> Errors:
    """A revision has something to go back to."""
    yield from validate_namespaced(revision)
    if revision.get("data") is None:
        yield required("data", "data is mandatory")
    yield from not_negative("revision", revision.get("revision"))


def validate_controller_revision_update(new: Obj, old: Obj) -> Errors:
    """What a revision holds is history."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from validate_controller_revision(new)
    if new.get("data") != old.get("data"):
        yield invalid("data", new.get("data"), IMMUTABLE)
