"""What the kinds of the Gateway API share. Source: gateway-api apis/v1/{shared,object_reference}_types.go."""

from drumroll.domain.custom.installed.shapes import (
    CONDITIONS,
    STRING,
    atomic,
    chosen,
    keyed,
    many,
    rule,
    shape,
    text,
    whole,
)
from drumroll.objects.custom import LIST_TYPE
from drumroll.objects.meta import Obj

_LABELS = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
NAME = text(1, 253)
GROUP = text(high=253, pattern=rf"^$|^{_LABELS}$")
KIND = text(1, 63, "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")
NAMESPACE = text(1, 63, "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
SECTION = text(1, 253, rf"^{_LABELS}$")
HOSTNAME = text(1, 253, rf"^(\*\.)?{_LABELS}$")
PRECISE_HOSTNAME = text(1, 253, rf"^{_LABELS}$")
CONTROLLER = text(1, 253, rf"^{_LABELS}\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$")
PORT = whole(1, 65535)
DURATION = text(pattern="^([0-9]{1,5}(h|m|s|ms)){1,4}$")
HEADER_NAME = text(1, 256, r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$")
PARAMETERS = shape({"group!": GROUP, "kind!": KIND, "name!": NAME})
LOCAL_OBJECT = PARAMETERS
_API = "gateway.networking.k8s.io"

_PARENT = shape(
    {
        "group": dict(GROUP, default=_API),
        "kind": dict(KIND, default="Gateway"),
        "namespace": NAMESPACE,
        "name!": NAME,
        "sectionName": SECTION,
        "port": PORT,
    }
)
_SAME_PARENT = (
    "p1.group == p2.group && p1.kind == p2.kind && p1.name == p2.name && "
    "(has(p1.__namespace__) ? p1.__namespace__ : '') == (has(p2.__namespace__) ? p2.__namespace__ : '')"
)
_SECTION_OF = "(has({0}.sectionName) ? {0}.sectionName : '')"
_PORT_OF = "(has({0}.port) ? {0}.port : 0)"
_IS_NAMED = "({0} != '' || {1} != 0)"
_FIRST, _SECOND = (_IS_NAMED.format(_SECTION_OF.format(p), _PORT_OF.format(p)) for p in ("p1", "p2"))


def _identity(ref: Obj) -> tuple[str, ...]:
    return (ref["group"], ref["kind"], ref["name"], ref.get("namespace", ""))


def _is_same(one: Obj, two: Obj) -> bool:
    return _identity(one) == _identity(two)


def _narrow(ref: Obj) -> tuple[str, int]:
    return (ref.get("sectionName", ""), ref.get("port", 0))


def _is_narrow(ref: Obj) -> bool:
    return _narrow(ref) != ("", 0)


PARENTS = atomic(
    many(
        _PARENT,
        rule(
            f"self.all(p1, self.all(p2, {_SAME_PARENT} ? {_FIRST} == {_SECOND} : true))",
            "sectionName or port must be specified when parentRefs includes 2 or more references to the same parent",
            lambda refs: all(_is_narrow(one) == _is_narrow(two) for one in refs for two in refs if _is_same(one, two)),
        ),
        rule(
            f"self.all(p1, self.exists_one(p2, {_SAME_PARENT} && "
            f"{_SECTION_OF.format('p1')} == {_SECTION_OF.format('p2')} && "
            f"{_PORT_OF.format('p1')} == {_PORT_OF.format('p2')}))",
            "sectionName or port must be unique when parentRefs includes 2 or more references to the same parent",
            lambda refs: len({_identity(one) + _narrow(one) for one in refs}) == len(refs),
        ),
        maxItems=32,
    )
)

PORT_OF_SERVICE = rule(
    "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
    "Must have port for Service reference",
    lambda ref: ref["group"] != "" or ref["kind"] != "Service" or "port" in ref,
)
TARGET = {
    "group": dict(GROUP, default=""),
    "kind": dict(KIND, default="Service"),
    "name!": NAME,
    "namespace": NAMESPACE,
    "port": PORT,
}
"""What a backend reference names."""
WEIGHT: Obj = whole(0, 1000000, default=1)

_TEXT_VALUE = text(1, 4096)
_HEADER = shape({"name!": HEADER_NAME, "value!": _TEXT_VALUE})


_HEADERS = keyed(_HEADER, "name", maxItems=16)
HEADER_CHANGES = shape({"set": _HEADERS, "add": _HEADERS, "remove": many(STRING, maxItems=16) | {LIST_TYPE: "set"}})
FRACTION = shape(
    {"numerator!": whole(0), "denominator": whole(1, default=100)},
    rule(
        "self.numerator <= self.denominator",
        "numerator must be less than or equal to denominator",
        lambda fraction: bool(fraction["numerator"] <= fraction["denominator"]),
    ),
)
MIRROR = shape(
    {"backendRef!": shape(TARGET, PORT_OF_SERVICE), "percent": whole(0, 100), "fraction": FRACTION},
    rule(
        "!(has(self.percent) && has(self.fraction))",
        "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter",
        lambda mirror: not ("percent" in mirror and "fraction" in mirror),
    ),
)
SESSION = shape(
    {
        "sessionName": text(high=128),
        "absoluteTimeout": DURATION,
        "idleTimeout": DURATION,
        "type": chosen("Cookie", "Header", default="Cookie"),
        "cookieConfig": shape({"lifetimeType": chosen("Permanent", "Session", default="Session")}),
    },
    rule(
        "!has(self.cookieConfig) || !has(self.cookieConfig.lifetimeType) || "
        "self.cookieConfig.lifetimeType != 'Permanent' || has(self.absoluteTimeout)",
        "AbsoluteTimeout must be specified when cookie lifetimeType is Permanent",
        lambda session: (
            (session.get("cookieConfig") or {}).get("lifetimeType") != "Permanent" or "absoluteTimeout" in session
        ),
    ),
)

ROUTE_STATUS = shape(
    {
        "parents!": atomic(
            many(
                shape(
                    {
                        "parentRef!": _PARENT,
                        "controllerName!": CONTROLLER,
                        "conditions": CONDITIONS,
                    }
                ),
                maxItems=32,
            )
        )
    }
)
