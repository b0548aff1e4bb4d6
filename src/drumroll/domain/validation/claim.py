"""Rules for PersistentVolumeClaims, of their own or as templates. Source: pkg/apis/core/validation/validation.go."""

from decimal import Decimal

from drumroll.domain.validation.field import Errors, each, forbidden, invalid, known, required, unsupported
from drumroll.domain.validation.metadata import (
    validate_annotations,
    validate_labels,
    validate_metadata,
    validate_metadata_update,
    validate_selector,
)
from drumroll.domain.validation.names import label_faults, subdomain_faults
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import canonical, parse_quantity

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_IMMUTABLE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def validate_persistent_volume_claim(claim: Obj) -> Errors:
    """The rules for a claim: how it is used, and how much."""
    yield from validate_metadata(claim["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from validate_claim_spec(claim.get("spec") or {}, "spec")


def validate_claim_template(template: Obj, path: str) -> Errors:
    """A claim that is made for a pod: it has no name of its own."""
    metadata = template.get("metadata") or {}
    yield from validate_annotations(metadata.get("annotations"), f"{path}.metadata.annotations")
    yield from validate_labels(metadata.get("labels"), f"{path}.metadata.labels")
    for field, value in metadata.items():
        if field not in ("annotations", "labels") and value:
            yield forbidden(f"{path}.metadata.{field}", "cannot be set")
    yield from validate_claim_spec(template.get("spec") or {}, f"{path}.spec")


def validate_claim_spec(spec: Obj, path: str) -> Errors:
    """What a claim asks for."""
    if not spec.get("accessModes"):
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    if spec.get("selector") is not None:
        yield from validate_selector(spec["selector"], f"{path}.selector")
    yield from validate_access_modes(spec, path)
    amount = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if amount is None:
        yield required(f"{path}.resources[storage]")
    elif parse_quantity(amount) <= 0:
        yield invalid(f"{path}.resources[storage]", canonical(amount), "must be greater than zero")
    for field in ("storageClassName", "volumeAttributesClassName"):
        name = spec.get(field)
        if field == "volumeAttributesClassName":
            yield from known(f"{path}.volumeMode", spec.get("volumeMode"), VOLUME_MODES)
            yield from _validate_data_sources(spec, path)
        if name:
            yield from each(f"{path}.{field}", name, subdomain_faults(name))


def validate_access_modes(spec: Obj, path: str) -> Errors:
    """Ways of use that exist; the exclusive one stands alone."""
    modes = spec.get("accessModes") or ()
    for mode in modes:
        if mode not in _ACCESS_MODES:
            yield unsupported(f"{path}.accessModes", mode, _ACCESS_MODES)
    if "ReadWriteOncePod" in modes and any(mode in _ACCESS_MODES[:3] for mode in modes):
        yield forbidden(f"{path}.accessModes", "may not use ReadWriteOncePod with other access modes")


def _validate_data_sources(spec: Obj, path: str) -> Errors:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    for field, value in (("dataSource", source), ("dataSourceRef", reference)):
        if value is not None:
            yield from _validate_data_source(value, f"{path}.{field}")
    if source is None or reference is None:
        return
    shown = {"name": "dataSource"}
    if reference.get("namespace"):
        yield invalid(path, shown, "may not be specified when dataSourceRef.namespace is specified")
    elif any(source.get(field) != reference.get(field) for field in ("apiGroup", "kind", "name")):
        yield invalid(path, shown, "must match dataSourceRef")


def _validate_data_source(source: Obj, path: str) -> Errors:
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    for field in ("name", "kind"):
        if not source.get(field):
            yield required(f"{path}.{field}")
    if not group and kind != "PersistentVolumeClaim":
        yield invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")
    if group:
        yield from each(f"{path}.apiGroup", group, subdomain_faults(group))
    if source.get("namespace"):
        yield from each(f"{path}.namespace", source["namespace"], label_faults(source["namespace"]))


def validate_persistent_volume_claim_update(new: Obj, old: Obj) -> Errors:
    """A claim's wishes stay; one that is bound may grow."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from validate_persistent_volume_claim(new)
    after, before = dict(new.get("spec") or {}), dict(old.get("spec") or {})
    asked, had = ((spec.get("resources") or {}).get("requests") or {} for spec in (after, before))
    if not before.get("volumeName"):
        before["volumeName"] = after.get("volumeName")
    if before.get("storageClassName") is None and after.get("storageClassName") is not None:
        before["storageClassName"] = after["storageClassName"]
    if (new.get("status") or {}).get("phase") == "Bound":
        resources = after.get("resources") or {}
        after["resources"] = {**resources, "requests": {**asked, "storage": had.get("storage")}}
        if after.get("volumeAttributesClassName") is not None:
            after["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
    if _given(after) != _given(before):
        yield forbidden("spec", _IMMUTABLE)
    if _amount(asked) < _amount(had) and _amount(asked) <= _amount((old.get("status") or {}).get("capacity") or {}):
        yield forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")


def _given(spec: Obj) -> Obj:
    return {field: value for field, value in spec.items() if value not in (None, "", {}, [])}


def _amount(amounts: Obj) -> Decimal:
    return parse_quantity(amounts.get("storage") or "0")
