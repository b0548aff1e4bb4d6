"""Start, first pod and memory at rest."""

import asyncio
import time
from pathlib import Path

from bench.cluster import ROOT, cluster, drumroll
from drumroll.client.client import Client
from drumroll.client.http import HttpTransport
from drumroll.client.kubeconfig import load_kubeconfig
from drumroll.objects.kinds import POD


def build_sample(base: Path) -> None:
    samples = ROOT / "samples"
    file, version = str(samples / "storefront" / "Dockerfile"), ("--build-arg", "VERSION=0.0.1")
    drumroll(base / "home", "image", "build", str(samples), "-f", file, "-t", "storefront:0.0.1", *version)


def start(base: Path, isolation: str) -> dict[str, float]:
    """From the command typed to the prompt back (the API answers then), and to the first pod Ready."""
    began = time.monotonic()
    with cluster(base, isolation) as measured:
        answering = time.monotonic() - began
        asyncio.run(_first_pod(measured.kubeconfig))
        return {"API ready (s)": answering, "first pod ready (s)": time.monotonic() - began}


async def _first_pod(kubeconfig: Path) -> None:
    container = {"name": "storefront", "image": "storefront:0.0.1", "ports": [{"containerPort": 8080}]}
    container["readinessProbe"] = {"httpGet": {"path": "/health/ready", "port": 9080}, "periodSeconds": 1}
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "first", "namespace": "default"},
        "spec": {"containers": [container]},
    }  # fmt: skip
    async with HttpTransport(load_kubeconfig(kubeconfig)) as transport:
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


def idle_memory(base: Path, isolation: str) -> dict[str, float]:
    """Megabytes per process, ten seconds after the start."""
    with cluster(base, isolation) as measured:
        time.sleep(10)
        found = measured.resident()
        return {**{f"{name} (MB)": size for name, size in found.items()}, "together (MB)": sum(found.values())}
