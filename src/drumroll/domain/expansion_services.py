"""The environment variables by which pods find Services. Source: kubernetes pkg/kubelet/envvars/envvars.go."""

from collections.abc import Iterable
from ipaddress import ip_address

from drumroll.objects.meta import Obj

PUBLISHED_PORTS = "drumroll.dev/published-ports"


def service_environment(services: Iterable[Obj], namespace: str, low_port_offset: int = 0) -> dict[str, str]:
    """`NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`, `NAME_PORT_8080_TCP…` of a namespace's Services and of kubernetes.

    `low_port_offset` is added to ports below 1024, which loopback isolation without root publishes elsewhere.
    """
    values: dict[str, str] = {}
    for service in sorted(services, key=lambda s: str(s["metadata"]["name"])):
        meta = service["metadata"]
        own = meta.get("namespace") == namespace
        master = meta.get("namespace") == "default" and meta["name"] == "kubernetes"
        if (own or master) and _has_address(service):
            values |= _one(service, 0 if master else low_port_offset)
    return values


def _has_address(service: Obj) -> bool:
    return service["spec"].get("clusterIP") not in (None, "", "None")


def _one(service: Obj, low_port_offset: int) -> dict[str, str]:
    spec = service["spec"]
    address = spec["clusterIP"]
    host = f"[{address}]" if ip_address(address).version == 6 else address
    prefix = str(service["metadata"]["name"]).upper().replace("-", "_")
    ports = [(p, _published(int(p["port"]), low_port_offset)) for p in spec.get("ports") or ()]
    if not ports:
        return {}
    values = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0][1])}
    for port, number in ports:
        if port.get("name"):
            values[f"{prefix}_SERVICE_PORT_{str(port['name']).upper().replace('-', '_')}"] = str(number)
    for index, (port, number) in enumerate(ports):
        protocol = str(port.get("protocol") or "TCP")
        url = f"{protocol.lower()}://{host}:{number}"
        if index == 0:
            values[f"{prefix}_PORT"] = url
        stem = f"{prefix}_PORT_{port['port']}_{protocol}"
        values |= {stem: url, f"{stem}_PROTO": protocol.lower(), f"{stem}_PORT": str(number), f"{stem}_ADDR": address}
    return values


def _published(port: int, low_port_offset: int) -> int:
    return port + low_port_offset if port < 1024 else port
