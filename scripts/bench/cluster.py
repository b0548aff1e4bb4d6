"""A cluster to measure: up, down, its figures."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drumroll.client.client import Client
from drumroll.client.http import HttpTransport
from drumroll.client.kubeconfig import load_kubeconfig

ROOT = Path(__file__).resolve().parents[2]


def drumroll(home: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "drumroll.cli.main", *arguments, "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode not in (0, 1) or (done.returncode == 1 and arguments[0] in ("up", "image")):
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Measured:
    """A running cluster."""

    home: Path

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    def parts(self) -> dict[str, int]:
        """Process ids by name; the parts of one process are `control plane`."""
        ours = ("apiserver", "controllers", "rollouts", "node", "proxy")
        found = json.loads(drumroll(self.home, "status", "-o", "json"))["parts"]
        return {"control plane" if part["name"] in ours else part["name"]: part["pid"] for part in found}

    def figures(self) -> dict[str, float]:
        """Every series of /metrics."""

        async def read() -> bytes:
            async with HttpTransport(load_kubeconfig(self.kubeconfig)) as transport:
                return await Client(transport).raw("/metrics")

        lines = (line for line in asyncio.run(read()).decode().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def create(self, obj: dict[str, Any]) -> None:
        """Create an object."""

        async def write() -> None:
            async with HttpTransport(load_kubeconfig(self.kubeconfig)) as transport:
                await Client(transport).create(obj)

        asyncio.run(write())

    def resident(self) -> dict[str, float]:
        """Megabytes per process, the proportional share where pages are shared."""
        return {name: resident(pid) for name, pid in self.parts().items()}


def resident(pid: int) -> float:
    """Proportional share of a process in megabytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


def stages(figures: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Stage of a write → (count, seconds)."""
    found: dict[str, list[float]] = {}
    for name, value in figures.items():
        match = re.fullmatch(r'drumroll_apiserver_write_stage_seconds_(count|sum)\{stage="([^"]+)"\}', name)
        if match:
            found.setdefault(match[2], [0.0, 0.0])[0 if match[1] == "count" else 1] = value
    return {stage: (pair[0], pair[1]) for stage, pair in found.items()}


def per_stage(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Microseconds per run of each stage between two looks."""
    old, new = stages(before), stages(after)
    runs = {stage: (new[stage][0] - old[stage][0], new[stage][1] - old[stage][1]) for stage in new}
    return {f"stage {stage} (µs)": took * 1e6 / count for stage, (count, took) in runs.items() if count}


@contextmanager
def cluster(base: Path, isolation: str, parts: str = "") -> Iterator[Measured]:
    """A fresh cluster of all parts, or of some; the images of `base` are kept for the next one."""
    home = base / "home"
    ports = ("--api-port", "0", "--http-port", "0", "--https-port", "0", "--no-context")
    drumroll(home, "up", "--isolation", isolation, *ports, *(("--parts", parts) if parts else ()))
    try:
        yield Measured(home)
    finally:
        drumroll(home, "down", "--delete")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def allow_many_files() -> None:
    """Thousands of connections are thousands of open files."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def environment() -> dict[str, Any]:
    """What the figures depend on."""
    return {"cores": os.cpu_count() or 0, "load average before": os.getloadavg()[0]}
