"""References from one object to another: across namespaces only where a ReferenceGrant allows it."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from drumroll.domain.envoy.clusters import cluster_name
from drumroll.domain.gateway import GROUP
from drumroll.objects.meta import Key, Obj

MALFORMED = (AttributeError, KeyError, TypeError, ValueError)
"""What reading an object raises that is not of its kind's shape."""


CORE = frozenset({"", "core"})
"""The group of Services: many manifests for meshes write its name in words."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something of an object is not as asked; `reason` is the standard's."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Target:
    """A Service port that requests may be sent to. `port` is its entry in the Service."""

    service: Key
    port: str
    cluster: str
    sticky: bool
    http2: bool


@dataclass(frozen=True, slots=True)
class Referrer:
    """Who refers: a kind of a group in a namespace."""

    kind: str
    namespace: str
    group: str = GROUP


class References:
    """Looks references up among the Services and the grants."""

    def __init__(self, services: Mapping[Key, Obj], grants: Iterable[Obj], *, is_mesh: bool = False) -> None:
        self._services = services
        self._is_mesh = is_mesh
        self._grants: dict[str, list[Obj]] = {}
        for grant in grants:
            self._grants.setdefault(grant["metadata"]["namespace"], []).append(grant.get("spec") or {})

    def within_mesh(self) -> "References":
        """The same for routes of Services, which need no grant: they open nothing that their callers could not reach.

        Source: gateway-api geps/gep-1426, "Namespace boundaries".
        """
        return References(self._services, (), is_mesh=True)

    def is_granted(self, who: Referrer, group: str, kind: str, key: Key) -> bool:
        """True within a namespace, and where a grant in the target's namespace says so."""
        if self._is_mesh or who.namespace == key.namespace:
            return True
        return any(_allows(spec, who, group, kind, key.name) for spec in self._grants.get(key.namespace, ()))

    def find(self, who: Referrer, reference: Obj, *, http2: bool = False) -> Target | Fault:
        """The Service port that a backendRef names; `http2` says that the route needs HTTP/2."""
        group, kind = reference.get("group") or "", reference.get("kind") or "Service"
        group = "" if group in CORE else group
        key = Key(reference.get("namespace") or who.namespace, reference.get("name") or "")
        if (group, kind) != ("", "Service"):
            return Fault("InvalidKind", f"{group or 'core'}/{kind} {key.name!r} cannot be sent to: name a Service")
        if not self.is_granted(who, group, kind, key):
            text = f"no ReferenceGrant in namespace {key.namespace!r} lets a {who.kind} of {who.namespace!r} refer to"
            return Fault("RefNotPermitted", f"{text} Service {key.name!r}")
        service = self._services.get(key)
        if service is None:
            return Fault("BackendNotFound", f"Service {str(key)!r} does not exist")
        if service["spec"].get("type") == "ExternalName":
            return Fault("UnsupportedValue", f"Service {str(key)!r} is an ExternalName, which cannot be sent to")
        number = reference.get("port")
        port = next((p for p in service["spec"].get("ports") or () if p["port"] == number), None)
        if port is None:
            return Fault("BackendNotFound", f"Service {str(key)!r} has no port {number}")
        if port.get("protocol", "TCP") != "TCP":
            return Fault("UnsupportedProtocol", f"port {number} of Service {str(key)!r} is {port['protocol']}")
        sticky = service["spec"].get("sessionAffinity") == "ClientIP"
        name = cluster_name(key.namespace, key.name, port)
        return Target(key, str(port.get("name") or port["port"]), name, sticky, http2)


def _allows(spec: Obj, who: Referrer, group: str, kind: str, name: str) -> bool:
    with suppress(*MALFORMED):
        return _grants(spec, who, group, kind, name)
    return False


def _grants(spec: Obj, who: Referrer, group: str, kind: str, name: str) -> bool:
    wanted = (who.group, who.kind, who.namespace)
    is_from = any(((f.get("group") or ""), f.get("kind"), f.get("namespace")) == wanted for f in spec.get("from") or ())
    return is_from and any(
        ((t.get("group") or ""), t.get("kind")) == (group, kind) and t.get("name") in {None, "", name}
        for t in spec.get("to") or ()
    )
