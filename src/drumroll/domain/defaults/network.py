"""Defaults of Services, endpoints and Ingresses. Source: pkg/apis/{core,discovery,networking}/v1/defaults.go."""

from drumroll.domain.defaults.absent import part
from drumroll.domain.defaults.pod import drop_zero
from drumroll.objects.meta import Obj

_SERVICE_ZERO = (
    "selector", "ports", "externalIPs", "loadBalancerIP", "loadBalancerSourceRanges", "externalName",
    "externalTrafficPolicy", "healthCheckNodePort", "publishNotReadyAddresses", "clusterIP", "clusterIPs",
    "ipFamilies",
)  # fmt: skip


def set_service_defaults(service: Obj) -> None:
    """Type, affinity, traffic policies, protocols and target ports; allocation is not a default."""
    spec = part(service, "spec")
    drop_zero(spec, _SERVICE_ZERO)
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        client = config.get("clientIP") or {}
        if client.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {**client, "timeoutSeconds": 10800}}
    if not spec.get("type"):
        spec["type"] = "ClusterIP"
    for port in spec.get("ports") or ():
        _service_port(port)
    _traffic_policies(spec)
    part(part(service, "status"), "loadBalancer")


def _service_port(port: Obj) -> None:
    if not port.get("protocol"):
        port["protocol"] = "TCP"
    if not port.get("targetPort"):
        port["targetPort"] = port.get("port", 0)
    drop_zero(port, ("name", "nodePort"))


def _traffic_policies(spec: Obj) -> None:
    kind = spec["type"]
    exposed = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    if exposed and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if kind in ("ClusterIP", "NodePort", "LoadBalancer") and spec.get("internalTrafficPolicy") is None:
        spec["internalTrafficPolicy"] = "Cluster"
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True


def set_endpoints_defaults(endpoints: Obj) -> None:
    """Every port of the old Endpoints kind has a protocol."""
    for subset in endpoints.get("subsets") or ():
        for port in subset.get("ports") or ():
            if not port.get("protocol"):
                port["protocol"] = "TCP"


def set_endpoint_slice_defaults(endpoint_slice: Obj) -> None:
    """Lists and conditions are always there; ports have a name, "" by default, and a protocol."""
    for field in ("endpoints", "ports"):
        if endpoint_slice.get(field) is None:
            endpoint_slice[field] = []
    for endpoint in endpoint_slice["endpoints"]:
        part(endpoint, "conditions")
    for port in endpoint_slice["ports"]:
        if port.get("name") is None:
            port["name"] = ""
        if port.get("protocol") is None:
            port["protocol"] = "TCP"


def set_ingress_defaults(ingress: Obj) -> None:
    """Ingresses have no defaults; spec and status are always printed."""
    drop_zero(part(ingress, "spec"), ("tls", "rules"))
    part(part(ingress, "status"), "loadBalancer")


def set_ingress_class_defaults(ingress_class: Obj) -> None:
    """Parameters are cluster-wide unless said otherwise."""
    parameters = part(ingress_class, "spec").get("parameters")
    if parameters is not None and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"
