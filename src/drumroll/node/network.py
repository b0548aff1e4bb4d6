"""The cluster's network: one namespace with a bridge, and a namespace with a veth pair for each pod.

Everything is found again by name, so it outlives the control plane: namespaces as files in `/run/netns`, addresses
in `<run folder>/addresses.json`.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from drumroll.node import cgroups
from drumroll.node import network_namespace as namespaces
from drumroll.node.network_namespace import enter
from drumroll.node.network_netlink import Netlink, VethPair
from drumroll.node.network_outside import Uplink
from drumroll.objects.network import ClusterNetwork

__all__ = ["Attachment", "PodNetwork", "enter"]

log = logging.getLogger("drumroll.node")

NAMESPACES = Path("/run/netns")
BRIDGE = "pods"


class NetworkError(Exception):
    """A command about the network failed; the message is its own."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A pod's place in the network."""

    namespace: Path
    ip: str


class PodNetwork:
    """The network of the cluster `name` (unique on this machine). Nothing is made before `ensure`."""

    def __init__(self, name: str, network: ClusterNetwork, run_folder: Path) -> None:
        self.name = name
        self.network = network
        self.namespace = network.namespace or NAMESPACES / name
        self.gateway = str(network.pod_cidr.network_address + 1)
        self._run_folder = run_folder
        self._host_namespace = run_folder / "host.netns"
        self._uplink = Uplink(name, self.namespace, self._host_namespace, network.pod_cidr)

    async def ensure(self) -> None:
        """Make or repair the cluster's namespace, its bridge and its routes. Call it from the host's namespace.

        Also keeps the host's namespace under the name `<run folder>/host.netns`. Raises NetworkError, OSError.
        """
        self._run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not namespaces.exists(self._host_namespace) and not namespaces.is_current(self.namespace):
            namespaces.keep(self._host_namespace)
        if not namespaces.exists(self.namespace):
            with namespaces.locked(self.namespace.parent):
                namespaces.share(self.namespace.parent)
            namespaces.create(self.namespace)
            self._write_state({"last": self.gateway, "pods": {}})  # addresses of a namespace that is gone
            log.info("network_created namespace=%s", self.namespace.name)
        namespaces.run_inside(self.namespace, _forward_packets)
        pods, services = self.network.pod_cidr, self.network.service_cidr
        await _ip(self.namespace, [f"link add {BRIDGE} type bridge"], tolerated="File exists")
        await _ip(
            self.namespace,
            [
                "link set lo up",
                f"link set {BRIDGE} address {_mac(self.gateway)}",  # else it changes with the ports, and ARP with it
                f"address replace {self.gateway}/{pods.prefixlen} dev {BRIDGE}",
                f"link set {BRIDGE} up",
                f"route replace local {services} dev lo",
            ],
        )
        await asyncio.to_thread(self._uplink.ensure)

    async def attach(self, uid: str) -> Attachment:
        """The pod's namespace and address, made or found. Raises NetworkError, OSError."""
        path = self._pod_namespace(uid)
        known = self._read_state()["pods"].get(uid)
        if known is not None and known["ready"] and namespaces.exists(path):
            return Attachment(path, known["ip"])
        if known is not None or namespaces.exists(path):
            await self.detach(uid)  # half made
        ip = self._take_address(uid)
        await asyncio.to_thread(self._connect, path, _link_name(uid), ip)
        with self._state() as state:
            state["pods"][uid]["ready"] = True
        return Attachment(path, ip)

    async def detach(self, uid: str) -> None:
        """Release the pod's address and delete its namespace. Unknown pods are fine."""
        if namespaces.exists(self.namespace):
            await asyncio.to_thread(namespaces.run_inside, self.namespace, lambda: _delete_link(_link_name(uid)))
        namespaces.delete(self._pod_namespace(uid))
        with self._state() as state:
            state["pods"].pop(uid, None)

    def attached(self) -> Mapping[str, str]:
        """The addresses of all pods by uid, as far as their namespaces exist."""
        pods = self._read_state()["pods"]
        return {uid: pod["ip"] for uid, pod in pods.items() if namespaces.exists(self._pod_namespace(uid))}

    def remove(self) -> None:
        """Delete everything that `ensure` and `attach` made. Does nothing twice."""
        self._uplink.remove()
        if namespaces.exists(self.namespace):
            # processes may hold the namespace for a while: what is in it goes now
            subprocess.run(
                [*_nsenter(self.namespace), "ip", "link", "delete", BRIDGE], check=False, capture_output=True
            )
        for path in (*NAMESPACES.glob(f"{self.name}-*"), self.namespace, self._host_namespace):
            namespaces.delete(path)
        cgroups.remove(f"/{self.name}")  # the parent of all pods' groups; they are gone by now
        for file in ("addresses.json", "addresses.lock"):
            (self._run_folder / file).unlink(missing_ok=True)

    def _connect(self, path: Path, link: str, ip: str) -> None:
        """Make the pod's namespace and its connection to the bridge. Blocks for a few milliseconds."""
        namespaces.create(path)
        namespaces.run_inside(path, _allow_low_ports)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

        def connect() -> None:
            with Netlink() as here:  # in the cluster's namespace
                here.add_veth(VethPair(link, BRIDGE, "eth0", _mac(ip), descriptor))
            enter(path)
            with Netlink() as there:
                there.set_up("lo")
                there.add_address("eth0", ip, self.network.pod_cidr.prefixlen)
                there.set_up("eth0")
                there.add_default_route("eth0", self.gateway)

        try:
            namespaces.run_inside(self.namespace, connect)
        finally:
            os.close(descriptor)

    def _pod_namespace(self, uid: str) -> Path:
        return NAMESPACES / f"{self.name}-{uid}"

    def _take_address(self, uid: str) -> str:
        with self._state() as state:
            known = state["pods"].get(uid)
            ip: str = known["ip"] if known else self._next_address(state)
            state["pods"][uid] = {"ip": ip, "ready": False}
            return ip

    def _next_address(self, state: dict[str, Any]) -> str:
        """The next free address after the one given out last: one just released comes back as late as possible."""
        cidr = self.network.pod_cidr
        used = {pod["ip"] for pod in state["pods"].values()}
        first, count = int(cidr.network_address) + 2, cidr.num_addresses - 3
        offset = int(IPv4Address(state["last"])) - first + 1
        for step in range(count):
            ip = str(IPv4Address(first + (offset + step) % count))
            if ip not in used:
                state["last"] = ip
                return ip
        raise NetworkError(f"all addresses of {cidr} are in use")

    def _read_state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self._run_folder / "addresses.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {"last": self.gateway, "pods": {}}
        return state

    def _write_state(self, state: dict[str, Any]) -> None:
        partial = self._run_folder / "addresses.json.new"
        partial.write_text(json.dumps(state), encoding="utf-8")
        partial.replace(self._run_folder / "addresses.json")

    @contextmanager
    def _state(self) -> Iterator[dict[str, Any]]:
        """The addresses, for changing; written when the block ends well."""
        self._run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._run_folder / "addresses.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self._read_state()
            yield state
            self._write_state(state)


def refusal() -> str | None:
    """Why pods cannot have network namespaces here, as a sentence; None when they can."""
    for program in ("ip", "nsenter"):
        if shutil.which(program) is None:
            return f"`{program}` is not installed (Debian: iproute2, util-linux)."
    probe = NAMESPACES / "drumroll-probe"
    try:
        with namespaces.locked(NAMESPACES):
            namespaces.create(probe)
            namespaces.delete(probe)
    except OSError as error:
        return f"this machine refuses network namespaces ({error.strerror})."
    return None


async def _ip(namespace: Path, commands: Sequence[str], tolerated: str = "") -> None:
    """Run `ip` commands inside `namespace`, all in one process. Raises NetworkError unless it is `tolerated`."""
    process = await asyncio.create_subprocess_exec(
        *_nsenter(namespace),
        *("ip", "-batch", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate("\n".join(commands).encode() + b"\n")
    message = errors.decode(errors="replace").strip()
    if process.returncode != 0 and not (tolerated and tolerated in message):
        raise NetworkError(f"ip {'; '.join(commands)}: {message}")


def _nsenter(namespace: Path) -> tuple[str, ...]:
    return ("nsenter", f"--net={namespace}")


def _delete_link(name: str) -> None:
    with Netlink() as netlink, contextlib.suppress(OSError):  # it is gone with its pod's namespace
        netlink.delete_link(name)


def _forward_packets() -> None:
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _allow_low_ports() -> None:
    """As Docker and containerd do: in a pod of its own, port 80 needs no privilege."""
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")


def _link_name(uid: str) -> str:
    return "veth" + sha256(uid.encode()).hexdigest()[:10]


def _mac(ip: str) -> str:
    """A hardware address that follows from the IP address, so that neighbours' entries stay right when it returns."""
    return "0a:58:" + ":".join(f"{int(part):02x}" for part in ip.split("."))
