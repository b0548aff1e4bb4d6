"""The schemas of GatewayClass, Gateway and ReferenceGrant.

Source: gateway-api apis/v1/{gatewayclass,gateway}_types.go, apis/v1beta1/referencegrant_types.go.
"""

from drumroll.domain.custom.installed.gateway_common import (
    CONTROLLER,
    GROUP,
    HOSTNAME,
    KIND,
    NAME,
    NAMESPACE,
    PARAMETERS,
    PORT,
    SECTION,
)
from drumroll.domain.custom.installed.shapes import (
    CONDITIONS,
    IMMUTABLE,
    INT32,
    SELECTOR,
    STRING,
    atomic,
    chosen,
    keyed,
    many,
    resource,
    rule,
    shape,
    text,
)
from drumroll.objects.meta import Obj

_LONG_AGO = "1970-01-01T00:00:00Z"
_API = "gateway.networking.k8s.io"


def _pending(*kinds: str) -> list[Obj]:
    return [
        {
            "lastTransitionTime": _LONG_AGO,
            "message": "Waiting for controller",
            "reason": "Pending",
            "status": "Unknown",
            "type": kind,
        }
        for kind in kinds
    ]


CLASS = resource(
    shape(
        {
            "controllerName!": (
                CONTROLLER | {"x-kubernetes-validations": [rule(IMMUTABLE, "Value is immutable")]},
                "Who looks after the Gateways of this class, such as drumroll.dev/gateway.",
            ),
            "parametersRef": shape({"group!": GROUP, "kind!": KIND, "name!": NAME, "namespace": NAMESPACE}),
            "description": text(high=64),
        }
    ),
    shape(
        {
            "conditions": CONDITIONS | {"default": _pending("Accepted")},
            "supportedFeatures": keyed(shape({"name!": STRING}), "name", maxItems=64),
        }
    )
    | {"default": {"conditions": _pending("Accepted")}},
    "A GatewayClass is a kind of Gateway that somebody provides.",
)

_CERTIFICATE = shape(
    {
        "group": dict(GROUP, default=""),
        "kind": dict(KIND, default="Secret"),
        "name!": NAME,
        "namespace": NAMESPACE,
    }
)
_OPTION = text(high=4096)
_TLS = shape(
    {
        "mode": chosen("Terminate", "Passthrough", default="Terminate"),
        "certificateRefs": atomic(many(_CERTIFICATE, maxItems=64)),
        "options": {"type": "object", "additionalProperties": _OPTION, "maxProperties": 16},
    },
    rule(
        "self.mode == 'Terminate' ? size(self.certificateRefs) > 0 || size(self.options) > 0 : true",
        "certificateRefs or options must be specified when mode is Terminate",
        lambda tls: tls["mode"] != "Terminate" or bool(tls.get("certificateRefs") or tls["options"]),
    ),
)
_FROM = shape({"from": chosen("All", "Selector", "Same", "None", default="Same"), "selector": SELECTOR})
_ROUTE_KIND = shape({"group": dict(GROUP, default=_API), "kind!": KIND})
_LISTENER = shape(
    {
        "name!": SECTION,
        "hostname": (HOSTNAME, "The host names of the listener; every one without it."),
        "port!": PORT,
        "protocol!": text(
            1,
            255,
            r"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]+$",
        ),
        "tls": _TLS,
        "allowedRoutes": shape(
            {
                "namespaces": _FROM | {"default": {"from": "Same"}},
                "kinds": atomic(many(_ROUTE_KIND, maxItems=8)),
            }
        )
        | {"default": {"namespaces": {"from": "Same"}}},
    }
)
_LISTENERS = keyed(
    _LISTENER,
    "name",
    rule(
        "self.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)",
        "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
        lambda listeners: not any(one["protocol"] in ("HTTP", "TCP", "UDP") and "tls" in one for one in listeners),
    ),
    rule(
        "self.all(l, (l.protocol == 'HTTPS' && has(l.tls)) ? (l.tls.mode == '' || l.tls.mode == 'Terminate') : true)",
        "tls mode must be Terminate for protocol HTTPS",
        lambda listeners: all(
            one["tls"]["mode"] in ("", "Terminate") for one in listeners if one["protocol"] == "HTTPS" and "tls" in one
        ),
    ),
    rule(
        "self.all(l, l.protocol in ['TCP', 'UDP'] ? (!has(l.hostname) || l.hostname == '') : true)",
        "hostname must not be specified for protocols ['TCP', 'UDP']",
        lambda listeners: not any(one["protocol"] in ("TCP", "UDP") and one.get("hostname") for one in listeners),
    ),
    rule(
        "self.all(l1, self.exists_one(l2, l1.name == l2.name))",
        "Listener name must be unique within the Gateway",
        lambda listeners: len({one["name"] for one in listeners}) == len(listeners),
    ),
    rule(
        "self.all(l1, self.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && "
        "(has(l1.hostname) && has(l2.hostname) ? l1.hostname == l2.hostname : "
        "!has(l1.hostname) && !has(l2.hostname))))",
        "Combination of port, protocol and hostname must be unique for each listener",
        lambda listeners: (
            len({(one["port"], one["protocol"], one.get("hostname")) for one in listeners}) == len(listeners)
        ),
    ),
    minItems=1,
    maxItems=64,
)
_ADDRESS = shape({"type": text(1, 253, default="IPAddress"), "value": text(high=253)})
_METADATA = {"type": "object", "additionalProperties": text(high=4096), "maxProperties": 8}
GATEWAY = resource(
    shape(
        {
            "gatewayClassName!": (NAME, "The class, such as drumroll."),
            "listeners!": (_LISTENERS, "The ports that it listens on, and for what."),
            "addresses": atomic(many(_ADDRESS, maxItems=16)),
            "infrastructure": shape(
                {"labels": _METADATA, "annotations": _METADATA, "parametersRef": PARAMETERS},
            ),
            "allowedListeners": shape({"namespaces": _FROM | {"default": {"from": "None"}}}),
        }
    ),
    shape(
        {
            "addresses": atomic(many(shape({"type": text(1, 253, default="IPAddress"), "value!": text(1, 253)}))),
            "attachedListenerSets": INT32,
            "conditions": CONDITIONS | {"default": _pending("Accepted", "Programmed")},
            "listeners": keyed(
                shape(
                    {
                        "name!": SECTION,
                        "supportedKinds": atomic(many(_ROUTE_KIND, maxItems=8)),
                        "attachedRoutes!": INT32,
                        "conditions!": CONDITIONS,
                    }
                ),
                "name",
                maxItems=64,
            ),
        }
    )
    | {"default": {"conditions": _pending("Accepted", "Programmed")}},
    "A Gateway listens for traffic from outside and hands it to routes.",
)

GRANT = resource(
    shape(
        {
            "from!": (
                atomic(many(shape({"group!": GROUP, "kind!": KIND, "namespace!": NAMESPACE}), minItems=1, maxItems=16)),
                "Whose references are allowed.",
            ),
            "to!": (
                atomic(many(shape({"group!": GROUP, "kind!": KIND, "name": NAME}), minItems=1, maxItems=16)),
                "What they may refer to, in the namespace of the grant.",
            ),
        }
    ),
    None,
    "A ReferenceGrant allows references into its namespace.",
    needs="",
)
