"""The pods' way to the outside: one veth pair to the host's namespace and address translation, where tools exist.

Without `nft` or `iptables` pods reach each other and Services only, and a log line says so.
"""

import logging
import shutil
import subprocess
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from drumroll.node import network_namespace as namespaces

log = logging.getLogger("drumroll.node")

_INNER = "uplink"


class Uplink:
    """The connection of the cluster `name` between its namespace and the host's."""

    def __init__(self, name: str, cluster: Path, host: Path, pods: IPv4Network) -> None:
        digest = sha256(name.encode()).digest()
        self._outer = "dr" + digest.hex()[:10]
        self._table = f"drumroll_{digest.hex()[:10]}"
        first = int(IPv4Address("169.254.0.0")) + 256 + (int.from_bytes(digest[:2]) % 16000) * 4
        self._link = IPv4Network((first, 30))
        self._cluster, self._host, self._pods = cluster, host, pods

    def ensure(self) -> None:
        """Connect the cluster to the outside, or log why not; pods work without."""
        if shutil.which("nft") is None and shutil.which("iptables") is None:
            log.info("network_outside_unreachable reason=neither_nft_nor_iptables_installed")
            return
        if not namespaces.exists(self._host):
            return
        try:
            self._connect()
            for namespace, source in ((self._cluster, self._pods), (self._host, self._link)):
                self._translate(namespace, source)
        except subprocess.CalledProcessError as error:
            log.warning("network_outside_unreachable reason=%r", error.stderr.strip())

    def remove(self) -> None:
        """Take the link and the rules in the host's namespace away."""
        if not namespaces.exists(self._host):
            return
        commands = [["ip", "link", "delete", self._outer]]
        if shutil.which("nft"):
            commands.append(["nft", "delete", "table", "ip", self._table])
        elif shutil.which("iptables"):
            commands.append(["iptables", "-w", "-t", "nat", "-D", "POSTROUTING", *self._rule(self._link)])
        for command in commands:
            self._run(self._host, *command, check=False)

    def _connect(self) -> None:
        inner, outer = (str(self._link.network_address + n) for n in (2, 1))
        if self._run(self._host, "ip", "link", "show", self._outer, check=False) != 0:
            peer = ("peer", "name", _INNER, "netns", str(self._cluster))
            self._run(self._host, "ip", "link", "add", self._outer, "type", "veth", *peer)
        self._run(self._host, "ip", "address", "replace", f"{outer}/30", "dev", self._outer)
        self._run(self._host, "ip", "link", "set", self._outer, "up")
        self._run(self._cluster, "ip", "address", "replace", f"{inner}/30", "dev", _INNER)
        self._run(self._cluster, "ip", "link", "set", _INNER, "up")
        self._run(self._cluster, "ip", "route", "replace", "default", "via", outer)
        namespaces.run_inside(self._host, lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))

    def _translate(self, namespace: Path, source: IPv4Network) -> None:
        """Let what leaves `source` carry the address of the interface that it leaves by."""
        if shutil.which("nft"):
            rule = f"ip saddr {source} ip daddr != {source} masquerade"
            chain = f"chain outgoing {{\ntype nat hook postrouting priority 100;\n{rule}\n}}"
            table = f"table ip {self._table}"
            self._run(namespace, "nft", f"add {table}\nflush {table}\n{table} {{\n{chain}\n}}")
            return
        append = ("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", *self._rule(source))
        present = self._run(namespace, *(word if word != "-A" else "-C" for word in append), check=False)
        if present != 0:
            self._run(namespace, *append)

    def _rule(self, source: IPv4Network) -> tuple[str, ...]:
        return ("-s", str(source), "!", "-d", str(source), "-j", "MASQUERADE")

    def _run(self, namespace: Path, *command: str, check: bool = True) -> int:
        return subprocess.run(
            ["nsenter", f"--net={namespace}", *command],
            check=check,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        ).returncode
