"""Rules for priority classes. Source: pkg/apis/scheduling/validation/validation.go."""

from drumroll.domain.validation.field import IMMUTABLE, Errors, forbidden, invalid, one_of
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import subdomain_faults
from drumroll.objects.meta import Obj

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def validate_priority_class(priority_class: Obj) -> Errors:
    """The rules for a priority class: high values are the system's."""
    metadata, value = priority_class["metadata"], priority_class.get("value") or 0
    yield from validate_metadata(metadata, namespaced=False, name_faults=subdomain_faults)
    name = metadata.get("name") or ""
    if name.startswith("system-"):
        if fault := _system_fault(name, value, bool(priority_class.get("globalDefault"))):
            reason = "priority class names with 'system-' prefix are reserved for system use only. error: "
            yield forbidden("metadata.name", f"{reason}{fault}")
    elif value > HIGHEST_USER_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        yield forbidden("value", text)
    if priority_class.get("preemptionPolicy") is not None:
        yield from one_of("preemptionPolicy", priority_class["preemptionPolicy"], ("PreemptLowerPriority", "Never"))


def validate_priority_class_update(new: Obj, old: Obj) -> Errors:
    """A priority class keeps its value: pods carry copies of it."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    if (new.get("value") or 0) != (old.get("value") or 0):
        yield forbidden("value", "may not be changed in an update.")
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        yield invalid("preemptionPolicy", new.get("preemptionPolicy"), IMMUTABLE)


def _system_fault(name: str, value: int, is_default: bool) -> str:
    if name not in SYSTEM_PRIORITIES:
        return f"{name} is not a known system priority class"
    if value != SYSTEM_PRIORITIES[name]:
        return f"value of {name} PriorityClass must be {SYSTEM_PRIORITIES[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if is_default else ""
