"""Rules for network policies. Source: pkg/apis/networking/validation/validation.go."""

from ipaddress import ip_interface

from drumroll.domain.validation.field import (
    Errors,
    each,
    forbidden,
    in_range,
    invalid,
    known,
    required,
    unsupported,
)
from drumroll.domain.validation.metadata import validate_metadata, validate_metadata_update, validate_selector
from drumroll.domain.validation.names import port_name_faults, range_faults, subdomain_faults
from drumroll.objects.meta import Obj

_TYPES = ("Ingress", "Egress")


def validate_network_policy(policy: Obj) -> Errors:
    """The rules for a new policy."""
    yield from validate_metadata(policy["metadata"], namespaced=True, name_faults=subdomain_faults)
    yield from _validate_spec(policy.get("spec") or {})


def validate_network_policy_update(new: Obj, old: Obj) -> Errors:
    """The rules for a changed policy."""
    yield from validate_metadata_update(new["metadata"], old["metadata"])
    yield from _validate_spec(new.get("spec") or {})


def _validate_spec(spec: Obj) -> Errors:
    yield from validate_selector(spec.get("podSelector") or {}, "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                yield from _validate_port(port, f"{path}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or ()):
                yield from _validate_peer(peer, f"{path}.{peers}[{number}]")
    types = spec.get("policyTypes") or []
    if len(types) > len(_TYPES):
        yield invalid("spec.policyTypes", types, "may not specify more than two policyTypes")
        return
    for index, kind in enumerate(types):
        if kind not in _TYPES:
            yield unsupported(f"spec.policyTypes[{index}]", kind, _TYPES)


def _validate_port(port: Obj, path: str) -> Errors:
    yield from known(f"{path}.protocol", port.get("protocol"), ("TCP", "UDP", "SCTP"))
    number, end = port.get("port"), port.get("endPort")
    if isinstance(number, int):
        yield from in_range(f"{path}.port", number, 1, 65535)
        if end is not None:
            if end < number:  # as in the original, it is the port that is shown
                yield invalid(f"{path}.endPort", number, "must be greater than or equal to `port`")
            yield from in_range(f"{path}.endPort", end, 1, 65535)
        return
    if end is not None:
        lack = "non-numeric" if number is not None else "not specified"
        yield invalid(f"{path}.endPort", end, f"may not be specified when `port` is {lack}")
    if number is not None:
        yield from each(f"{path}.port", number, port_name_faults(number))


def _validate_peer(peer: Obj, path: str) -> Errors:
    given = [field for field in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(field) is not None]
    for field in given:
        if field == "ipBlock":
            yield from _validate_block(peer[field], f"{path}.ipBlock")
        else:
            yield from validate_selector(peer[field], f"{path}.{field}")
    if not given:
        yield required(path, "must specify a peer")
    elif "ipBlock" in given and len(given) > 1:
        yield forbidden(path, "may not specify both ipBlock and another peer")


def _validate_block(block: Obj, path: str) -> Errors:
    cidr = block.get("cidr") or ""
    if not cidr:
        yield required(f"{path}.cidr")
        return
    faults = range_faults(cidr)
    yield from each(f"{path}.cidr", cidr, faults)
    for index, inner in enumerate(() if faults else block.get("except") or ()):
        where, inner_faults = f"{path}.except[{index}]", range_faults(inner)
        yield from each(where, inner, inner_faults)
        if not inner_faults:
            outside, inside = ip_interface(cidr).network, ip_interface(inner).network
            same = outside.version == inside.version and inside.network_address in outside
            if not same or outside.prefixlen >= inside.prefixlen:
                yield invalid(where, inner, "must be a strict subset of `cidr`")
