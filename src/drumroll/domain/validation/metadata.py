"""Rules for the metadata of every object, for labels and for selectors.

Source: apimachinery api/validation/objectmeta.go and apis/meta/v1/validation/validation.go.
"""

from collections.abc import Callable
from typing import Any

from drumroll.domain.validation.field import (
    Errors,
    forbidden,
    invalid,
    not_negative,
    printed,
    required,
    too_long,
    unchanged,
)
from drumroll.domain.validation.names import Faults, label_faults, qualified_faults, value_faults
from drumroll.objects.meta import Obj

_MOST_ANNOTATION_BYTES = 256 * 1024
STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
_ONE_OR_THE_OTHER = ("orphan", "foregroundDeletion")


def validate_metadata(
    meta: Obj, namespaced: bool, name_faults: Callable[[str], Faults], by_kind: bool = True
) -> Errors:
    """The rules for a new object's metadata; `name_faults` is the rule for names of its kind.

    Most kinds, not all, want finalizers to have a domain: `by_kind`.
    """
    prefix, name = meta.get("generateName") or "", meta.get("name") or ""
    if prefix:
        masked = f"{prefix[:-1]}a" if prefix.endswith("-") else prefix  # the suffix to come makes a dash legal
        for fault in name_faults(masked):
            yield invalid("metadata.generateName", prefix, fault)
    if name:
        for fault in name_faults(name):
            yield invalid("metadata.name", name, fault)
    elif not prefix:
        yield required("metadata.name", "name or generateName is required")
    namespace = meta.get("namespace") or ""
    if namespaced:
        if not namespace:
            yield required("metadata.namespace")
        else:
            for fault in label_faults(namespace):
                yield invalid("metadata.namespace", namespace, fault)
    elif namespace:
        yield forbidden("metadata.namespace", "not allowed on this type")
    yield from not_negative("metadata.generation", meta.get("generation"))
    yield from _validate_common(meta)
    if by_kind:
        yield from _validate_finalizers(meta)


def validate_metadata_update(new: Obj, old: Obj, by_kind: bool = True) -> Errors:
    """What of an object's metadata may not change, and the rules for what may; `by_kind` as for new objects."""
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            names = ", ".join(printed(name) for name in added)
            yield forbidden(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{names}}}",
            )
    if (new.get("generation") or 0) < (old.get("generation") or 0):
        yield invalid("metadata.generation", new.get("generation") or 0, "must not be decremented")
    for field in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        yield from unchanged(f"metadata.{field}", new.get(field), old.get(field))
    yield from _validate_common(new)
    if by_kind:
        yield from _validate_finalizers(new)


def _validate_finalizers(meta: Obj) -> Errors:
    for index, name in enumerate(meta.get("finalizers") or ()):
        if "/" not in name and name not in STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(f"metadata.finalizers[{index}]", name, text)


def _validate_common(meta: Obj) -> Errors:
    yield from validate_labels(meta.get("labels"), "metadata.labels")
    yield from validate_annotations(meta.get("annotations"), "metadata.annotations")
    if meta.get("ownerReferences"):
        yield from _validate_owners(meta["ownerReferences"])
    finalizers = meta.get("finalizers") or ()
    for finalizer in finalizers:
        for fault in qualified_faults(finalizer):
            yield invalid("metadata.finalizers", finalizer, fault)
    if all(name in finalizers for name in _ONE_OR_THE_OTHER):
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        yield invalid("metadata.finalizers", finalizers, text)


def validate_labels(labels: dict[str, str] | None, path: str) -> Errors:
    """Keys are qualified names, values are label values."""
    for key, value in (labels or {}).items():
        for fault in qualified_faults(key):
            yield invalid(path, key, fault)
        for fault in value_faults(value):
            yield invalid(path, value, fault)


def validate_annotations(annotations: dict[str, str] | None, path: str) -> Errors:
    """Keys are qualified names in any case; all together have at most 256 KiB."""
    size = 0
    for key, value in (annotations or {}).items():
        for fault in qualified_faults(key.lower()):
            yield invalid(path, key, fault)
        size += len(key) + len(value)
        if not value.isascii():
            size += len(value.encode()) - len(value)
    if size > _MOST_ANNOTATION_BYTES:
        yield too_long(path, _MOST_ANNOTATION_BYTES)


def _validate_owners(owners: list[Obj]) -> Errors:
    controller = ""
    for owner in owners:
        if not (owner.get("apiVersion") or "").rpartition("/")[2]:
            text = "version must not be empty"
            yield invalid("metadata.ownerReferences.apiVersion", owner.get("apiVersion") or "", text)
        for field in ("kind", "name", "uid"):
            if not owner.get(field):
                yield invalid(f"metadata.ownerReferences.{field}", "", "must not be empty")
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            yield invalid("metadata.ownerReferences", owner, "/v1, Kind=Event is disallowed from being an owner")
        if owner.get("controller"):
            name = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                text = "Only one reference can have Controller set to true."
                text = f'{text} Found "true" in references for {controller} and {name}'
                yield invalid("metadata.ownerReferences", owners, text)
            controller = controller or name


def validate_selector(selector: Obj, path: str) -> Errors:
    """The parts of a label selector, one by one."""
    yield from validate_labels(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, wish in enumerate(selector.get("matchExpressions") or ()):
        where = f"{path}.matchExpressions[{index}]"
        match wish.get("operator"):
            case "In" | "NotIn":
                if not wish.get("values"):
                    yield required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
            case "Exists" | "DoesNotExist":
                if wish.get("values"):
                    text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                    yield forbidden(f"{where}.values", text)
            case other:
                yield invalid(f"{where}.operator", other or "", "not a valid selector operator")
        for fault in qualified_faults(wish.get("key") or ""):
            yield invalid(f"{where}.key", wish.get("key") or "", fault)
        for position, value in enumerate(wish.get("values") or ()):
            for fault in value_faults(value):
                yield invalid(f"{where}.values[{position}]", value, fault)


def is_valid_selector(selector: Obj) -> bool:
    """Whether the selector can select."""
    return not any(validate_selector(selector, ""))


def shown_selector(selector: Obj) -> Obj:
    """A selector with its fields in the order in which messages show them."""
    shown: dict[str, Any] = {}
    if selector.get("matchLabels"):
        shown["matchLabels"] = dict(sorted(selector["matchLabels"].items()))
    if selector.get("matchExpressions"):
        order = ("key", "operator", "values")
        shown["matchExpressions"] = [
            {field: wish[field] for field in order if field in wish} for wish in selector["matchExpressions"]
        ]
    return shown
