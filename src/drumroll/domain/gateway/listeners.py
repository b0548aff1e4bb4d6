"""Gateways' listeners: which of them can be served where, and why the others cannot.

All Gateways of ours share one address. Ports 80 and 443 are the Ingress's two ports; any other is a port of its own.
Listeners of two Gateways with equal port and host are served together over HTTP; over HTTPS the older one is.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from drumroll.domain.gateway import CLASS, CONTROLLER
from drumroll.domain.gateway.hostnames import EVERYBODY, is_covered
from drumroll.domain.gateway.references import MALFORMED, Fault, References, Referrer
from drumroll.objects.meta import Key, Obj, key_of, uid_of

ROUTE_KINDS = ("HTTPRoute", "GRPCRoute")
_SCHEMES = {"HTTP": "http", "HTTPS": "https"}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where ports of listeners are on this machine: the Ingress's two, and how far low ones are moved."""

    address: str
    http: int
    https: int
    low_offset: int = 0

    def published(self, port: int) -> int:
        """The port on which a listener's port can be reached."""
        if port in {80, 443}:
            return self.http if port == 80 else self.https
        return port + self.low_offset if port < 1024 else port


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener of a Gateway. `socket` is the port on which it is reached; `host` is `*` for everybody.

    `conflict`, `rejected` and `unresolved` say why it is not served, in this order of weight.
    """

    gateway: Key
    name: str
    port: int
    socket: int
    scheme: str
    host: str
    kinds: tuple[str, ...]
    namespaces: Obj = field(default_factory=dict)
    secrets: tuple[Key, ...] = ()
    conflict: Fault | None = None
    rejected: Fault | None = None
    unresolved: Fault | None = None

    def is_served(self) -> bool:
        """True when routes that hang on it are served."""
        if self.conflict or self.rejected:
            return False
        return self.scheme == "http" or bool(self.secrets)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Gateway of ours, read; `rejected` speaks for all of it."""

    key: Key
    uid: str
    generation: int
    listeners: tuple[Listener, ...]
    rejected: Fault | None = None
    unplaced: Fault | None = None


def our_classes(classes: Iterable[Obj]) -> set[str]:
    """The names of the GatewayClasses that are ours; `drumroll` is, also before its object is there."""
    return {CLASS} | {
        found["metadata"]["name"] for found in classes if (found.get("spec") or {}).get("controllerName") == CONTROLLER
    }


def read_gateways(
    gateways: Iterable[Obj], ports: Ports, references: References, usable: Iterable[Key]
) -> list[Gateway]:
    """Our `gateways` (the caller has chosen), oldest first; `usable` Secrets hold a certificate that Envoy takes."""
    known = frozenset(usable)
    ordered = sorted(gateways, key=lambda g: (g["metadata"].get("creationTimestamp") or "", key_of(g)))
    schemes = {ports.http: "http", ports.https: "https"}
    hosts: dict[tuple[int, str], Key] = {}
    found = []
    for obj in ordered:
        generation = obj["metadata"].get("generation") or 0
        try:
            rejected, unplaced = _faults(obj.get("spec") or {}, ports)
            listeners = _within(_listeners(obj, ports, references, known))
        except MALFORMED as error:
            rejected, unplaced, listeners = Fault("Invalid", f"it cannot be read: {error!r}"), None, []
        if not rejected and not unplaced:
            listeners = _among_gateways(listeners, schemes, hosts)
        found.append(Gateway(key_of(obj), uid_of(obj), generation, tuple(listeners), rejected, unplaced))
    return found


def secrets_of(gateway: Obj) -> set[Key]:
    """The Secrets that a Gateway names."""
    with suppress(*MALFORMED):
        return {
            Key(reference.get("namespace") or gateway["metadata"]["namespace"], reference.get("name") or "")
            for listener in (gateway.get("spec") or {}).get("listeners") or ()
            for reference in (listener.get("tls") or {}).get("certificateRefs") or ()
        }
    return set()


def _listeners(gateway: Obj, ports: Ports, references: References, usable: frozenset[Key]) -> list[Listener]:
    entries = (gateway.get("spec") or {}).get("listeners") or ()
    found = [_read(key_of(gateway), entry, ports, references, usable) for entry in entries]
    for listener in found:
        hash((listener.name, listener.kinds, listener.secrets))
    return found


def overlapping(listener: Listener, others: Iterable[Listener]) -> list[str]:
    """The names of the other TLS listeners on this one's port that some host name belongs to as well."""
    if listener.scheme != "https" or listener.conflict or listener.rejected:
        return []
    rivals = [other for other in others if other.port == listener.port and other.scheme == "https"]
    return [
        other.name
        for other in rivals
        if other.name != listener.name
        and not other.conflict
        and not other.rejected
        and _meet(listener.host, other.host)
    ]


def _meet(one: str, other: str) -> bool:
    """Whether some host is both listeners'."""
    return is_covered(one, other) or is_covered(other, one)


def _faults(spec: Obj, ports: Ports) -> tuple[Fault | None, Fault | None]:
    """Why a Gateway as a whole is refused, or cannot be placed."""
    if (spec.get("infrastructure") or {}).get("parametersRef"):
        text = "spec.infrastructure.parametersRef: there are no parameters here: leave it out"
        return Fault("InvalidParameters", text), None
    for address in spec.get("addresses") or ():
        kind, value = address.get("type") or "IPAddress", address.get("value") or ports.address
        if kind != "IPAddress":
            return Fault("UnsupportedAddress", f"addresses of type {kind} are not supported: leave it out"), None
        if value != ports.address:
            return None, Fault("AddressNotUsable", f"{value} is not ours: Gateways are served on {ports.address}")
    return None, None


def _read(gateway: Key, spec: Obj, ports: Ports, references: References, usable: frozenset[Key]) -> Listener:
    protocol, port = str(spec.get("protocol") or ""), int(spec.get("port") or 0)
    allowed = spec.get("allowedRoutes") or {}
    kinds, odd = _kinds(allowed.get("kinds") or ())
    found = Listener(
        gateway,
        str(spec.get("name") or ""),
        port,
        ports.published(port),
        _SCHEMES.get(protocol, ""),
        (spec.get("hostname") or EVERYBODY).lower(),
        kinds if protocol in _SCHEMES else (),
        allowed.get("namespaces") or {},
        unresolved=Fault("InvalidRouteKinds", f"routes of kind {odd} are not supported") if odd else None,
    )
    if protocol not in _SCHEMES:
        text = f"protocol {protocol} is not supported: HTTP and HTTPS are"
        return replace(found, rejected=Fault("UnsupportedProtocol", text))
    if protocol == "HTTPS":
        return _with_secrets(found, spec.get("tls") or {}, references, usable)
    return found


def _kinds(entries: Iterable[Obj]) -> tuple[tuple[str, ...], str]:
    """The kinds of routes that may attach, and the first one asked for that is none of ours."""
    entries = list(entries)
    if not entries:
        return ROUTE_KINDS, ""
    group = "gateway.networking.k8s.io"
    ours = [e["kind"] for e in entries if (e.get("group") or group) == group and e["kind"] in ROUTE_KINDS]
    odd = next((e["kind"] for e in entries if e["kind"] not in ours), "")
    return tuple(dict.fromkeys(ours)), odd


def _with_secrets(found: Listener, tls: Obj, references: References, usable: frozenset[Key]) -> Listener:
    if (tls.get("mode") or "Terminate") != "Terminate":
        text = f"tls.mode {tls['mode']} needs a TLS listener: HTTPS is terminated here"
        return replace(found, rejected=Fault("UnsupportedValue", text))
    secrets, fault = [], found.unresolved
    for reference in tls.get("certificateRefs") or ():
        group, kind = reference.get("group") or "", reference.get("kind") or "Secret"
        key = Key(reference.get("namespace") or found.gateway.namespace, reference.get("name") or "")
        if (group, kind) != ("", "Secret"):
            fault = Fault("InvalidCertificateRef", f"{group}/{kind} holds no certificates: name a Secret")
        elif not references.is_granted(Referrer("Gateway", found.gateway.namespace), "", "Secret", key):
            fault = Fault("RefNotPermitted", f"no ReferenceGrant lets this Gateway refer to Secret {str(key)!r}")
        elif key not in usable:
            fault = Fault("InvalidCertificateRef", f"Secret {str(key)!r} holds no usable certificate")
        else:
            secrets.append(key)
    if not secrets and fault is None:
        fault = Fault("InvalidCertificateRef", "an HTTPS listener needs tls.certificateRefs")
    return replace(found, secrets=tuple(secrets), unresolved=fault)


def _within(listeners: list[Listener]) -> list[Listener]:
    """One Gateway's listeners: those that cannot be told apart are all in conflict."""
    schemes: dict[int, set[str]] = {}
    places: dict[tuple[int, str], int] = {}
    for listener in listeners:
        if not listener.rejected:
            schemes.setdefault(listener.port, set()).add(listener.scheme)
            place = (listener.port, listener.host)
            places[place] = places.get(place, 0) + 1
    return [_judged(listener, schemes, places) for listener in listeners]


def _judged(listener: Listener, schemes: Mapping[int, set[str]], places: Mapping[tuple[int, str], int]) -> Listener:
    if listener.rejected:
        return listener
    if len(schemes[listener.port]) > 1:
        text = f"port {listener.port} is asked for with protocols that exclude each other"
        return replace(listener, conflict=Fault("ProtocolConflict", text))
    if places[listener.port, listener.host] > 1:
        text = f"port {listener.port} with host {listener.host} is asked for twice"
        return replace(listener, conflict=Fault("HostnameConflict", text))
    return listener


def _among_gateways(
    listeners: list[Listener], schemes: dict[int, str], hosts: dict[tuple[int, str], Key]
) -> list[Listener]:
    """What older Gateways (and the Ingress) have already stays theirs; both mappings grow by what is taken."""
    found = []
    for listener in listeners:
        conflict = listener.conflict
        place = (listener.socket, listener.host)
        if conflict is None and not listener.rejected:
            if schemes.setdefault(listener.socket, listener.scheme) != listener.scheme:
                text = f"port {listener.socket} speaks {schemes[listener.socket]} for an older object"
                conflict = Fault("ProtocolConflict", text)
            elif listener.scheme == "https" and listener.secrets:
                owner = hosts.setdefault(place, listener.gateway)
                if owner != listener.gateway:
                    text = f"host {listener.host} on port {listener.socket} is Gateway {owner}'s"
                    conflict = Fault("HostnameConflict", text)
        found.append(replace(listener, conflict=conflict))
    return found
