"""Rules for Services. Source: pkg/apis/core/validation/validation.go ValidateService."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from drumroll.domain.validation.container import PROTOCOLS
from drumroll.domain.validation.field import (
    Errors,
    duplicate,
    each,
    forbidden,
    in_range,
    invalid,
    known,
    one_of,
    required,
    unsupported,
)
from drumroll.domain.validation.metadata import validate_labels, validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import (
    address_faults,
    label_faults,
    qualified_faults,
    range_faults,
    special_address_faults,
    subdomain_faults,
)
from drumroll.domain.validation.probe import validate_port
from drumroll.objects.meta import Obj, annotations_of

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_MOST_AFFINITY_SECONDS = 86400
_HINTS = "service.kubernetes.io/topology-aware-hints"
_TOPOLOGY = "service.kubernetes.io/topology-mode"
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_SET_ONCE = "may not change once set"
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"


def validate_service(service: Obj) -> Errors:
    """The rules for a new Service, whose addresses and node ports may already be allocated or not."""
    yield from validate_metadata(service["metadata"], namespaced=True, name_faults=label_faults)
    annotations = annotations_of(service)
    if _HINTS in annotations and annotations.get(_TOPOLOGY, annotations[_HINTS]) != annotations[_HINTS]:
        text = f"must match annotations[{_HINTS}] when both are specified"
        yield invalid(f"metadata.annotations[{_TOPOLOGY}]", annotations[_TOPOLOGY], text)
    spec = service.get("spec") or {}
    ports, kind = spec.get("ports") or [], spec.get("type")
    if not ports and not _is_headless(spec) and kind != "ExternalName":
        yield required("spec.ports")
    yield from _validate_type_needs(spec)
    names: set[str] = set()
    for index, port in enumerate(ports):
        yield from _validate_port(port, len(ports) > 1, names, f"spec.ports[{index}]")
    yield from validate_labels(spec.get("selector"), "spec.selector")
    yield from _validate_affinity(spec)
    if kind != "ExternalName":
        yield from _validate_cluster_ips(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        faults = address_faults(address) or special_address_faults(address)
        yield from each(f"spec.externalIPs[{index}]", address, faults)
    yield from one_of("spec.type", kind, _TYPES)
    yield from _validate_port_sets(ports, kind)
    yield from _validate_load_balancer(spec, annotations)
    yield from _validate_traffic(spec)


def validate_service_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed Service: its first address and family stay, unless it is or was an ExternalName."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" not in (after.get("type"), before.get("type")):
        if not (_is_headless(after) and _is_headless(before)):
            yield from _validate_kept_addresses(after, before)
        if not _is_headless(after) and not _is_headless(before):
            yield from _validate_kept_families(after, before)
    if _is_balanced(after) and _is_balanced(before):
        if after.get("loadBalancerClass") != before.get("loadBalancerClass"):
            yield invalid("spec.loadBalancerClass", after.get("loadBalancerClass"), _SET_ONCE)
        if _needs_health_check(after) and _needs_health_check(before):
            port, former = after.get("healthCheckNodePort"), before.get("healthCheckNodePort")
            if former and port != former:
                yield forbidden("spec.healthCheckNodePort", "field is immutable")
    yield from validate_service(new)


def _validate_kept_addresses(after: Obj, before: Obj) -> Errors:
    """A second address may come or go; the first stays."""
    new, old = after.get("clusterIPs") or [], before.get("clusterIPs") or []
    if len(new) == len(old):
        for index, (address, former) in enumerate(zip(new, old, strict=True)):
            if address != former:
                yield invalid(f"spec.clusterIPs[{index}]", new, _SET_ONCE)
        return
    if not new:
        yield invalid("spec.clusterIPs[0]", new or None, "primary clusterIP can not be unset")
    elif old and new[0] != old[0]:
        yield invalid("spec.clusterIPs[0]", new, _SET_ONCE)
    if len(new) == 1 and len(old) == 2 and after.get("ipFamilyPolicy") != "SingleStack":
        text = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        yield invalid("spec.ipFamilyPolicy", after.get("ipFamilyPolicy"), text)


def _validate_kept_families(after: Obj, before: Obj) -> Errors:
    new, old = after.get("ipFamilies") or [], before.get("ipFamilies") or []
    if len(new) == len(old):
        for family, former in zip(new, old, strict=True):
            if family != former:
                yield invalid("spec.ipFamilies[0]", new, _SET_ONCE)
        return
    if len(new) < len(old) and not after.get("clusterIPs"):
        yield invalid("spec.ipFamilies[0]", new or None, "primary ipFamily can not be unset")
    if new and old and new[0] != old[0]:
        yield invalid("spec.ipFamilies[0]", after.get("clusterIPs"), _SET_ONCE)
    if len(new) == 1 and len(old) == 2 and after.get("ipFamilyPolicy") != "SingleStack":
        text = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        yield invalid("spec.ipFamilyPolicy", after.get("ipFamilyPolicy"), text)


def _is_headless(spec: Obj) -> bool:
    return bool((spec.get("clusterIPs") or [spec.get("clusterIP")]) == ["None"])


def _is_balanced(spec: Obj) -> bool:
    return spec.get("type") == "LoadBalancer"


def _needs_health_check(spec: Obj) -> bool:
    return _is_balanced(spec) and spec.get("externalTrafficPolicy") == "Local"


def _validate_type_needs(spec: Obj) -> Errors:
    kind = spec.get("type")
    if kind in ("LoadBalancer", "NodePort") and _is_headless(spec):
        yield invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind != "ExternalName":
        return
    for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(field):
            yield forbidden(f"spec.{field}", "may not be set for ExternalName services")
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        yield required("spec.externalName")
    for fault in subdomain_faults(name) if name else ():
        yield invalid("spec.externalName", name, fault)


def _validate_port(port: Obj, needs_name: bool, names: set[str], path: str) -> Errors:
    name = port.get("name") or ""
    if needs_name and not name:
        yield required(f"{path}.name")
    elif name:
        for fault in label_faults(name):
            yield invalid(f"{path}.name", name, fault)
        if name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
    yield from in_range(f"{path}.port", port.get("port") or 0, 1, 65535)
    yield from one_of(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
    yield from validate_port(port.get("targetPort", 0), f"{path}.targetPort")
    if port.get("appProtocol") is not None:
        for fault in qualified_faults(port["appProtocol"]):
            yield invalid(f"{path}.appProtocol", port["appProtocol"], fault)


def _validate_affinity(spec: Obj) -> Errors:
    affinity, config, path = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig"), "sessionAffinityConfig"
    yield from one_of("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "ClientIP":
        needed = "when session affinity type is ClientIP"
        if config is None:
            yield required(f"spec.{path}", needed)
        elif config.get("clientIP") is None:
            yield required(f"spec.{path}.clientIP", needed)
        elif config["clientIP"].get("timeoutSeconds") is None:
            yield required(f"spec.{path}.clientIP.timeoutSeconds", needed)
        elif not 0 < config["clientIP"]["timeoutSeconds"] <= _MOST_AFFINITY_SECONDS:
            text = f"must be greater than 0 and less than {_MOST_AFFINITY_SECONDS}"
            yield invalid(f"spec.{path}.clientIP.timeoutSeconds", config["clientIP"]["timeoutSeconds"], text)
    elif affinity == "None" and config is not None:
        yield forbidden(f"spec.{path}", "must not be set when session affinity is None")


def _validate_cluster_ips(spec: Obj) -> Errors:
    ip, ips, families = spec.get("clusterIP"), spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    if ips and not ip:
        yield invalid("spec.clusterIPs", ips, "must be empty when `clusterIP` is not specified")
    elif ip and not ips:
        yield required("spec.clusterIPs")
    elif ip and ip != ips[0]:
        yield invalid("spec.clusterIPs", ips, "first value must match `clusterIP`")
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            yield unsupported(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in families[:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    yield from known("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), _FAMILY_POLICIES)
    faults = []
    for index, address in enumerate(ips):
        if index == 0 and address == "None":
            if len(ips) > 1:
                faults.append(invalid("spec.clusterIPs", ips, "'None' must be the first and only value"))
        else:
            faults += each(f"spec.clusterIPs[{index}]", address, address_faults(address))
    yield from faults
    if len(ips) > 2:
        yield invalid("spec.clusterIPs", ips, "may only hold up to 2 values")
    if not faults and not _is_headless(spec):
        yield from _validate_families(ips, families)


def _validate_families(ips: list[str], families: list[str]) -> Errors:
    """Two addresses are of two families, each of the family that is named at its place."""
    versions = [f"IPv{ip_address(address).version}" for address in ips]
    if len(ips) > 1 and len(set(versions)) != len(versions):
        yield invalid("spec.clusterIPs", ips, "may specify no more than one IP for each IP family")
    for index, (version, family) in enumerate(zip(versions, families, strict=False)):
        if family in _FAMILIES and version != family:
            text = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield invalid(f"spec.clusterIPs[{index}]", ips[index], text)


def _validate_port_sets(ports: list[Obj], kind: Any) -> Errors:
    """Node ports belong to types that have them; neither they nor ports occur twice for one protocol."""
    for index, port in enumerate(ports):
        if port.get("nodePort") and kind == "ClusterIP":
            yield forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
    on_node: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol") or "", port.get("nodePort") or 0)
        if key[1] and key in on_node:
            yield duplicate(f"spec.ports[{index}].nodePort", key[1])
        on_node.add(key)
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        protocol, number = port.get("protocol") or "", port.get("port") or 0
        if (protocol, number) in seen:
            shown = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number}
            yield duplicate(f"spec.ports[{index}]", {**shown, "TargetPort": 0, "NodePort": 0})
        seen.add((protocol, number))


def _validate_load_balancer(spec: Obj, annotations: Mapping[str, str]) -> Errors:
    ranges, path = spec.get("loadBalancerSourceRanges") or [], "spec.LoadBalancerSourceRanges"
    if ranges:
        if not _is_balanced(spec):
            yield forbidden(path, _ONLY_BALANCED)
        for index, text in enumerate(ranges):
            yield from each(f"{path}[{index}]", text.strip(), range_faults(text.strip()))
    elif _RANGES in annotations:
        path, given = f"metadata.annotations[{_RANGES}]", annotations[_RANGES].strip()
        if not _is_balanced(spec):
            yield forbidden(path, _ONLY_BALANCED)
        for text in given.split(",") if given else ():
            yield from each(path, text.strip(), range_faults(text.strip()))
    if spec.get("allocateLoadBalancerNodePorts") is not None and not _is_balanced(spec):
        yield forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCED)
    name = spec.get("loadBalancerClass")
    if name is not None and _is_balanced(spec):
        yield from each("spec.loadBalancerClass", name, qualified_faults(name))
    elif name is not None:
        yield forbidden("spec.loadBalancerClass", _ONLY_BALANCED)


def _validate_traffic(spec: Obj) -> Errors:
    kind, external = spec.get("type"), spec.get("externalTrafficPolicy") or ""
    is_external = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    path = "spec.externalTrafficPolicy"
    if is_external:
        yield from one_of(path, external, ("Cluster", "Local"))
    elif external:
        yield invalid(path, external, "may only be set for externally-accessible services")
    health = spec.get("healthCheckNodePort") or 0
    if health and not _needs_health_check(spec):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid("spec.healthCheckNodePort", health, text)
    elif health:
        yield from in_range("spec.healthCheckNodePort", health, 1, 65535)
    internal = spec.get("internalTrafficPolicy")
    if internal is None:
        if kind in ("NodePort", "LoadBalancer", "ClusterIP"):
            yield required("spec.internalTrafficPolicy")
    elif internal not in ("Cluster", "Local"):
        yield unsupported("spec.internalTrafficPolicy", internal, ("Cluster", "Local"))
    spread = spec.get("trafficDistribution")
    choices = ("PreferClose", "PreferSameNode", "PreferSameZone")
    if spread is not None and spread not in choices:
        yield unsupported("spec.trafficDistribution", spread, choices)
