"""The OCI runtime configuration of one container, as plain data. Defaults are Docker's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drumroll.node.runtime import Mount

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CAPABILITIES = [
    f"CAP_{name}"
    for name in (
        *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"),
        *("NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
    )
]
_MASKED = [
    *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"),
]
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a container's program runs."""

    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """A container's program."""

    argv: Sequence[str]
    env: Mapping[str, str]
    working_dir: str
    identity: Identity = Identity()
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """All that goes into one container's configuration. `network_namespace` None means the creator's own.

    `process_namespace` None means one of its own.
    """

    root: Path
    process: ProcessConfig
    hostname: str
    cgroup: str
    resources: Mapping[str, Any]
    mounts: Sequence[Mount] = field(default_factory=tuple)
    network_namespace: Path | None = None
    process_namespace: Path | None = None
    read_only_root: bool = False
    show_cgroup: bool = False


def oci_config(config: ContainerConfig) -> dict[str, Any]:
    """The content of `config.json`. Source: OCI runtime specification 1.0.2."""
    namespaces: list[dict[str, str]] = [{"type": kind} for kind in ("mount", "ipc", "uts")]
    processes = {"path": str(config.process_namespace)} if config.process_namespace is not None else {}
    namespaces.append({"type": "pid", **processes})
    if config.network_namespace is not None:
        namespaces.append({"type": "network", "path": str(config.network_namespace)})
    if config.show_cgroup:
        namespaces.append({"type": "cgroup"})
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(config.root), "readonly": config.read_only_root},
        "hostname": config.hostname,
        "process": _process(config.process, config.hostname),
        "mounts": [*_system_mounts(config.show_cgroup), *(_bind(mount) for mount in config.mounts)],
        "linux": {
            "cgroupsPath": config.cgroup,
            "namespaces": namespaces,
            "resources": config.resources,
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
            "rootfsPropagation": "private",
        },
    }


def _process(process: ProcessConfig, hostname: str) -> dict[str, Any]:
    term = {"TERM": "xterm"} if process.terminal else {}
    env = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname, **term, **process.env}
    is_root = process.identity.uid == 0
    return {
        "terminal": process.terminal,
        "args": list(process.argv),
        "env": [f"{name}={value}" for name, value in env.items()],
        "cwd": process.working_dir,
        "user": {"uid": process.identity.uid, "gid": process.identity.gid},
        "noNewPrivileges": True,
        "capabilities": {
            "bounding": _CAPABILITIES,
            "effective": _CAPABILITIES if is_root else [],
            "permitted": _CAPABILITIES if is_root else [],
        },
    }


def _bind(mount: Mount) -> dict[str, Any]:
    options = ["rbind", "rprivate", "ro" if mount.read_only else "rw"]
    return {"destination": mount.target, "type": "bind", "source": str(mount.source), "options": options}


def _system_mounts(show_cgroup: bool) -> list[dict[str, Any]]:
    safe = ["nosuid", "noexec", "nodev"]
    mounts = [
        _system("/proc", "proc", safe),
        _system("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _system("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        _system("/dev/shm", "tmpfs", [*safe, "mode=1777", "size=65536k"], "shm"),
        _system("/dev/mqueue", "mqueue", safe),
        _system("/sys", "sysfs", [*safe, "ro"]),
    ]
    if show_cgroup:
        mounts.append(_system("/sys/fs/cgroup", "cgroup", [*safe, "relatime", "ro"]))
    return mounts


def _system(target: str, kind: str, options: list[str], source: str = "") -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source or kind, "options": options}


def find_identity(user: str, root: Path) -> Identity:
    """Whom `user` (name or number, optionally with :group) means in the image at `root`.

    Raises ValueError with the reason when the image does not know the name.
    """
    name, _, group = user.partition(":")
    entry = _entry(root / "etc/passwd", name)
    if not name:
        uid, gid = 0, 0
    elif name.isdecimal():
        uid, gid = int(name), int(entry[3]) if entry else 0
    elif entry:
        uid, gid = int(entry[2]), int(entry[3])
    else:
        raise ValueError(f"unable to find user {name}: no matching entries in passwd file")
    if group.isdecimal():
        gid = int(group)
    elif group:
        found = _entry(root / "etc/group", group)
        if found is None:
            raise ValueError(f"unable to find group {group}: no matching entries in group file")
        gid = int(found[2])
    return Identity(uid, gid)


def _entry(file: Path, name: str) -> list[str] | None:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split(":")
        if len(fields) >= 4 and name in (fields[0], fields[2]):
            return fields
    return None
