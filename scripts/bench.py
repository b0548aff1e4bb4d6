"""Measures what docs/performance.md reports: start, first pod, idle memory, microseconds of each stage of a write.

usage: ./dev bench [--runs N] [--json FILE] [--isolation container|loopback] [--pods N]

Every figure is the median of N runs on one machine; compare ratios, not single figures, across machines.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drumroll.client.client import Client
from drumroll.client.http import HttpTransport
from drumroll.client.kubeconfig import load_kubeconfig
from drumroll.objects.kinds import CONFIG_MAP, POD

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "tools"


def drumroll(home: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "drumroll.cli.main", *arguments, "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode not in (0, 1) or (done.returncode == 1 and arguments[0] == "up"):
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


@contextmanager
def cluster(home: Path, isolation: str, *arguments: str) -> Iterator[dict[str, Any]]:
    ports = ("--api-port", "0", "--http-port", "0", "--https-port", "0", "--no-context")
    drumroll(home, "up", "--isolation", isolation, *ports, *arguments)
    try:
        yield json.loads(drumroll(home, "status", "-o", "json"))
    finally:
        drumroll(home, "down", "--delete")


def seconds_to_api(home: Path, isolation: str) -> float:
    """From the command typed to the prompt back: `drumroll up` returns when the API answers."""
    started = time.monotonic()
    with cluster(home, isolation):
        return time.monotonic() - started


def seconds_to_first_pod(home: Path, isolation: str) -> float:
    """From the command typed to the first pod Ready."""
    started = time.monotonic()
    with cluster(home, isolation):
        asyncio.run(_first_pod(home))
        return time.monotonic() - started


async def _first_pod(home: Path) -> None:
    container = {"name": "storefront", "image": "storefront:0.0.1", "ports": [{"containerPort": 8080}]}
    container["readinessProbe"] = {"httpGet": {"path": "/health/ready", "port": 9080}, "periodSeconds": 1}
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "first", "namespace": "default"},
        "spec": {"containers": [container]},
    }  # fmt: skip
    async with HttpTransport(load_kubeconfig(home / "kubeconfig")) as transport:
        client = Client(transport)
        await client.create(pod)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status = (await client.get(POD, "default", "first")).get("status", {})
            conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
            if conditions.get("Ready") == "True":
                return
            await asyncio.sleep(0.01)
    raise SystemExit(f"the first pod did not become ready: {status}")


def idle_memory(home: Path, isolation: str) -> dict[str, float]:
    """Resident megabytes per process, ten seconds after the start (proportional share where pages are shared)."""
    with cluster(home, isolation) as status:
        time.sleep(10)
        pids = {part["pid"]: part["name"] for part in json.loads(drumroll(home, "status", "-o", "json"))["parts"]}
        del status
        names = {
            pid: "control plane" if name in ("apiserver", "controllers", "node", "proxy") else name
            for pid, name in pids.items()
        }
        return {names[pid]: _resident(pid) for pid in pids}


def _resident(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


def write_stages(home: Path, isolation: str) -> dict[str, float]:
    """Microseconds per write and stage, over 2,000 creates of pod-sized ConfigMaps by 16 clients."""
    with cluster(home, isolation, "--parts", "apiserver"):
        return asyncio.run(_write(home))


async def _write(home: Path) -> dict[str, float]:
    async with HttpTransport(load_kubeconfig(home / "kubeconfig")) as transport:
        client = Client(transport)
        before = _stages((await client.raw("/metrics")).decode())
        started = time.monotonic()

        async def writer(number: int) -> None:
            for i in range(125):
                name = f"bench-{number}-{i}"
                await client.create(
                    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"},
                     "data": {f"key-{k}": "x" * 60 for k in range(25)}}
                )  # fmt: skip

        await asyncio.gather(*(writer(n) for n in range(16)))
        total = time.monotonic() - started
        after = _stages((await client.raw("/metrics")).decode())
        listed = time.monotonic()
        await client.list(CONFIG_MAP, "default")
        listed = time.monotonic() - listed
    result = {
        stage: (after[stage][1] - before.get(stage, (0, 0.0))[1])
        * 1e6
        / max(1, after[stage][0] - before.get(stage, (0, 0.0))[0])
        for stage in after
        if after[stage][0] > before.get(stage, (0, 0.0))[0]
    }
    return {**result, "wall per write (16 clients, TLS)": total * 1e6 / 2000, "list of 2,000 (ms)": listed * 1e3}


def _stages(metrics: str) -> dict[str, tuple[int, float]]:
    """Stage → (count, seconds) from the metrics page."""
    found: dict[str, list[float]] = {}
    for kind, stage, value in re.findall(r'drumroll_stage_seconds_(count|sum)\{stage="([^"]+)"\} (\S+)', metrics):
        found.setdefault(stage, [0, 0.0])[0 if kind == "count" else 1] = float(value)
    return {stage: (int(pair[0]), pair[1]) for stage, pair in found.items()}


def rollout(home: Path, isolation: str, pods: int) -> dict[str, float]:
    """Create and update of a Deployment with a simulated node, by the shared benchmark, when it is there."""
    if not (SHARED / "bench_rollout.py").exists():
        return {}
    with cluster(home, isolation, "--parts", "apiserver,controllers"):
        kubeconfig = str(home / "kubeconfig")
        node = subprocess.Popen([sys.executable, str(SHARED / "bench_fake_node.py"), kubeconfig, "-"])
        try:
            time.sleep(1)
            done = subprocess.run(
                [sys.executable, str(SHARED / "bench_rollout.py"), kubeconfig, "-", str(pods)],
                capture_output=True, text=True, check=True, timeout=600,
            )  # fmt: skip
            answer: dict[str, float] = json.loads(done.stdout)
            return answer
        finally:
            node.terminate()
            node.wait()


def build_sample(home: Path) -> None:
    drumroll(
        home,
        "image",
        "build",
        str(ROOT / "samples"),
        "-f",
        str(ROOT / "samples" / "storefront" / "Dockerfile"),
        "-t",
        "storefront:0.0.1",
        "--build-arg",
        "VERSION=0.0.1",
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--isolation", default="auto", choices=("auto", "container", "loopback"))
    arguments.add_argument("--pods", type=int, default=100)
    options = arguments.parse_args()
    base = Path(tempfile.mkdtemp(prefix="drumroll-bench-"))
    home = base / "home"
    try:
        build_sample(home)
        report: dict[str, Any] = {
            "cores": os.cpu_count(),
            "start to API ready (s)": statistics.median(
                seconds_to_api(home, options.isolation) for _ in range(options.runs)
            ),
            "start to first pod ready (s)": statistics.median(
                seconds_to_first_pod(home, options.isolation) for _ in range(options.runs)
            ),
            "idle memory (MB)": idle_memory(home, options.isolation),
            "one write (µs)": write_stages(home, options.isolation),
            f"rollout of {options.pods} pods, simulated node (s)": rollout(home, options.isolation, options.pods),
        }
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


def table(report: dict[str, Any]) -> str:
    lines = []
    for name, value in report.items():
        if isinstance(value, dict):
            lines.append(name)
            lines += [f"    {inner:<44}{number:>10.1f}" for inner, number in value.items()]
            if "memory" in name:
                lines.append(f"    {'together':<44}{sum(value.values()):>10.1f}")
        else:
            lines.append(f"{name:<48}{value:>10.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
