"""Cluster addresses and node ports of Services: which are taken, and which is next.

The store is the truth; this is its index in memory, rebuilt at start. Claims are made before the write and given back
when the write fails.
"""

import random
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from drumroll.apiserver.failures import refused
from drumroll.domain.strategy import needs_node_ports
from drumroll.objects.errors import FieldError, InternalError
from drumroll.objects.kinds import SERVICE
from drumroll.objects.meta import Obj

FIRST_PORT, LAST_PORT = 30000, 32767


class Claims:
    """What one write newly holds."""

    def __init__(self, addresses: set[int], ports: set[int]) -> None:
        self._addresses, self._ports = addresses, ports
        self.new_addresses: list[int] = []
        self.new_ports: list[int] = []

    def take_address(self, address: int) -> None:
        """Hold an address."""
        self._addresses.add(address)
        self.new_addresses.append(address)

    def take_port(self, port: int) -> None:
        """Hold a node port."""
        self._ports.add(port)
        self.new_ports.append(port)

    def undo(self) -> None:
        """Give back what this write newly holds."""
        self._addresses.difference_update(self.new_addresses)
        self._ports.difference_update(self.new_ports)


class Allocator:
    """Hands out addresses of `network` and ports 30000-32767; chance decides, within the dynamic part of the range."""

    def __init__(self, network: IPv4Network, chance: random.Random | None = None) -> None:
        self._network = network
        self._chance = chance or random.Random()
        first = int(network.network_address)
        self._reserved = {first, first + 1, first + 10, int(network.broadcast_address)}
        self._addresses: set[int] = set()
        self._ports: set[int] = set()

    def adopt(self, service: Obj) -> None:
        """Count what a stored Service holds."""
        addresses, ports = _held(service)
        self._addresses |= addresses
        self._ports |= ports

    def is_elsewhere(self, service: Obj) -> bool:
        """Whether a stored Service has an address, and none of this network."""
        addresses, _ = _held(service)
        return any(IPv4Address(address) not in self._network for address in addresses)

    def readdress(self, service: Obj) -> None:
        """Give a stored Service an address of this network in place of its own. Raises InternalError: all are taken."""
        addresses, _ = _held(service)
        address = int(self._network.network_address) + 1 if _is_kubernetes(service) else self._free_address()
        self._addresses -= addresses
        self._addresses.add(address)
        service["spec"]["clusterIP"] = str(IPv4Address(address))
        service["spec"]["clusterIPs"] = [service["spec"]["clusterIP"]]

    def release(self, obj: Obj) -> None:
        """Give back what a removed object held, if it is a Service."""
        if obj.get("kind") == "Service":
            addresses, ports = _held(obj)
            self._addresses -= addresses
            self._ports -= ports

    def release_changed(self, new: Obj, old: Obj) -> None:
        """Give back what an updated Service does not hold any more."""
        new_addresses, new_ports = _held(new)
        addresses, ports = _held(old)
        self._addresses -= addresses - new_addresses
        self._ports -= ports - new_ports

    def assign(self, service: Obj, old: Obj | None = None) -> Claims:
        """Fill in, in place, what the Service needs and lacks. Raises Invalid when it asks for what is taken."""
        claims = Claims(self._addresses, self._ports)
        spec = service["spec"]
        known_addresses, known_ports = _held(old) if old else (set(), set())
        try:
            if spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
                self._assign_address(service, claims, known_addresses)
            if needs_node_ports(spec):
                self._assign_ports(service, claims, known_ports)
        except BaseException:
            claims.undo()
            raise
        return claims

    def _assign_address(self, service: Obj, claims: Claims, known: set[int]) -> None:
        spec = service["spec"]
        wanted = spec.get("clusterIP") or ""
        if not wanted:
            address = self._free_address()
            spec["clusterIP"] = str(IPv4Address(address))
            spec["clusterIPs"] = [spec["clusterIP"]]
            claims.take_address(address)
            return
        try:
            address = int(IPv4Address(wanted))
        except AddressValueError:
            return
        if address in known:
            return
        is_first_service = wanted == str(self._network.network_address + 1) and _is_kubernetes(service)
        if IPv4Address(wanted) not in self._network or address == int(self._network.network_address):
            why = f"the provided IP is not in the valid range. The range of valid IPs is {self._network}"
        elif address in self._addresses or (address == int(self._network.network_address) + 1 and not is_first_service):
            why = "provided IP is already allocated"
        else:
            claims.take_address(address)
            return
        message = f'Invalid value: ["{wanted}"]: failed to allocate IP {wanted}: {why}'
        raise refused(
            SERVICE, service["metadata"]["name"], [FieldError("spec.clusterIPs", "FieldValueInvalid", message)]
        )

    def _free_address(self) -> int:
        first, size = int(self._network.network_address), self._network.num_addresses
        band = min(max(16, size // 16), 256) if size > 32 else 0  # kept for those who ask for an address by number
        for low in (band, 1):
            for _ in range(64):
                address = first + self._chance.randrange(low, size - 1)
                if address not in self._addresses and address not in self._reserved:
                    return address
        for address in range(first + 1, first + size - 1):
            if address not in self._addresses and address not in self._reserved:
                return address
        raise InternalError("failed to allocate a serviceIP: range is full")

    def _assign_ports(self, service: Obj, claims: Claims, known: set[int]) -> None:
        mine: dict[int, str] = {}  # one number may serve TCP and UDP of the same Service
        for index, port in enumerate(service["spec"].get("ports") or ()):
            wanted, protocol = port.get("nodePort") or 0, port.get("protocol", "TCP")
            if wanted and (wanted in known or mine.get(wanted, protocol) != protocol):
                mine[wanted] = protocol
                continue
            if not wanted:
                wanted = self._free_port()
                port["nodePort"] = wanted
            else:
                self._check_port(service, index, wanted)
            claims.take_port(wanted)
            mine[wanted] = protocol

    def _check_port(self, service: Obj, index: int, wanted: int) -> None:
        if not FIRST_PORT <= wanted <= LAST_PORT:
            why = f"provided port is not in the valid range. The range of valid ports is {FIRST_PORT}-{LAST_PORT}"
        elif wanted in self._ports:
            why = "provided port is already allocated"
        else:
            return
        error = FieldError(f"spec.ports[{index}].nodePort", "FieldValueInvalid", f"Invalid value: {wanted}: {why}")
        raise refused(SERVICE, service["metadata"]["name"], [error])

    def _free_port(self) -> int:
        for _ in range(64):
            port = self._chance.randint(FIRST_PORT, LAST_PORT)
            if port not in self._ports:
                return port
        for port in range(FIRST_PORT, LAST_PORT + 1):
            if port not in self._ports:
                return port
        raise InternalError("failed to allocate a nodePort: range is full")


def _is_kubernetes(service: Obj) -> bool:
    metadata = service["metadata"]
    return (metadata.get("namespace"), metadata.get("name")) == ("default", "kubernetes")


def _held(service: Obj) -> tuple[set[int], set[int]]:
    spec = service.get("spec") or {}
    addresses = set()
    for address in spec.get("clusterIPs") or [spec.get("clusterIP") or "None"]:
        try:
            addresses.add(int(IPv4Address(address)))
        except AddressValueError:
            continue
    return addresses, {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
