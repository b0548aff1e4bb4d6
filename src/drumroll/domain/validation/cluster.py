"""Rules for Namespaces, Nodes, ServiceAccounts, Leases and Events. Source: pkg/apis/{core,coordination}/validation."""

from drumroll.domain.validation.field import (
    Errors,
    forbidden,
    invalid,
    not_negative,
    required,
    unsupported,
)
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import label_faults, path_segment_faults, qualified_faults, subdomain_faults
from drumroll.objects.meta import Obj

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_MOST_NOTE = 1024
_STRICT = "does not match event.namespace"


def validate_namespace(namespace: Obj) -> Errors:
    """A Namespace's name is a DNS label."""
    yield from validate_metadata(namespace["metadata"], namespaced=False, name_faults=label_faults)


def validate_node(node: Obj) -> Errors:
    """The rules for a new Node."""
    yield from validate_metadata(node["metadata"], namespaced=False, name_faults=subdomain_faults)
    yield from _validate_taints(node)


def validate_node_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed Node."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_taints(new)
    for field in ("podCIDR", "providerID"):
        former = (old.get("spec") or {}).get(field)
        if former and (new.get("spec") or {}).get(field) != former:
            text = "node updates may not change"
            yield forbidden(f"spec.{field}", f"{text} {field} except from \"\" to valid")  # fmt: skip


def _validate_taints(node: Obj) -> Errors:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate((node.get("spec") or {}).get("taints") or ()):
        path, key, effect = f"spec.taints[{index}]", taint.get("key") or "", taint.get("effect") or ""
        for fault in qualified_faults(key):
            yield invalid(f"{path}.key", key, fault)
        if not effect:
            yield required(f"{path}.effect")
        elif effect not in _EFFECTS:
            yield unsupported(f"{path}.effect", effect, _EFFECTS)
        if (key, effect) in seen:
            yield invalid(path, taint, "taints must be unique by key and effect pair")
        seen.add((key, effect))


def validate_service_account(account: Obj) -> Errors:
    """A ServiceAccount's name is a DNS subdomain."""
    yield from validate_metadata(account["metadata"], namespaced=True, name_faults=subdomain_faults)


def validate_lease(lease: Obj) -> Errors:
    """The rules for a Lease, new or changed."""
    yield from validate_metadata(lease["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = lease.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    yield from not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


def validate_event(event: Obj) -> Errors:
    """The rules for a core Event: it lives where the object lives that it is about."""
    yield from validate_metadata(event["metadata"], namespaced=True, name_faults=path_segment_faults)
    yield from _validate_event(event, event.get("involvedObject") or {}, "involvedObject", "reportingComponent")


def validate_events_event(event: Obj) -> Errors:
    """The rules for the newer kind, which must also say when, by whom and what."""
    yield from validate_metadata(event["metadata"], namespaced=True, name_faults=subdomain_faults)
    if not event.get("eventTime"):
        yield required("eventTime")
    if event.get("type") not in ("Normal", "Warning"):
        kind = event.get("type") or ""
        yield invalid("type", "", f"has invalid value: {kind}")
    yield from _validate_event(event, event.get("regarding") or {}, "regarding", "reportingController")


def _validate_event(event: Obj, about: Obj, field: str, reporter: str) -> Errors:
    namespace, subject = event["metadata"].get("namespace") or "", about.get("namespace") or ""
    if (subject and subject != namespace) or (not subject and namespace not in ("default", "kube-system")):
        yield invalid("involvedObject.namespace", subject, _STRICT)
    if not event.get("eventTime"):
        return
    name = event.get(reporter) or ""
    if not name:
        yield required(reporter)
    for fault in qualified_faults(name) if name else ():
        yield invalid(reporter, name, fault)
    for needed in ("reportingInstance", "action", "reason"):
        text = event.get(needed) or ""
        if not text:
            yield required(needed)
        elif len(text) > 128:
            yield invalid(needed, "", "can have at most 128 characters")
    note = "message" if field == "involvedObject" else "note"
    if len(event.get(note) or "") > _MOST_NOTE:
        yield invalid("message", "", f"can have at most {_MOST_NOTE} characters")
