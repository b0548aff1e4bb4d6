"""What of a pod may change, and by which way: its images, its resources, containers that look at it.

Source: pkg/apis/core/validation/validation.go ValidatePodUpdate, ValidatePodResize,
ValidatePodEphemeralContainersUpdate.
"""

import json
from difflib import unified_diff
from typing import Any

from drumroll.domain.quality_of_service import quality_of_service
from drumroll.domain.validation.affinity import validate_tolerations
from drumroll.domain.validation.container import validate_image
from drumroll.domain.validation.field import Errors, forbidden, in_range, invalid, required
from drumroll.domain.validation.metadata import validate_metadata_update
from drumroll.domain.validation.pod import validate_pod_annotations, validate_whole_pod
from drumroll.domain.validation.security import validate_same_security_annotations
from drumroll.objects.errors import FieldError
from drumroll.objects.meta import Obj, annotations_of
from drumroll.objects.quantity import parse_quantity

_MIRROR = "kubernetes.io/config.mirror"
_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_ONLY_ADDED = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
_ONLY_COMPUTE = "only cpu and memory resources are mutable"
_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"


def validate_pod_update(new: Obj, old: Obj) -> Errors:
    """A pod's spec is what its containers were started with: hardly anything of it may change."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after == before:
        yield from _validate_annotations(new, old)
        return
    yield from validate_whole_pod(new)
    yield from _validate_annotations(new, old)
    for field in ("containers", "initContainers"):
        if len(after.get(field) or ()) != len(before.get(field) or ()):
            yield forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
        for index, container in enumerate(after.get(field) or ()):
            if not container.get("image"):
                yield required(f"spec.{field}[{index}].image")
            yield from validate_image(container, f"spec.{field}[{index}]")
    faults = list(_validate_deadline(after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")))
    yield from faults
    if faults and after.get("activeDeadlineSeconds") is not None:
        return
    yield from _validate_added_tolerations(after.get("tolerations") or [], before.get("tolerations") or [])
    yield from _validate_gates(after.get("schedulingGates") or [], before.get("schedulingGates") or [])
    allowed = _with_updates_undone(after, before)
    if before.get("schedulingGates"):
        yield from _validate_gated(allowed, before)
    if allowed != before:
        yield forbidden("spec", f"{_UPDATABLE}\n{_difference(before, allowed)}")


def _validate_annotations(new: Obj, old: Obj) -> Errors:
    after, before, path = annotations_of(new), annotations_of(old), "metadata.annotations"
    if not after and not before:
        return
    if _MIRROR in before and after.get(_MIRROR) != before[_MIRROR]:
        yield forbidden(f"{path}[{_MIRROR}]", "may not remove or update mirror pod annotation")
    elif _MIRROR in after and _MIRROR not in before:
        yield forbidden(f"{path}[{_MIRROR}]", "may not add mirror pod annotation")
    yield from validate_same_security_annotations(after, before, path)
    yield from validate_pod_annotations(after, new.get("spec") or {}, path)


def _validate_deadline(new: int | None, old: int | None) -> Errors:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        if old is not None:
            yield invalid(path, None, "must not update from a positive integer to nil value")
        return
    faults = list(in_range(path, new, 0, 2**31 - 1))
    yield from faults
    if not faults and old is not None and new > old:
        yield invalid(path, new, "must be less than or equal to previous value")


def _validate_added_tolerations(new: list[Obj], old: list[Obj]) -> Errors:
    def without_seconds(toleration: Obj) -> Obj:
        return {field: value for field, value in toleration.items() if field != "tolerationSeconds"}

    kept = [without_seconds(toleration) for toleration in new]
    if any(without_seconds(toleration) not in kept for toleration in old):
        yield forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
        return
    yield from validate_tolerations(new, "spec.tolerations")


def _validate_gates(new: list[Obj], old: list[Obj]) -> Errors:
    known = {gate.get("name") for gate in old}
    for index, gate in enumerate(new):
        if gate.get("name") not in known:
            text = f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'"
            yield forbidden(f"spec.schedulingGates[{index}].name", text)


def _validate_gated(allowed: Obj, before: Obj) -> Errors:
    """A pod that waits to be scheduled may be told more about where. Undoes, in `allowed`, what it judged."""
    chosen, former = allowed.get("nodeSelector") or {}, before.get("nodeSelector") or {}
    if chosen != former:
        if any(chosen.get(key) != value for key, value in former.items()):
            yield invalid("spec.nodeSelector", chosen, _ONLY_ADDED)
        _put(allowed, "nodeSelector", before.get("nodeSelector"))
    wish, known = ((spec.get("affinity") or {}).get("nodeAffinity") for spec in (allowed, before))
    if wish != known:
        yield from _validate_narrowed(wish or {}, known or {})
        affinity = dict(allowed.get("affinity") or {})
        _put(affinity, "nodeAffinity", known)
        _put(allowed, "affinity", affinity or None)


def _validate_narrowed(new: Obj, old: Obj) -> Errors:
    path = f"spec.affinity.nodeAffinity.{_TERMS}.nodeSelectorTerms"
    former, terms = ((one.get(_TERMS) or {}).get("nodeSelectorTerms") or [] for one in (old, new))
    if not former:
        return
    if len(former) != len(terms):
        text = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        yield invalid(path, terms, text)
        return
    for index, (term, known) in enumerate(zip(terms, former, strict=True)):
        lists = [(term.get(field) or [], known.get(field) or []) for field in ("matchExpressions", "matchFields")]
        was_empty = not any(known for _, known in lists)
        if any(had != has[: len(had)] for has, had in lists) or (was_empty and any(has for has, _ in lists)):
            yield invalid(f"{path}[{index}]", term, "only additions are allowed (no mutations or deletions)")


def _put(holder: Obj, field: str, value: Any) -> None:
    holder.pop(field, None)
    if value is not None:
        holder[field] = value


def _with_updates_undone(after: Obj, before: Obj) -> Obj:
    """The new spec with the old values of what may change: equal to the old spec when all is well."""
    undone = dict(after)
    for field in ("containers", "initContainers"):
        if after.get(field):
            pairs = zip(after[field], before[field], strict=True)
            undone[field] = [{**new, "image": old.get("image")} for new, old in pairs]
    fields = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    if (before.get("terminationGracePeriodSeconds") or 0) < 0 and after.get("terminationGracePeriodSeconds") == 1:
        fields.append("terminationGracePeriodSeconds")
    for field in fields:
        _put(undone, field, before.get(field))
    return undone


def _difference(before: Obj, after: Obj) -> str:
    old, new = (json.dumps(spec, indent=1, sort_keys=True).splitlines() for spec in (before, after))
    lines = list(unified_diff(old, new, lineterm="", n=3))[2:]
    return "".join(f"{line}\n" for line in lines)


def validate_added_containers(new: Obj, old: Obj) -> list[FieldError]:
    """The rules for containers added to a running pod: those that are there stay as they are."""
    if _MIRROR in annotations_of(old):
        return [forbidden("[]", "static pods do not support ephemeral containers")]
    errors = [*validate_metadata_update(new["metadata"], old["metadata"]), *validate_whole_pod(new)]
    errors += _validate_annotations(new, old)
    path, given = "spec.ephemeralContainers", (new.get("spec") or {}).get("ephemeralContainers") or []
    by_name = {container.get("name"): container for container in given}
    for former in (old.get("spec") or {}).get("ephemeralContainers") or ():
        name = former.get("name") or ""
        if name not in by_name:
            errors.append(forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif by_name[name] != former:
            text = f'existing ephemeral containers "{name}" may not be changed\n{_difference(former, by_name[name])}'
            errors.append(forbidden(path, text))
    return errors


def validate_resize(new: Obj, old: Obj) -> list[FieldError]:
    """The rules for other resources of a running pod: cpu and memory may change, not appear from nowhere nor vanish."""
    after, before = new.get("spec") or {}, old.get("spec") or {}
    for spec in (before, after):
        if (spec.get("resources") or {}).get("requests") or (spec.get("resources") or {}).get("limits"):
            return [forbidden("[]", "pods with pod-level resources cannot be resized")]
    if _MIRROR in annotations_of(old):
        return [forbidden("[]", "static pods cannot be resized")]
    if (before.get("os") or {}).get("name") == "windows":
        return [forbidden("[]", "windows pods cannot be resized")]
    errors = [*validate_metadata_update(new["metadata"], old["metadata"]), *validate_whole_pod(new)]
    if any(_names(after, field) != _names(before, field) for field in ("containers", "initContainers")):
        return [*errors, forbidden("spec", _ONLY_COMPUTE)]
    if quality_of_service(after) != ((old.get("status") or {}).get("qosClass") or quality_of_service(before)):
        shown = (new.get("status") or {}).get("qosClass") or ""
        errors.append(invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    statuses = (old.get("status") or {}).get("containerStatuses") or ()
    running = next((one for one in statuses if (one.get("state") or {}).get("running") is not None), None)
    if running is not None and running.get("resources") is None:
        errors.append(forbidden("spec", "Pod running on node without support for resize"))
    for field in ("initContainers", "containers"):
        pairs = zip(after.get(field) or (), before.get(field) or (), strict=True)
        for index, (container, former) in enumerate(pairs):
            if field == "containers" or former.get("restartPolicy") == "Always":
                errors += _validate_resized(container, former, f"spec.{field}[{index}].resources")
    return [*errors, *_validate_only_resized(after, before)]


def _names(spec: Obj, field: str) -> list[Any]:
    return [container.get("name") for container in spec.get(field) or ()]


def _validate_resized(container: Obj, former: Obj, path: str) -> Errors:
    new, old = container.get("resources") or {}, former.get("resources") or {}
    for field in ("requests", "limits"):
        if set(old.get(field) or ()) - set(new.get(field) or ()):
            yield forbidden(f"{path}.{field}", f"resource {field} cannot be removed")
    actions = {one.get("resourceName"): one.get("restartPolicy") for one in container.get("resizePolicy") or ()}
    if actions.get("memory") == "RestartContainer":
        return
    limit, had = ((one.get("limits") or {}).get("memory") for one in (new, old))
    where = f"{path}.limits[memory]"
    if limit is not None and had is not None and parse_quantity(limit) < parse_quantity(had):
        yield forbidden(where, "memory limits cannot be decreased unless resizePolicy is RestartContainer")
    elif limit is not None and had is None:
        yield forbidden(where, "memory limits cannot be added unless resizePolicy is RestartContainer")


def _validate_only_resized(after: Obj, before: Obj) -> Errors:
    for field, text in (
        ("containers", _ONLY_COMPUTE),
        ("initContainers", "only cpu and memory resources for sidecar containers are mutable"),
    ):
        for container, former in zip(after.get(field) or (), before.get(field) or (), strict=True):
            sidecar = field == "containers" or former.get("restartPolicy") == "Always"
            if sidecar and _without_compute(container) != _without_compute(former):
                yield forbidden("spec", text)
            elif not sidecar and container != former:
                yield forbidden("spec", "resources for non-sidecar init containers are immutable")


def _without_compute(container: Obj) -> Obj:
    resources = dict(container.get("resources") or {})
    for field in ("requests", "limits"):
        amounts = resources.pop(field, None) or {}
        rest = {name: value for name, value in amounts.items() if name not in ("cpu", "memory")}
        if rest:
            resources[field] = rest
    return {**container, "resources": resources}
