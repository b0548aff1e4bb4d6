"""The cluster's DNS records, from Services and their endpoints."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from drumroll.objects.dns_zone import ZONE
from drumroll.objects.meta import Key, Obj, key_of


@dataclass
class Table:
    """Records by lower-case name without the last dot. An SRV record is (port, target)."""

    a: dict[str, list[str]] = field(default_factory=dict)
    srv: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    cname: dict[str, str] = field(default_factory=dict)
    ptr: dict[str, str] = field(default_factory=dict)


def dns_table(services: Iterable[Obj], slices: Mapping[Key, list[Obj]]) -> Table:
    """The table. Source: Kubernetes DNS-Based Service Discovery 1.1.0.

    A Service's name gives its address; a headless one's gives its ready pods', and `<hostname>.<service>` one pod's.
    """
    table = Table()
    for service in sorted(services, key=key_of):
        key, spec = key_of(service), service["spec"]
        name = f"{key.name}.{key.namespace}.svc.{ZONE}"
        if spec.get("type") == "ExternalName":
            table.cname[name] = str(spec.get("externalName", "")).rstrip(".").lower()
        elif spec.get("clusterIP") in {None, "", "None"}:
            _headless(table, name, service, slices.get(key, []))
        else:
            table.a[name] = [spec["clusterIP"]]
            table.ptr[IPv4Address(spec["clusterIP"]).reverse_pointer] = name
            for port in spec.get("ports") or ():
                _srv(table, name, port, port["port"], name)
    return table


def _headless(table: Table, name: str, service: Obj, slices: list[Obj]) -> None:
    early = bool(service["spec"].get("publishNotReadyAddresses"))
    table.a[name] = []
    for piece in slices:
        for endpoint in piece.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            if not ready and not early:
                continue
            for ip in endpoint.get("addresses") or ():
                host = f"{endpoint.get('hostname') or ip.replace('.', '-')}.{name}".lower()
                table.a[name].append(ip)
                table.a.setdefault(host, []).append(ip)
                if endpoint.get("hostname"):
                    table.ptr[IPv4Address(ip).reverse_pointer] = host
                for port in piece.get("ports") or ():
                    _srv(table, name, port, port["port"], host)
    table.a[name] = sorted(set(table.a[name]))


def _srv(table: Table, name: str, port: Obj, number: int, target: str) -> None:
    if port.get("name"):
        record = f"_{port['name']}._{port.get('protocol', 'TCP')}.{name}".lower()
        table.srv.setdefault(record, []).append((number, target))
