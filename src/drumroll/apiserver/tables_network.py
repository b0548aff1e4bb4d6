"""How Services, endpoints and Ingresses are printed."""

from collections.abc import Mapping
from datetime import datetime

from drumroll.apiserver.tables_cells import AGE, NAME, NONE, Cell, Column, Printer, age, cut_short, format_labels
from drumroll.objects.meta import Obj

_SERVICE_COLUMNS = (
    NAME,
    Column("Type", "How the Service is exposed."),
    Column("Cluster-IP", "The Service's address inside the cluster."),
    Column("External-IP", "Addresses at which the Service is reached from outside."),
    Column("Port(s)", "Ports of the Service, with their node ports."),
    AGE,
    Column("Selector", "Labels of the pods behind the Service.", wide=True),
)
_ENDPOINTS_COLUMNS = (NAME, Column("Endpoints", "Addresses and ports."), AGE)
_ENDPOINT_SLICE_COLUMNS = (
    NAME,
    Column("AddressType", "The kind of the addresses."),
    Column("Ports", "Ports of every endpoint."),
    Column("Endpoints", "Addresses of the endpoints."),
    AGE,
)
_INGRESS_COLUMNS = (
    NAME,
    Column("Class", "The class whose controller serves the Ingress."),
    Column("Hosts", "Hosts of the rules."),
    Column("Address", "Where the Ingress is reached."),
    Column("Ports", "Ports on which it listens."),
    AGE,
)
_INGRESS_CLASS_COLUMNS = (
    NAME,
    Column("Controller", "The controller that serves this class."),
    Column("Parameters", "The object that configures the class."),
    AGE,
)


def _service(service: Obj, now: datetime) -> list[Cell]:
    spec = service.get("spec") or {}
    cluster_ips = spec.get("clusterIPs") or [spec.get("clusterIP") or NONE]
    return [
        service["metadata"]["name"],
        spec.get("type") or "",
        cluster_ips[0],
        _external_ip(service),
        ",".join(_port(port) for port in spec.get("ports") or ()) or NONE,
        age(service, now),
        format_labels(spec.get("selector")),
    ]


def _port(port: Obj) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', 0)}{node_port}/{port.get('protocol') or ''}"


def _external_ip(service: Obj) -> str:
    spec = service.get("spec") or {}
    external: list[str] = spec.get("externalIPs") or []
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or NONE
        case "LoadBalancer":
            balancers = _load_balancer(service)
            return ",".join([*balancers, *external]) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName") or "")
    return "<unknown>"


def _load_balancer(obj: Obj) -> list[str]:
    """Addresses, else host names, of the load balancers; sorted."""
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return sorted({name for point in points if (name := point.get("ip") or point.get("hostname"))})


def _endpoints(endpoints: Obj, now: datetime) -> list[Cell]:
    shown = []
    for subset in endpoints.get("subsets") or ():
        addresses = [address.get("ip", "") for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        shown += [f"{_bracketed(ip)}:{port.get('port', 0)}" for port in ports for ip in addresses]
        shown += addresses if not ports else []
    return [endpoints["metadata"]["name"], cut_short(shown, 3) or NONE, age(endpoints, now)]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _endpoint_slice(endpoint_slice: Obj, now: datetime) -> list[Cell]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in endpoint_slice.get("ports") or ()]
    addresses = [ip for point in endpoint_slice.get("endpoints") or () for ip in point.get("addresses") or ()]
    return [
        endpoint_slice["metadata"]["name"],
        endpoint_slice.get("addressType") or "",
        cut_short(ports, 3) or "<unset>",
        cut_short(addresses, 3) or "<unset>",
        age(endpoint_slice, now),
    ]


def _ingress(ingress: Obj, now: datetime) -> list[Cell]:
    spec = ingress.get("spec") or {}
    return [
        ingress["metadata"]["name"],
        spec.get("ingressClassName") or NONE,
        cut_short([rule["host"] for rule in spec.get("rules") or () if rule.get("host")], 3) or "*",
        ",".join(_load_balancer(ingress)),
        "80, 443" if spec.get("tls") else "80",
        age(ingress, now),
    ]


def _ingress_class(ingress_class: Obj, now: datetime) -> list[Cell]:
    spec = ingress_class.get("spec") or {}
    parameters = spec.get("parameters")
    shown = NONE
    if parameters:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
        shown = f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"
    return [ingress_class["metadata"]["name"], spec.get("controller") or "", shown, age(ingress_class, now)]


NETWORK_PRINTERS: Mapping[tuple[str, str], Printer] = {
    ("", "Service"): Printer(_SERVICE_COLUMNS, _service),
    ("", "Endpoints"): Printer(_ENDPOINTS_COLUMNS, _endpoints),
    ("discovery.k8s.io", "EndpointSlice"): Printer(_ENDPOINT_SLICE_COLUMNS, _endpoint_slice),
    ("networking.k8s.io", "Ingress"): Printer(_INGRESS_COLUMNS, _ingress),
    ("networking.k8s.io", "IngressClass"): Printer(_INGRESS_CLASS_COLUMNS, _ingress_class),
}
