"""Rules for limits, quotas, priorities and network policies.

Source: pkg/apis/core/validation/validation.go (LimitRange, ResourceQuota), pkg/apis/scheduling/validation,
pkg/apis/networking/validation.
"""

from collections.abc import Mapping
from ipaddress import ip_network

from drumroll.domain.validation.field import (
    IMMUTABLE,
    Errors,
    forbidden,
    invalid,
    required,
    unsupported,
)
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update, validate_selector
from drumroll.domain.validation.names import port_name_faults, qualified_faults, subdomain_faults
from drumroll.objects.meta import Obj
from drumroll.objects.quantity import parse_quantity

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_SCOPES = ("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass",
           "Terminating", "VolumeAttributesClass")  # fmt: skip
_REQUEST_ABOVE_LIMIT = "default request value {} is greater than default limit value {}"
_LIMIT_MAPS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_POLICIES = ("Never", "PreemptLowerPriority")


def validate_limit_range(limit_range: Obj) -> Errors:
    """The rules for a limit range: its numbers fit together."""
    yield from validate_metadata(limit_range["metadata"], namespaced=True, name_faults=subdomain_faults)
    seen: set[str] = set()
    for index, limit in enumerate((limit_range.get("spec") or {}).get("limits") or ()):
        path = f"spec.limits[{index}]"
        kind = limit.get("type") or ""
        if not kind:
            yield required(f"{path}.type")
            continue
        if kind in seen:
            from drumroll.domain.validation.field import duplicate

            yield duplicate(f"{path}.type", kind)
        seen.add(kind)
        yield from _validate_limit(limit, kind, path)


def _validate_limit(limit: Obj, kind: str, path: str) -> Errors:
    if kind == "Pod":
        for field in ("default", "defaultRequest"):
            if limit.get(field):
                yield forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'")
    if (
        kind == "PersistentVolumeClaim"
        and not (limit.get("min") or {}).get("storage")
        and not (limit.get("max") or {}).get("storage")
    ):
        yield required(f"{path}", "either minimum or maximum storage value is required, but neither was provided")
    for field in _LIMIT_MAPS:
        for name in limit.get(field) or {}:
            for fault in qualified_faults(name):
                yield invalid(f"{path}.{field}[{name}]", name, fault)
    names = sorted({name for field in _LIMIT_MAPS for name in limit.get(field) or {}})
    for name in names:
        yield from _validate_order(limit, name, path)


def _validate_order(limit: Obj, name: str, path: str) -> Errors:
    """min ≤ defaultRequest ≤ default ≤ max, and a ratio of at least one."""
    text = {field: (limit.get(field) or {}).get(name) for field in _LIMIT_MAPS}
    value = {field: parse_quantity(amount) for field, amount in text.items() if amount is not None}
    for low, high, shown, verb in (
        ("min", "max", "min", "min value {} is greater than max value {}"),
        ("min", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
        ("min", "default", "default", "min value {} is greater than default value {}"),
        ("defaultRequest", "max", "defaultRequest", "default request value {} is greater than max value {}"),
        ("defaultRequest", "default", "defaultRequest", _REQUEST_ABOVE_LIMIT),
        ("default", "max", "default", "default value {} is greater than max value {}"),
    ):  # fmt: skip
        if low in value and high in value and value[low] > value[high]:
            yield invalid(f"{path}.{shown}[{name}]", text[shown], verb.format(text[low], text[high]))
    ratio = value.get("maxLimitRequestRatio")
    if ratio is not None and ratio < 1:
        shown_ratio = text["maxLimitRequestRatio"]
        yield invalid(f"{path}.maxLimitRequestRatio[{name}]", shown_ratio, f"ratio {shown_ratio} is less than 1")


def validate_resource_quota(quota: Obj) -> Errors:
    """The rules for a quota: amounts that are not negative, scopes that exist."""
    yield from validate_metadata(quota["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = quota.get("spec") or {}
    for name, amount in sorted((spec.get("hard") or {}).items()):
        path = f"spec.hard[{name}]"
        for fault in qualified_faults(name):
            yield invalid(path, name, fault)
        value = parse_quantity(amount)
        if value < 0:
            yield invalid(path, amount, "must be greater than or equal to 0")
        if _is_counted(name) and value != value.to_integral_value():
            yield invalid(path, amount, "must be an integer")
    scopes = spec.get("scopes") or ()
    for scope in scopes:
        if scope not in _SCOPES:
            yield invalid("spec.scopes", list(scopes), "unsupported scope")
    for pair in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if set(pair) <= set(scopes):
            yield invalid("spec.scopes", list(scopes), "conflicting scopes")


def _is_counted(name: str) -> bool:
    return name.startswith("count/") or name in ("pods", "services", "secrets", "configmaps", "resourcequotas")


def validate_resource_quota_update(new: Obj, old: Obj) -> Errors:
    """A quota's scopes stay."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from validate_resource_quota(new)
    after, before = (set((quota.get("spec") or {}).get("scopes") or ()) for quota in (new, old))
    if after != before:
        yield invalid("spec.scopes", sorted(after), IMMUTABLE)


def validate_priority_class(priority_class: Obj) -> Errors:
    """The rules for a priority class: high values are the system's."""
    metadata, value = priority_class["metadata"], priority_class.get("value") or 0
    yield from validate_metadata(metadata, namespaced=False, name_faults=subdomain_faults)
    name = metadata.get("name") or ""
    if name.startswith("system-"):
        if SYSTEM_PRIORITIES.get(name) != value:
            known = "is not a known system priority class"
            if name in SYSTEM_PRIORITIES:
                known = f"value of {name} PriorityClass must be {SYSTEM_PRIORITIES[name]}"
            reason = "priority class names with 'system-' prefix are reserved for system use only. error: "
            yield forbidden(
                "metadata.name", f"{reason}{name} {known}" if name not in SYSTEM_PRIORITIES else reason + known
            )
    elif value > HIGHEST_USER_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        yield forbidden("value", text)
    policy = priority_class.get("preemptionPolicy")
    if policy not in _POLICIES:
        yield unsupported("preemptionPolicy", policy, _POLICIES)


def validate_priority_class_update(new: Obj, old: Obj) -> Errors:
    """A priority class keeps its value: pods carry copies of it."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    if (new.get("value") or 0) != (old.get("value") or 0):
        yield forbidden("value", "may not be changed in an update.")
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        yield invalid("preemptionPolicy", new.get("preemptionPolicy"), IMMUTABLE)


def validate_network_policy(policy: Obj) -> Errors:
    """The rules for a network policy."""
    yield from validate_metadata(policy["metadata"], namespaced=True, name_faults=subdomain_faults)
    spec = policy.get("spec") or {}
    yield from validate_selector(spec.get("podSelector") or {}, "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                yield from _validate_port(port, f"{path}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or ()):
                yield from _validate_peer(peer, f"{path}.{peers}[{number}]")
    for index, kind in enumerate(spec.get("policyTypes") or ()):
        if kind not in ("Ingress", "Egress"):
            yield unsupported(f"spec.policyTypes[{index}]", kind, ("Egress", "Ingress"))


def _validate_port(port: Obj, path: str) -> Errors:
    protocol = port.get("protocol")
    if protocol not in ("TCP", "UDP", "SCTP"):
        yield unsupported(f"{path}.protocol", protocol, ("SCTP", "TCP", "UDP"))
    number = port.get("port")
    if isinstance(number, int) and not 1 <= number <= 65535:
        yield invalid(f"{path}.port", number, "must be between 1 and 65535, inclusive")
    if isinstance(number, str):
        for fault in port_name_faults(number):
            yield invalid(f"{path}.port", number, fault)
    end = port.get("endPort")
    if end is not None:
        if not isinstance(number, int):
            yield required(f"{path}.port", "must be specified when endPort is used")
        elif end < number:
            yield invalid(f"{path}.endPort", end, "must be greater than or equal to `port`")


def _validate_peer(peer: Obj, path: str) -> Errors:
    given = [field for field in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(field) is not None]
    if not given:
        yield required(path, "must specify a peer")
    if "ipBlock" in given and len(given) > 1:
        yield forbidden(path, "may not specify both ipBlock and another peer")
    for field in given:
        if field != "ipBlock":
            yield from validate_selector(peer[field], f"{path}.{field}")
    block: Mapping[str, str] = peer.get("ipBlock") or {}
    if "ipBlock" in given:
        cidr = block.get("cidr") or ""
        try:
            ip_network(cidr, strict=False)
        except ValueError:
            text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            yield invalid(f"{path}.ipBlock.cidr", cidr, text) if cidr else required(f"{path}.ipBlock.cidr")
