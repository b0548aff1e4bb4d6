"""What Gateways, routes and classes are told: the standard's conditions, and ours.

A condition keeps its time while its status is the same; equal facts give an equal status, so nothing is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from drumroll.domain.gateway import ACKNOWLEDGED, CONTROLLER, GROUP
from drumroll.domain.gateway.listeners import Gateway, Listener, overlapping
from drumroll.domain.gateway.references import Fault
from drumroll.domain.gateway.translate import Verdict
from drumroll.objects.meta import Key, Obj, timestamp

FEATURES = (
    "GRPCRoute", "GRPCRouteNamedRouteRule", "Gateway", "GatewayAddressEmpty", "GatewayHTTPListenerIsolation",
    "GatewayHTTPSListenerDetectMisdirectedRequests", "GatewayPort8080", "HTTPRoute", "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode", "HTTPRoute308RedirectStatusCode", "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendProtocolWebSocket", "HTTPRouteBackendRequestHeaderModification", "HTTPRouteBackendTimeout",
    "HTTPRouteCORS", "HTTPRouteDestinationPortMatching", "HTTPRouteHostRewrite", "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule", "HTTPRouteParentRefPort", "HTTPRoutePathRedirect", "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect", "HTTPRouteQueryParamMatching", "HTTPRouteRequestMirror",
    "HTTPRouteRequestMultipleMirrors", "HTTPRouteRequestPercentageMirror", "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification", "HTTPRouteSchemeRedirect", "Mesh", "MeshClusterIPMatching",
    "MeshConsumerRoute",
    "MeshHTTPRouteBackendRequestHeaderModification", "MeshHTTPRouteNamedRouteRule", "MeshHTTPRouteQueryParamMatching",
    "MeshHTTPRouteRedirectPath", "MeshHTTPRouteRedirectPort", "MeshHTTPRouteRewritePath",
    "MeshHTTPRouteSchemeRedirect", "ReferenceGrant",
)  # fmt: skip


_OF_ROUTES = frozenset({"Accepted", "ResolvedRefs", "PartiallyInvalid", ACKNOWLEDGED})
_OF_LISTENERS = frozenset({"Accepted", "Conflicted", "ResolvedRefs", "Programmed", "OverlappingTLSConfig"})
"""The conditions that are ours to write; all others are somebody else's, and stay."""


@dataclass(frozen=True, slots=True)
class Listening:
    """What Envoy says about a Gateway's sockets by port: those that listen, and its words about those that cannot."""

    ports: frozenset[int] = frozenset()
    refused: Mapping[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes conditions of one object: its generation, and the moment of whatever changes now."""

    generation: int
    now: datetime

    def condition(self, known: Iterable[Obj], kind: str, status: bool, reason: str, message: str = "") -> Obj:
        """The condition; its time is the known one's while the status stays."""
        text = "True" if status else "False"
        before = next((one for one in known or () if one.get("type") == kind and one.get("status") == text), None)
        return {
            "type": kind,
            "status": text,
            "reason": reason,
            "message": message[:32768],
            "observedGeneration": self.generation,
            "lastTransitionTime": (before or {}).get("lastTransitionTime") or timestamp(self.now),
        }


def class_status(obj: Obj, now: datetime, *, has_callers: bool = True, are_plain: bool = False) -> Obj:
    """The status of a GatewayClass of ours. `has_callers` says that every pod calls from an address of its own.

    `are_plain`: features are mere names, as they were before v1.2.
    """
    known = (obj.get("status") or {}).get("conditions") or ()
    writer = Writer(obj["metadata"].get("generation") or 0, now)
    kept = [one for one in known if one.get("type") != "Accepted"]
    accepted = writer.condition(known, "Accepted", True, "Accepted", "served by Drumroll's proxy")
    names = FEATURES if has_callers else tuple(one for one in FEATURES if one != "MeshConsumerRoute")
    features: Iterable[object] = names if are_plain else ({"name": name} for name in names)
    return {"conditions": [*kept, accepted], "supportedFeatures": list(features)}


def route_parents(route: Obj, verdicts: Iterable[tuple[Verdict, bool]], now: datetime) -> list[Obj]:
    """`status.parents` of a route: ours anew, each with whether Envoy has acknowledged it; the others' as they are."""
    known = (route.get("status") or {}).get("parents") or []
    writer = Writer(route["metadata"].get("generation") or 0, now)
    foreign = [one for one in known if one.get("controllerName") != CONTROLLER]
    mine = [_parent(writer, known, verdict, is_acknowledged) for verdict, is_acknowledged in verdicts]
    return [*foreign, *mine]


def _parent(writer: Writer, known: Iterable[Obj], verdict: Verdict, is_acknowledged: bool) -> Obj:
    before = next(
        (p for p in known if p.get("controllerName") == CONTROLLER and p.get("parentRef") == verdict.parent), {}
    )
    old = before.get("conditions") or ()
    return {
        "parentRef": verdict.parent,
        "controllerName": CONTROLLER,
        "conditions": [*_foreign(old, _OF_ROUTES), *_route_conditions(writer, old, verdict, is_acknowledged)],
    }


def _foreign(known: Iterable[Obj], ours: frozenset[str]) -> list[Obj]:
    return [one for one in known if one.get("type") not in ours]


def _route_conditions(writer: Writer, old: Iterable[Obj], verdict: Verdict, is_acknowledged: bool) -> Iterable[Obj]:
    if verdict.refused:
        yield writer.condition(old, "Accepted", False, verdict.refused.reason, verdict.refused.message)
    else:
        yield writer.condition(old, "Accepted", True, "Accepted")
    if verdict.faults:
        text = "; ".join(fault.message for fault in verdict.faults)
        yield writer.condition(old, "ResolvedRefs", False, verdict.faults[0].reason, text)
    else:
        yield writer.condition(old, "ResolvedRefs", True, "ResolvedRefs")
    if verdict.dropped and not verdict.refused:
        text = "Dropped Rule: " + "; ".join(verdict.dropped)
        yield writer.condition(old, "PartiallyInvalid", True, "UnsupportedValue", text)
    if verdict.refused or not verdict.tables:
        yield writer.condition(old, ACKNOWLEDGED, False, "NotServed", "Envoy was not told of this generation")
    elif is_acknowledged:
        yield writer.condition(old, ACKNOWLEDGED, True, "Acknowledged", "Envoy serves this generation")
    else:
        yield writer.condition(old, ACKNOWLEDGED, False, "Pending", "Envoy has not acknowledged this generation yet")


def gateway_status(
    obj: Obj, gateway: Gateway, attached: Mapping[tuple[Key, str], int], envoy: Listening, address: str, now: datetime
) -> Obj:
    """The status of a Gateway."""
    old = obj.get("status") or {}
    writer = Writer(obj["metadata"].get("generation") or 0, now)
    listeners = [
        _listener(
            writer,
            (old, gateway),
            one,
            attached.get((gateway.key, one.name), 0),
            _unplaced(gateway, one, envoy),
        )
        for one in gateway.listeners
    ]
    known = old.get("conditions") or ()
    kept = _foreign(known, frozenset({"Accepted", "Programmed"}))
    conditions = [*kept, _accepted(writer, known, gateway), _programmed(writer, known, gateway, listeners)]
    is_there = conditions[-1]["status"] == "True"
    return {
        "addresses": [{"type": "IPAddress", "value": address}] if is_there else [],
        "conditions": conditions,
        "listeners": listeners,
    }


def _unplaced(gateway: Gateway, listener: Listener, envoy: Listening) -> Fault | None:
    """Why a listener that could be served is not, so far as its port says."""
    if gateway.rejected or gateway.unplaced:
        return Fault("Invalid", "the Gateway is not accepted")
    if words := (envoy.refused or {}).get(listener.socket):
        return Fault("PortUnavailable", f"port {listener.socket}: {words}")
    if listener.socket not in envoy.ports:
        return Fault("Pending", "Envoy does not listen there yet")
    return None


def _listener(
    writer: Writer, place: tuple[Obj, Gateway], listener: Listener, attached: int, unplaced: Fault | None
) -> Obj:
    """`place` is the Gateway's status so far, and the Gateway."""
    old, gateway = place
    known: Iterable[Obj] = next(
        (one.get("conditions") or () for one in old.get("listeners") or () if one.get("name") == listener.name), ()
    )
    rivals = overlapping(listener, gateway.listeners)
    return {
        "name": listener.name,
        "supportedKinds": [{"group": GROUP, "kind": kind} for kind in listener.kinds],
        "attachedRoutes": attached,
        "conditions": [
            *_foreign(known, _OF_LISTENERS),
            *_listener_conditions(writer, known, listener, unplaced),
            *_overlap(writer, known, rivals),
        ],
    }


def _listener_conditions(
    writer: Writer, known: Iterable[Obj], listener: Listener, unplaced: Fault | None
) -> Iterable[Obj]:
    wrong = listener.conflict or listener.rejected
    if unplaced is not None and unplaced.reason == "PortUnavailable":
        wrong = wrong or unplaced
    conflict, unresolved = listener.conflict, listener.unresolved
    missing = wrong or (unresolved if not listener.is_served() else None) or unplaced
    reason = "Programmed" if missing is None else "Pending" if missing.reason == "Pending" else "Invalid"
    for kind, fault, is_fault_true, good in (
        ("Accepted", wrong, False, "Accepted"),
        ("Conflicted", conflict, True, "NoConflicts"),
        ("ResolvedRefs", unresolved, False, "ResolvedRefs"),
    ):
        told = (fault.reason, fault.message) if fault else (good, "")
        yield writer.condition(known, kind, is_fault_true == (fault is not None), *told)
    yield writer.condition(known, "Programmed", missing is None, reason, missing.message if missing else "")


def _overlap(writer: Writer, known: Iterable[Obj], rivals: list[str]) -> Iterable[Obj]:
    """Said only where it is so: browsers may use one listener's connection for the other's hosts, and get 421."""
    if rivals:
        text = f"hosts of this listener belong to others, too: {', '.join(rivals)}"
        yield writer.condition(known, "OverlappingTLSConfig", True, "OverlappingHostnames", text)


def _accepted(writer: Writer, known: Iterable[Obj], gateway: Gateway) -> Obj:
    if gateway.rejected:
        return writer.condition(known, "Accepted", False, gateway.rejected.reason, gateway.rejected.message)
    bad = [one.name for one in gateway.listeners if one.conflict or one.rejected or one.unresolved]
    if bad:
        is_any_left = any(one.is_served() for one in gateway.listeners)
        return writer.condition(known, "Accepted", is_any_left, "ListenersNotValid", f"see listeners {', '.join(bad)}")
    return writer.condition(known, "Accepted", True, "Accepted")


def _programmed(writer: Writer, known: Iterable[Obj], gateway: Gateway, listeners: list[Obj]) -> Obj:
    if gateway.rejected:
        return writer.condition(known, "Programmed", False, "Invalid", gateway.rejected.message)
    if gateway.unplaced:
        return writer.condition(known, "Programmed", False, gateway.unplaced.reason, gateway.unplaced.message)
    told = [next(c for c in one["conditions"] if c["type"] == "Programmed") for one in listeners]
    if any(one["status"] == "True" for one in told) and all(one["reason"] != "Pending" for one in told):
        return writer.condition(known, "Programmed", True, "Programmed")
    first = next((one for one in told if one["status"] != "True"), {"reason": "Invalid", "message": "no listeners"})
    return writer.condition(known, "Programmed", False, first["reason"], first["message"])
