"""Rules for EndpointSlices and Endpoints. Source: pkg/apis/{discovery,core}/validation/validation.go.

One rule is left out on purpose: pods may have loopback addresses here, so their endpoints may, too.
"""

from ipaddress import IPv4Address, IPv6Address

from drumroll.domain.validation.container import PROTOCOLS
from drumroll.domain.validation.field import (
    IMMUTABLE,
    Errors,
    duplicate,
    in_range,
    invalid,
    one_of,
    required,
    too_many,
)
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update
from drumroll.domain.validation.names import address_faults, label_faults, subdomain_faults
from drumroll.objects.meta import Obj

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_MOST_ENDPOINTS, _MOST_ADDRESSES, _MOST_PORTS = 1000, 100, 20000


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


def _validate_address(address: str, kind: str, path: str) -> Errors:
    if kind == "FQDN":
        for fault in subdomain_faults(address):
            yield invalid(path, address, fault)
    elif kind in ("IPv4", "IPv6"):
        try:
            (IPv4Address if kind == "IPv4" else IPv6Address)(address)
        except ValueError:
            yield invalid(path, address, f"must be a valid {kind} address")


def validate_endpoints(endpoints: Obj) -> Errors:
    """The rules for the older kind."""
    yield from validate_metadata(endpoints["metadata"], namespaced=True, name_faults=subdomain_faults)
    for index, subset in enumerate(endpoints.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield required(path, "must specify `addresses` or `notReadyAddresses`")
        for field in ("addresses", "notReadyAddresses"):
            for position, address in enumerate(subset.get(field) or ()):
                for fault in address_faults(address.get("ip") or ""):
                    yield invalid(f"{path}.{field}[{position}].ip", address.get("ip") or "", fault)
        ports = subset.get("ports") or ()
        for position, port in enumerate(ports):
            where, name = f"{path}.ports[{position}]", port.get("name") or ""
            if len(ports) > 1 and not name:
                yield required(f"{where}.name")
            for fault in label_faults(name) if name else ():
                yield invalid(f"{where}.name", name, fault)
            yield from in_range(f"{where}.port", port.get("port") or 0, 1, 65535)
            yield from one_of(f"{where}.protocol", port.get("protocol"), PROTOCOLS)
