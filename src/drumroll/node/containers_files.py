"""What a sandbox and its containers leave on disk, so that a restarted control plane finds them again.

<pod folder>/sandbox/sandbox.json  hosts  resolv.conf  hostname
<pod folder>/sandbox/containers/<id>/run.json  config.json  rootfs/  upper/  work/  pid  conmon.log  oom
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from drumroll.domain.stop_signal import DEFAULT
from drumroll.node.rootfs import RootFolders
from drumroll.node.runtime import Mount, Sandbox, SandboxSpec

CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True)
class SandboxFiles:
    """The files of one sandbox, below its pod's folder."""

    pod_folder: Path

    @property
    def folder(self) -> Path:
        """All that belongs to the sandbox; the rest of the pod's folder is the node's."""
        return self.pod_folder / "sandbox"

    def bundle(self, container_id: str) -> "Bundle":
        """The files of one container."""
        return Bundle(self.folder / "containers" / container_id)

    def bundles(self) -> "list[Bundle]":
        """The files of every container that is there, in no order."""
        containers = self.folder / "containers"
        return [Bundle(folder) for folder in containers.iterdir()] if containers.is_dir() else []

    def write(self, spec: SandboxSpec, sandbox: Sandbox, dns_address: str) -> None:
        """Write everything; the sandbox exists for `read` when this returns."""
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        search = f"{spec.namespace}.svc.{CLUSTER_DOMAIN} svc.{CLUSTER_DOMAIN} {CLUSTER_DOMAIN}"
        resolv = f"search {search}\nnameserver {dns_address}\noptions ndots:5\n"
        (self.folder / "hosts").write_text(hosts_file(sandbox.ip, spec.hostname, spec.host_aliases), encoding="utf-8")
        (self.folder / "resolv.conf").write_text(resolv, encoding="utf-8")
        (self.folder / "hostname").write_text(spec.hostname + "\n", encoding="utf-8")
        facts = {
            "uid": spec.uid,
            "namespace": spec.namespace,
            "name": spec.name,
            "ip": sandbox.ip,
            "network_namespace": str(sandbox.network_namespace),
        }
        write_json(self.folder / "sandbox.json", facts)

    def read(self) -> Sandbox | None:
        """The sandbox, or None when it was never completely made."""
        facts = read_json(self.folder / "sandbox.json")
        if facts is None:
            return None
        path = Path(facts.pop("network_namespace"))
        return Sandbox(folder=self.pod_folder, network_namespace=path, **facts)

    def mounts(self) -> tuple[Mount, ...]:
        """The files in /etc that every container of the pod sees."""
        return tuple(Mount(self.folder / name, f"/etc/{name}") for name in ("hosts", "resolv.conf", "hostname"))

    @property
    def hostname(self) -> str:
        """The pod's host name."""
        return (self.folder / "hostname").read_text(encoding="utf-8").strip()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of one run when its program is about to start. `ticks` tells its pid from a later use of it."""

    name: str
    attempt: int
    pod_uid: str
    pid: int
    ticks: int
    started_at: str
    cgroup: str
    stop_signal: str = DEFAULT


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of one container. The folder's name is the container's id."""

    folder: Path

    @property
    def container_id(self) -> str:
        """The id in runc, in conmon and in the container's status."""
        return self.folder.name

    @property
    def root_folders(self) -> RootFolders:
        """Where the root file system is."""
        return RootFolders(self.folder)

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write the OCI configuration."""
        write_json(self.folder / "config.json", config)

    def write_facts(self, facts: RunFacts) -> None:
        """Let `facts` find the run from now on."""
        write_json(self.folder / "run.json", asdict(facts))

    def facts(self) -> RunFacts | None:
        """The run's facts; None when it was never completely made."""
        found = read_json(self.folder / "run.json")
        return RunFacts(**found) if found is not None else None

    def has_conmon(self) -> bool:
        """Whether this container's conmon still runs."""
        try:
            pid = int((self.folder / "conmon.pid").read_text())
            return self.container_id.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return False

    async def wait_for_conmon(self, timeout: float) -> None:
        """Return when this container's conmon has ended, at the latest after `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.has_conmon():  # noqa: ASYNC110 - the end of a process that is not our child
                    await asyncio.sleep(0.005)


def container_id(uid: str, name: str, attempt: int) -> str:
    """The id of a run: the same again for the same run, 64 hexadecimal characters as users expect."""
    return sha256(f"{uid}/{name}/{attempt}".encode()).hexdigest()


def hosts_file(ip: str, hostname: str, aliases: Mapping[str, str]) -> str:
    """The content of /etc/hosts. Source: kubernetes pkg/kubelet/kubelet_pods.go, managedHostsFileContent."""
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::\tip6-localnet",
        "fe00::\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
        f"{ip}\t{hostname}",
    ]
    if aliases:
        lines += ["", "# Entries added by HostAliases."]
        lines += [f"{address}\t{name}" for name, address in aliases.items()]
    return "\n".join(lines) + "\n"


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = status.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file, None when there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file by a JSON object, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)
