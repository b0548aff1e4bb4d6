"""Which routes hang on which listeners and Services, under which names, and why the others do not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drumroll.domain.gateway import GROUP
from drumroll.domain.gateway.hostnames import is_covered, meetings
from drumroll.domain.gateway.listeners import Gateway, Listener
from drumroll.domain.gateway.references import CORE, Fault
from drumroll.objects import selectors
from drumroll.objects.errors import BadRequest
from drumroll.objects.meta import Key, Obj, key_of


@dataclass(frozen=True, slots=True)
class Attachment:
    """One parentRef of a route. `hosts` by listener; `services` are (Service, port number) in mesh style.

    `refused` says why there is neither. `consumer` is the namespace whose requests alone are meant, empty for all.
    """

    parent: Obj
    hosts: tuple[tuple[Listener, tuple[str, ...]], ...] = ()
    services: tuple[tuple[Key, int], ...] = ()
    refused: Fault | None = None
    consumer: str = ""

    @property
    def is_mesh(self) -> bool:
        """Whether the parent is a Service."""
        return self.parent.get("kind") == "Service"


@dataclass(frozen=True, slots=True)
class Parents:
    """What routes may hang on. `namespaces` are labels by name. `has_callers` where addresses tell pods apart."""

    gateways: Mapping[Key, Gateway]
    services: Mapping[Key, Obj]
    namespaces: Mapping[str, Mapping[str, str]]
    has_callers: bool = True


def attach(route: Obj, parents: Parents) -> list[Attachment]:
    """Every parentRef of the route that is ours to judge."""
    found = []
    for parent in (route.get("spec") or {}).get("parentRefs") or ():
        group, kind = parent.get("group", GROUP), parent.get("kind") or "Gateway"
        key = Key(parent.get("namespace") or route["metadata"]["namespace"], parent.get("name") or "")
        if (group, kind) == (GROUP, "Gateway"):
            gateway = parents.gateways.get(key)
            if gateway is not None:
                found.append(_to_gateway(route, parent, gateway, parents.namespaces))
        elif group in CORE and kind == "Service":
            found.append(_to_service(route, parent, key, parents))
    return found


def _to_gateway(route: Obj, parent: Obj, gateway: Gateway, namespaces: Mapping[str, Mapping[str, str]]) -> Attachment:
    section, port = parent.get("sectionName"), parent.get("port")
    named = [
        listener
        for listener in gateway.listeners
        if section in {None, "", listener.name} and port in {None, 0, listener.port}
    ]
    if not named:
        asked = f"section {section!r}" if section else f"port {port}" if port else "any name"
        return _refuse(parent, "NoMatchingParent", f"Gateway {gateway.key} has no listener for {asked}")
    allowed = [listener for listener in named if _is_allowed(route, listener, namespaces)]
    if not allowed:
        text = f"no listener of Gateway {gateway.key} allows a {route['kind']} of this namespace"
        return _refuse(parent, "NotAllowedByListeners", text)
    names = (route.get("spec") or {}).get("hostnames") or ()
    hosts = tuple((one, tuple(met)) for one in allowed if (met := meetings(one.host, names)))
    if not hosts:
        text = f"none of its host names is one of a listener of Gateway {gateway.key}"
        return _refuse(parent, "NoMatchingListenerHostname", text)
    return Attachment(parent, hosts)


def _refuse(parent: Obj, reason: str, message: str) -> Attachment:
    return Attachment(parent, refused=Fault(reason, message))


def _is_allowed(route: Obj, listener: Listener, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    if route["kind"] not in listener.kinds:
        return False
    here = route["metadata"]["namespace"]
    match listener.namespaces.get("from") or "Same":
        case "All":
            return True
        case "Same":
            return bool(here == listener.gateway.namespace)
        case "Selector":
            try:
                selector = selectors.from_object(listener.namespaces.get("selector") or {})
            except BadRequest:
                return False
            return selector.matches(dict(namespaces.get(here, {})))
    return False


def _to_service(route: Obj, parent: Obj, key: Key, parents: Parents) -> Attachment:
    """In the Service's own namespace a route is for everybody, elsewhere for the requests of its own namespace."""
    here = route["metadata"]["namespace"]
    consumer = here if here != key.namespace else ""
    if consumer and not parents.has_callers:
        text = (
            f"a route of the callers in namespace {consumer!r} needs container isolation: here all pods call from one "
            f"address. In namespace {key.namespace!r} it would be for everybody"
        )
        return _refuse(parent, "UnsupportedValue", text)
    service = parents.services.get(key)
    if service is None:
        return _refuse(parent, "NoMatchingParent", f"Service {key} does not exist")
    if service["spec"].get("clusterIP") in {None, "", "None"}:
        return _refuse(parent, "NoMatchingParent", f"Service {key} has no address at which it could be routed")
    wanted = parent.get("port")
    ports = [
        port["port"]
        for port in service["spec"].get("ports") or ()
        if port.get("protocol", "TCP") == "TCP" and wanted in {None, 0, port["port"]}
    ]
    if not ports:
        return _refuse(parent, "NoMatchingParent", f"Service {key} has no TCP port {wanted or ''}".rstrip())
    return Attachment(parent, services=tuple((key, number) for number in ports), consumer=consumer)


class Claims:
    """Names by listener and kind of route, for the rule that one name serves routes of one kind."""

    def __init__(self) -> None:
        self._hosts: dict[tuple[Key, str], dict[str, set[str]]] = {}

    def add(self, kind: str, listener: Listener, hosts: Iterable[str]) -> None:
        """A route of this kind has these names."""
        self._hosts.setdefault((listener.gateway, listener.name), {}).setdefault(kind, set()).update(hosts)

    def clash(self, kind: str, listener: Listener, hosts: Iterable[str]) -> bool:
        """True when an older route of another kind has one of the names on that listener."""
        known = self._hosts.get((listener.gateway, listener.name), {})
        others = [name for other, names in known.items() if other != kind for name in names]
        return any(is_covered(one, other) or is_covered(other, one) for other in others for one in hosts)


def age(route: Obj) -> tuple[str, Key]:
    """Older routes come first; of equal age, by name."""
    return route["metadata"].get("creationTimestamp") or "", key_of(route)
