"""Rules for Namespaces, Nodes, ServiceAccounts, Leases and Events. Source: pkg/apis/{core,coordination}/validation."""

from drumroll.domain.validation.affinity import EFFECTS
from drumroll.domain.validation.field import (
    Errors,
    duplicate,
    each,
    forbidden,
    in_words_of_go,
    invalid,
    known,
    not_negative,
    one_of,
    required,
)
from drumroll.domain.validation.metadata import STANDARD_FINALIZERS, validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import (
    label_faults,
    path_segment_faults,
    qualified_faults,
    range_faults,
    subdomain_faults,
    value_faults,
)
from drumroll.domain.validation.resources import validate_amount
from drumroll.objects.meta import Obj

_MOST_NOTE = 1024
_STRICT = "does not match event.namespace"


def validate_namespace(namespace: Obj) -> Errors:
    """A Namespace's name is a DNS label."""
    yield from validate_metadata(namespace["metadata"], namespaced=False, name_faults=label_faults)
    for name in (namespace.get("spec") or {}).get("finalizers") or ():
        yield from each("spec.finalizers", name, qualified_faults(name))
        if "/" not in name and name not in STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid("spec.finalizers", name, text)


def validate_namespace_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed Namespace."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])


def validate_node(node: Obj) -> Errors:
    """The rules for a new Node."""
    yield from validate_metadata(node["metadata"], namespaced=False, name_faults=subdomain_faults)
    yield from _validate_taints(node)
    yield from _validate_amounts(node)
    ranges = (node.get("spec") or {}).get("podCIDRs") or []
    for index, text in enumerate(ranges):
        yield from each(f"spec.podCIDRs[{index}]", text, range_faults(text))
    if len(ranges) > 1 and (len(ranges) > 2 or len({":" in text for text in ranges}) < 2):
        yield invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family")


def validate_node_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed Node."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_amounts(new)
    after, before = new.get("spec") or {}, old.get("spec") or {}
    addresses = (new.get("status") or {}).get("addresses") or []
    for index, address in enumerate(addresses):
        if address in addresses[:index]:
            yield duplicate(f"status.addresses[{index}]", in_words_of_go(address, "type", "address"))
    ranges = before.get("podCIDRs") or ([before["podCIDR"]] if before.get("podCIDR") else [])
    if ranges and (after.get("podCIDRs") or [after.get("podCIDR")]) != ranges:
        yield forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        yield forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
    yield from _validate_taints(new)


def _validate_taints(node: Obj) -> Errors:
    """As in the original, the path is that of the metadata."""
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate((node.get("spec") or {}).get("taints") or ()):
        path, key, effect = f"metadata.taints[{index}]", taint.get("key") or "", taint.get("effect") or ""
        yield from each(f"{path}.key", key, qualified_faults(key))
        if faults := value_faults(taint.get("value") or ""):
            yield invalid(f"{path}.value", taint["value"], ";".join(faults))
        yield from one_of(f"{path}.effect", effect, EFFECTS)
        if (key, effect) in seen:
            shown = {
                "Key": key,
                "Value": taint.get("value") or "",
                "Effect": effect,
                "TimeAdded": taint.get("timeAdded"),
            }
            yield duplicate(path, shown, "taints must be unique by key and effect pair")
        seen.add((key, effect))


def _validate_amounts(node: Obj) -> Errors:
    status = node.get("status") or {}
    for field in ("capacity", "allocatable"):
        for name, amount in (status.get(field) or {}).items():
            yield from validate_amount(name, amount, f"status.{field}.{name}")


def validate_service_account(account: Obj) -> Errors:
    """A ServiceAccount's name is a DNS subdomain."""
    yield from validate_metadata(account["metadata"], namespaced=True, name_faults=subdomain_faults)


def validate_lease(lease: Obj) -> Errors:
    """The rules for a Lease, new or changed."""
    yield from validate_metadata(lease["metadata"], namespaced=True, name_faults=subdomain_faults, by_kind=False)
    spec = lease.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    yield from not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))
    strategy = spec.get("strategy")
    if strategy is not None and "/" in strategy:
        yield from each("spec.strategy.strategy", strategy, qualified_faults(strategy))
    else:
        yield from known("spec.strategy.strategy", strategy, ("OldestEmulationVersion",))
    if spec.get("preferredHolder") and not strategy:
        yield forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined")


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
