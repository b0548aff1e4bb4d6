"""The API alone, over TLS: verbs, lists, fan-out, idle watches, memory per object, stages of a write."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from bench.cluster import Measured, allow_many_files, cluster, per_stage, percentile, resident
from bench.wire import Server, Wire

PODS = "/api/v1/namespaces/default/pods"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"


def pod(name: str) -> bytes:
    container = {
        "name": "c", "image": "app:1", "ports": [{"containerPort": 8080}],
        "env": [{"name": f"VARIABLE_{n}", "value": "x" * 20} for n in range(5)],
        "readinessProbe": {"httpGet": {"path": "/health/ready", "port": 8080}},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }  # fmt: skip
    labels = {"app": "bench", "pod-template-hash": "6c54bd5869"}
    return json.dumps({"metadata": {"name": name, "labels": labels}, "spec": {"containers": [container]}}).encode()


Ask = Callable[[Wire, int], Awaitable[Any]]


async def timed(server: Server, ask: Ask, clients: int, total: int) -> tuple[list[float], float]:
    """Latencies of `total` requests by so many clients, and the seconds that all took."""
    wires = [await server.connect() for _ in range(clients)]
    numbers, latencies = iter(range(total)), []

    async def work(wire: Wire) -> None:
        for number in numbers:
            began = time.perf_counter()
            await ask(wire, number)
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(work(wire) for wire in wires))
    took = time.perf_counter() - began
    for wire in wires:
        wire.close()
    return latencies, took


def verbs(base: Path, isolation: str) -> dict[str, float]:
    """Latency and rate of GET, create and patch of pods, by 1 and by 16 clients."""
    with cluster(base, isolation, "apiserver") as measured:
        return asyncio.run(_verbs(measured))


async def _verbs(measured: Measured) -> dict[str, float]:
    server, found, made = Server(measured.kubeconfig), {}, count()

    async def create(wire: Wire, _: int) -> None:
        await wire.ask("POST", PODS, pod(f"pod-{next(made)}"))

    async def get(wire: Wire, number: int) -> None:
        await wire.ask("GET", f"{PODS}/pod-{number % 1000}")

    async def patch(wire: Wire, number: int) -> None:
        body = json.dumps({"metadata": {"annotations": {"n": f"{number} {time.monotonic()}"}}}).encode()
        await wire.ask("PATCH", f"{PODS}/pod-{number % 1000}", body, MERGE)

    for name, ask in (("create", create), ("GET", get), ("patch", patch)):
        for clients in (1, 16):
            latencies, took = await timed(server, ask, clients, 2000)
            head = f"{name}, {clients:>2} client{'s' if clients > 1 else ''}"
            found[f"{head}: p50 (ms)"] = percentile(latencies, 0.5) * 1e3
            found[f"{head}: p99 (ms)"] = percentile(latencies, 0.99) * 1e3
            found[f"{head}: requests/s"] = len(latencies) / took
    return found


def writing(base: Path, isolation: str) -> dict[str, float]:
    """Microseconds of each stage of a write, one after the other, so that the disk's share is one write's own."""
    with cluster(base, isolation, "apiserver") as measured:

        async def writes() -> list[float]:
            async def create(wire: Wire, number: int) -> None:
                await wire.ask("POST", PODS, pod(f"pod-{number}"))

            return (await timed(Server(measured.kubeconfig), create, 1, 2000))[0]

        before = measured.figures()
        latencies = asyncio.run(writes())
        found = per_stage(before, measured.figures())
        return {**found, "the whole write as the client sees it (µs)": statistics.median(latencies) * 1e6}


def lists(base: Path, isolation: str, sizes: tuple[int, ...] = (1000, 10_000)) -> dict[str, float]:
    """List of so many pods; and what each of them costs in memory."""
    found: dict[str, float] = {}
    with cluster(base, isolation, "apiserver") as measured:
        server, made, empty = Server(measured.kubeconfig), count(), resident(measured.parts()["control plane"])

        async def create(wire: Wire, _: int) -> None:
            await wire.ask("POST", PODS, pod(f"pod-{next(made)}"))

        async def grow_and_list(size: int) -> tuple[list[float], int]:
            await timed(server, create, 16, size - found_size)
            wire = await server.connect()
            latencies, length = [], 0
            for _ in range(20):
                began = time.perf_counter()
                length = len(await wire.ask("GET", PODS))
                latencies.append(time.perf_counter() - began)
            wire.close()
            return latencies, length

        found_size = 0
        for size in sizes:
            latencies, length = asyncio.run(grow_and_list(size))
            found_size = size
            found[f"list of {size:,}: p50 (ms)"] = percentile(latencies, 0.5) * 1e3
            found[f"list of {size:,}: p99 (ms)"] = percentile(latencies, 0.99) * 1e3
            found[f"list of {size:,}: megabytes"] = length / 1e6
            grown = resident(measured.parts()["control plane"]) - empty
            found[f"memory per stored pod, {size:,} pods (kB)"] = grown * 1024 / size
    return found


def fan_out(base: Path, isolation: str, sizes: tuple[int, ...] = (100, 1000)) -> dict[str, float]:
    """From a write to its delivery to the last of so many watches; all clients live in one process."""
    allow_many_files()
    found: dict[str, float] = {}
    with cluster(base, isolation, "apiserver") as measured:
        for size in sizes:
            took = asyncio.run(_fan_out(Server(measured.kubeconfig), size))
            found[f"write to the last of {size:,} watches: p50 (ms)"] = percentile(took, 0.5) * 1e3
            found[f"write to the last of {size:,} watches: p99 (ms)"] = percentile(took, 0.99) * 1e3
    return found


async def _watches(server: Server, size: int) -> list[Wire]:
    wires: list[Wire] = []
    for start in range(0, size, 50):
        some = await asyncio.gather(*(server.connect() for _ in range(min(50, size - start))))
        await asyncio.gather(*(wire.follow(f"{CONFIG_MAPS}?watch=true&resourceVersion=1") for wire in some))
        wires += some
    return wires


async def _told(wires: list[Wire], events: int) -> None:
    for wire in wires:
        while wire.events < events:
            wire.changed.clear()
            await wire.changed.wait()


async def _fan_out(server: Server, size: int, rounds: int = 30) -> list[float]:
    wires, writer = await _watches(server, size), await server.connect()
    await asyncio.sleep(1)
    took = []
    for number in range(rounds):
        before = [wire.events for wire in wires]
        began = time.perf_counter()
        body = json.dumps({"metadata": {"generateName": "told-"}, "data": {"n": f"{number}" * 200}}).encode()
        await writer.ask("POST", CONFIG_MAPS, body)
        for wire, events in zip(wires, before, strict=True):
            await _told([wire], events + 1)
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.02)
    for wire in [*wires, writer]:
        wire.close()
    return took


def idle_watches(base: Path, isolation: str, size: int = 5000) -> dict[str, float]:
    """Memory of so many watches that hear nothing, and the delay until all of them hear of one write."""
    allow_many_files()
    with cluster(base, isolation, "apiserver") as measured:
        pid = measured.parts()["control plane"]
        before = resident(pid)

        async def run() -> dict[str, float]:
            server = Server(measured.kubeconfig)
            began = time.perf_counter()
            wires = await _watches(server, size)
            opened = time.perf_counter() - began
            await asyncio.sleep(2)
            memory, writer = resident(pid) - before, await server.connect()
            counts = [wire.events for wire in wires]
            began = time.perf_counter()
            await writer.ask("POST", CONFIG_MAPS, b'{"metadata":{"name":"heard"},"data":{"k":"v"}}')
            for wire, events in zip(wires, counts, strict=True):
                await _told([wire], events + 1)
            heard = time.perf_counter() - began
            for wire in [*wires, writer]:
                wire.close()
            return {
                f"{size:,} watches: seconds to open all": opened,
                f"{size:,} watches: control plane grows by (MB)": memory,
                f"{size:,} watches: per watch (kB)": memory * 1024 / size,
                f"{size:,} watches: one write until all heard (ms)": heard * 1e3,
            }

        return asyncio.run(run())


def each(values: Iterator[dict[str, float]]) -> dict[str, float]:
    """The median of each figure over several runs."""
    runs = list(values)
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}
