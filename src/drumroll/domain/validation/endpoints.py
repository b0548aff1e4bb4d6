"""Rules for EndpointSlices and Endpoints. Source: pkg/apis/{discovery,core}/validation/validation.go.

One rule is left out on purpose: pods may have loopback addresses here, so their endpoints may, too.
"""

from ipaddress import IPv4Address, IPv6Address

from drumroll.domain.validation.container import PROTOCOLS
from drumroll.domain.validation.field import (
    IMMUTABLE,
    Errors,
    duplicate,
    each,
    in_range,
    invalid,
    one_of,
    required,
    too_many,
)
from drumroll.domain.validation.metadata import validate_labels, validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import (
    address_faults,
    label_faults,
    qualified_faults,
    special_address_faults,
    subdomain_faults,
    value_faults,
)
from drumroll.objects.meta import Obj

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_MOST_ENDPOINTS, _MOST_ADDRESSES, _MOST_PORTS = 1000, 100, 20000
_MOST_TOPOLOGY, _MOST_HINTS = 16, 8


def validate_endpoint_slice(endpoint_slice: Obj) -> Errors:
    """The rules for a new EndpointSlice."""
    yield from validate_metadata(endpoint_slice["metadata"], namespaced=True, name_faults=subdomain_faults)
    kind = endpoint_slice.get("addressType")
    yield from one_of("addressType", kind, _ADDRESS_TYPES)
    yield from _validate_slice(endpoint_slice, kind or "")


def validate_endpoint_slice_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed EndpointSlice: the type of its addresses stays."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from validate_endpoint_slice(new)
    if new.get("addressType") != old.get("addressType"):
        yield invalid("addressType", new.get("addressType") or "", IMMUTABLE)


def _validate_slice(endpoint_slice: Obj, kind: str) -> Errors:
    endpoints, ports = endpoint_slice.get("endpoints") or [], endpoint_slice.get("ports") or []
    if len(endpoints) > _MOST_ENDPOINTS:
        yield too_many("endpoints", len(endpoints), _MOST_ENDPOINTS)
        return
    for index, endpoint in enumerate(endpoints):
        addresses, path = endpoint.get("addresses") or [], f"endpoints[{index}].addresses"
        if not addresses:
            yield required(path, "must contain at least 1 address")
        elif len(addresses) > _MOST_ADDRESSES:
            yield too_many(path, len(addresses), _MOST_ADDRESSES)
        for position, address in enumerate(addresses):
            yield from _validate_address(address, kind, f"{path}[{position}]")
        yield from _validate_endpoint(endpoint, f"endpoints[{index}]")
    if len(ports) > _MOST_PORTS:
        yield too_many("ports", len(ports), _MOST_PORTS)
        return
    names: set[str] = set()
    for index, port in enumerate(ports):
        name, path = port.get("name") or "", f"ports[{index}]"
        for fault in label_faults(name) if name else ():
            yield invalid(f"{path}.name", name, fault)
        if name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
        yield from one_of(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
        if port.get("appProtocol") is not None:
            yield from each(f"{path}.appProtocol", port["appProtocol"], qualified_faults(port["appProtocol"]))


def _validate_endpoint(endpoint: Obj, path: str) -> Errors:
    """What is known of an endpoint besides its addresses."""
    if endpoint.get("nodeName") is not None:
        yield from each(f"{path}.nodeName", endpoint["nodeName"], subdomain_faults(endpoint["nodeName"]))
    topology = endpoint.get("deprecatedTopology") or {}
    if len(topology) > _MOST_TOPOLOGY:
        yield too_many(f"{path}.deprecatedTopology", len(topology), _MOST_TOPOLOGY)
    yield from validate_labels(topology, f"{path}.deprecatedTopology")
    if endpoint.get("hostname") is not None:
        yield from each(f"{path}.hostname", endpoint["hostname"], label_faults(endpoint["hostname"]))
    hints = endpoint.get("hints") or {}
    for field, rule in (("forZones", value_faults), ("forNodes", subdomain_faults)):
        names = [one.get("name") or "" for one in hints.get(field) or ()]
        if len(names) > _MOST_HINTS:
            yield too_many(f"{path}.hints.{field}", len(names), _MOST_HINTS)
            continue
        for index, name in enumerate(names):
            where = f"{path}.hints.{field}[{index}].name"
            if name in names[:index]:
                yield duplicate(where, name)
            yield from each(where, name, rule(name))


def _validate_address(address: str, kind: str, path: str) -> Errors:
    if kind == "FQDN":
        yield from _validate_domain(address.removesuffix("."), path)
    elif kind in ("IPv4", "IPv6"):
        try:
            (IPv4Address if kind == "IPv4" else IPv6Address)(address)
        except ValueError:
            yield invalid(path, address, f"must be a valid {kind} address")
        else:
            yield from _validate_reachable(address, path)


def _validate_domain(name: str, path: str) -> Errors:
    if not name:
        yield required(path)
    elif faults := subdomain_faults(name):
        yield invalid(path, name, ",".join(faults))
    elif "." not in name:
        yield invalid(path, name, "should be a domain with at least two segments separated by dots")
    else:
        for label in name.split("."):
            if faults := label_faults(label):
                yield invalid(path, label, ",".join(faults))
                return


def _validate_reachable(address: str, path: str) -> Errors:
    """The original refuses loopback addresses, too; here they are those of pods that share the host's network."""
    yield from each(path, address, (fault for fault in special_address_faults(address) if "loopback" not in fault))


def validate_endpoints(endpoints: Obj) -> Errors:
    """The rules for the older kind."""
    yield from validate_metadata(endpoints["metadata"], namespaced=True, name_faults=subdomain_faults)
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield required(path, "must specify `addresses` or `notReadyAddresses`")
        for field in ("addresses", "notReadyAddresses"):
            for position, address in enumerate(subset.get(field) or ()):
                yield from _validate_old_address(address, f"{path}.{field}[{position}]")
        ports = subset.get("ports") or ()
        for position, port in enumerate(ports):
            where, name = f"{path}.ports[{position}]", port.get("name") or ""
            if len(ports) > 1 and not name:
                yield required(f"{where}.name")
            for fault in label_faults(name) if name else ():
                yield invalid(f"{where}.name", name, fault)
            yield from in_range(f"{where}.port", port.get("port") or 0, 1, 65535)
            yield from one_of(f"{where}.protocol", port.get("protocol"), PROTOCOLS)
            if port.get("appProtocol") is not None:
                yield from each(f"{where}.appProtocol", port["appProtocol"], qualified_faults(port["appProtocol"]))


def _validate_old_address(address: Obj, path: str) -> Errors:
    ip = address.get("ip") or ""
    faults = address_faults(ip)
    yield from each(f"{path}.ip", ip, faults)
    if address.get("hostname"):
        yield from each(f"{path}.hostname", address["hostname"], label_faults(address["hostname"]))
    if address.get("nodeName") is not None:
        yield from each(f"{path}.nodeName", address["nodeName"], subdomain_faults(address["nodeName"]))
    if not faults:
        yield from _validate_reachable(ip, f"{path}.ip")
    else:
        yield invalid(f"{path}.ip", ip, "must be a valid IP address")
