"""Control groups of containers, on version 1 and 2: their names, their limits, whether memory ran out."""

from pathlib import Path
from typing import Any

ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # microseconds, the kernel's default
_MIN_QUOTA = 1_000
_MIN_SHARES = 2
PIDS_LIMIT = 8192


def is_unified() -> bool:
    """Whether this machine uses version 2 only."""
    return (ROOT / "cgroup.controllers").exists()


def limits(cpu_request: float, cpu_limit: float | None, memory_limit: int | None) -> dict[str, Any]:
    """The OCI resources for cores and bytes. Source: kubernetes pkg/kubelet/cm/helpers_linux.go."""
    resources: dict[str, Any] = {
        "devices": [{"allow": False, "access": "rwm"}],
        "pids": {"limit": PIDS_LIMIT},
        "cpu": {"shares": max(_MIN_SHARES, int(cpu_request * 1024))},
    }
    if cpu_limit is not None:
        resources["cpu"] |= {"period": _PERIOD, "quota": max(_MIN_QUOTA, int(cpu_limit * _PERIOD))}
    if memory_limit is not None:
        resources["memory"] = {"limit": memory_limit}
        if _has_swap():
            resources["memory"]["swap"] = memory_limit  # memory and swap together: no swap
    return resources


def ran_out_of_memory(path: str) -> bool:
    """Whether the kernel has killed a process in the group at `path` for its memory limit."""
    files = [ROOT / path.lstrip("/") / "memory.events"]
    if not is_unified():
        files = [ROOT / "memory" / path.lstrip("/") / "memory.oom_control"]
    for file in files:
        try:
            facts = dict(line.split(" ", 1) for line in file.read_text().splitlines())
        except (OSError, ValueError):
            continue
        return int(facts.get("oom_kill", "0")) > 0
    return False


def folders(path: str) -> list[Path]:
    """The folders of the group at `path`, one per hierarchy, as far as they exist."""
    relative = path.lstrip("/")
    hierarchies = [ROOT] if is_unified() else [child for child in ROOT.iterdir() if child.is_dir()]
    return [hierarchy / relative for hierarchy in hierarchies if (hierarchy / relative).is_dir()]


def remove(path: str) -> None:
    """Delete the group at `path` and the groups in it, as far as no process is in them."""
    for folder in folders(path):
        for group in sorted((child for child in folder.rglob("*") if child.is_dir()), reverse=True):
            _remove_one(group)
        _remove_one(folder)


def _remove_one(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # a process still ends in it, or it is gone: the next removal sees to it


def _has_swap() -> bool:
    try:
        return len(Path("/proc/swaps").read_text().splitlines()) > 1
    except OSError:
        return False
