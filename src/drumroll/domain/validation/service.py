"""Rules for Services. Source: pkg/apis/core/validation/validation.go ValidateService."""

from ipaddress import ip_address, ip_network
from typing import Any

from drumroll.domain.validation.container import PROTOCOLS
from drumroll.domain.validation.field import (
    Errors,
    duplicate,
    forbidden,
    in_range,
    invalid,
    one_of,
    required,
    unsupported,
)
from drumroll.domain.validation.metadata import validate_labels, validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import address_faults, label_faults, qualified_faults, subdomain_faults
from drumroll.domain.validation.probe import validate_port
from drumroll.objects.meta import Obj

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_MOST_AFFINITY_SECONDS = 86400
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"


def validate_service(service: Obj) -> Errors:
    """The rules for a new Service, whose addresses and node ports may already be allocated or not."""
    yield from validate_metadata(service["metadata"], namespaced=True, name_faults=label_faults)
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
        yield from _validate_external_ip(address, f"spec.externalIPs[{index}]")
    yield from one_of("spec.type", kind, _TYPES)
    yield from _validate_port_sets(ports, kind)
    yield from _validate_load_balancer(spec)
    yield from _validate_traffic(spec)


def validate_service_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed Service: its first address and family stay, unless it is or was an ExternalName."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" not in (after.get("type"), before.get("type")):
        yield from _validate_kept(after, before, "clusterIPs", "primary clusterIP can not be unset")
        yield from _validate_kept(after, before, "ipFamilies", "primary ipFamily can not be unset")
    if _is_balanced(after) and _is_balanced(before):
        if after.get("loadBalancerClass") != before.get("loadBalancerClass"):
            yield invalid("spec.loadBalancerClass", after.get("loadBalancerClass"), "may not change once set")
        if _needs_health_check(after) and _needs_health_check(before):
            port, former = after.get("healthCheckNodePort"), before.get("healthCheckNodePort")
            if former and port != former:
                yield forbidden("spec.healthCheckNodePort", "field is immutable")
    yield from validate_service(new)


def _validate_kept(after: Obj, before: Obj, field: str, unset: str) -> Errors:
    new, old = after.get(field) or [], before.get(field) or []
    if old and not new:
        yield invalid(f"spec.{field}[0]", new, unset)
    elif old and new[0] != old[0]:
        yield invalid(f"spec.{field}[0]", new, "may not change once set")


def _is_headless(spec: Obj) -> bool:
    return bool((spec.get("clusterIPs") or [spec.get("clusterIP")])[0] == "None")


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
    affinity = spec.get("sessionAffinity")
    yield from one_of("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        seconds = (config.get("clientIP") or {}).get("timeoutSeconds")
        path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        if seconds is None:
            yield required(path, "when session affinity type is ClientIP")
        elif not 0 < seconds <= _MOST_AFFINITY_SECONDS:
            yield invalid(path, seconds, f"must be greater than 0 and less than {_MOST_AFFINITY_SECONDS}")
    elif affinity == "None" and spec.get("sessionAffinityConfig") is not None:
        yield forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None")


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
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        yield unsupported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES)
    if "None" in ips:
        if len(ips) > 1:
            yield invalid("spec.clusterIPs", ips, "'None' must be the first and only value")
        return
    for index, address in enumerate(ips):
        faults = address_faults(address)
        for fault in faults:
            yield invalid(f"spec.clusterIPs[{index}]", address, fault)
        if not faults and index < len(families) and families[index] in _FAMILIES:
            family = families[index]
            if f"IPv{ip_address(address).version}" != family:
                text = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
                yield invalid(f"spec.clusterIPs[{index}]", address, text)
    if len(ips) > 2:
        yield invalid("spec.clusterIPs", ips, "may only hold up to 2 values")


def _validate_external_ip(address: str, path: str) -> Errors:
    faults = address_faults(address)
    for fault in faults:
        yield invalid(path, address, fault)
    if faults:
        return
    ip = ip_address(address)
    if ip.is_unspecified:
        yield invalid(path, address, f"may not be unspecified ({address})")
    if ip.is_loopback:
        yield invalid(path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if ip.is_link_local:
        yield invalid(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")


def _validate_port_sets(ports: list[Obj], kind: Any) -> Errors:
    """Node ports belong to types that have them; neither they nor ports occur twice for one protocol."""
    node_ports: set[tuple[str, int]] = set()
    seen: set[tuple[str, int]] = set()
    repeated = []
    for index, port in enumerate(ports):
        path, protocol = f"spec.ports[{index}]", port.get("protocol") or ""
        node_port, number = port.get("nodePort") or 0, port.get("port") or 0
        if node_port and kind == "ClusterIP":
            yield forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'")
        if node_port and (protocol, node_port) in node_ports:
            yield duplicate(f"{path}.nodePort", node_port)
        if (protocol, number) in seen:
            shown = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number}
            repeated.append(duplicate(path, {**shown, "TargetPort": 0, "NodePort": 0}))
        node_ports.add((protocol, node_port))
        seen.add((protocol, number))
    yield from repeated


def _validate_load_balancer(spec: Obj) -> Errors:
    ranges, path = spec.get("loadBalancerSourceRanges") or [], "spec.LoadBalancerSourceRanges"
    if ranges and not _is_balanced(spec):
        yield forbidden(path, _ONLY_BALANCED)
    for index, text in enumerate(ranges):
        try:
            ip_network(text.strip(), strict=False)
        except ValueError:
            fault = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            yield invalid(f"{path}[{index}]", text.strip(), fault)
    for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if spec.get(field) is not None and not _is_balanced(spec):
            yield forbidden(f"spec.{field}", _ONLY_BALANCED)


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
