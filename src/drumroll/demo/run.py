"""The main job, step by step: apply the lab, send a load, update, undo, report."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from drumroll.client.client import Client
from drumroll.client.http import HttpTransport
from drumroll.client.kubeconfig import load_kubeconfig
from drumroll.demo.manifests import HOST, NAMESPACE, apply, demo_objects
from drumroll.demo.progress import Progress
from drumroll.demo.report import Facts, report, verdict
from drumroll.demo.rollout import RolloutFailed, Rollouts
from drumroll.demo.timeline import Limits, Recorder
from drumroll.load.answer import Failure
from drumroll.load.http1 import Http1Client
from drumroll.load.ledger import Ledger
from drumroll.load.plan import LoadPlan, Target
from drumroll.load.process import LoadProcess, load_process
from drumroll.load.run import tls_context
from drumroll.objects import clock

REGISTRY = "fra.ocir.io/oractdemeabdmnative/h-k8s_repo"
STOREFRONT = f"{REGISTRY}/storefront"
BASIC_AUTH = ("Authorization", "Basic amFjazpwYXNzd29yZA==")
START_SECONDS = 60.0
ROLLOUT_SECONDS = 180.0
SERVING_SECONDS = 30.0
LOAD_SECONDS = 1800.0
LIMITS = Limits(replicas=4, max_unavailable=1, max_surge=1)


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image to build: its context and Dockerfile, the names to give it, and its build arguments."""

    context: Path
    dockerfile: Path
    tags: tuple[str, ...]
    args: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """Where a cluster that is up answers. `address` and the ports are the Ingress's; `work` takes the load's files."""

    kubeconfig: Path
    address: str
    http_port: int
    https_port: int
    isolation: str
    work: Path


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`rate` is requests per second over all kinds, `pause` the seconds of steady load before, between and after."""

    samples: Path
    rate: float = 300.0
    pause: float = 2.0
    colour: bool = False


@dataclass(frozen=True, slots=True)
class DemoResult:
    """`exit_code` is 0 when no request failed and the bounds were kept, else 1."""

    report: str
    exit_code: int
    ledger: Ledger


def samples_folder() -> Path:
    """The samples of the checkout that this program runs from; it may not exist."""
    return Path(__file__).resolve().parents[3] / "samples"


def demo_images(samples: Path) -> tuple[ImageSource, ...]:
    """What to build before the demo, under the names that the manifests use."""

    def source(name: str, *tags: str, version: str = "0.0.1") -> ImageSource:
        return ImageSource(samples, samples / name / "Dockerfile", tags, {"VERSION": version})

    storefronts = tuple(
        source("storefront", f"storefront:{version}", f"{STOREFRONT}:{version}", version=version)
        for version in ("0.0.1", "0.0.2")
    )
    stockmanager = source("stockmanager", "stockmanager:0.0.1", f"{REGISTRY}/stockmanager:0.0.1")
    zipkin = source("zipkin", "zipkin:0.0.1", "docker.io/openzipkin/zipkin:2.23.4")
    return (*storefronts, stockmanager, zipkin)


def load_targets(cluster: RunningCluster, rate: float) -> tuple[Target, ...]:
    """The load: new, kept-alive and HTTP/2 connections, with and without TLS, to both services."""
    address, plain, secure = cluster.address, cluster.http_port, cluster.https_port
    status, stock = "/sf/status", "/store/stocklevel"
    auth = (BASIC_AUTH,)
    return (
        Target("status", "new", address, plain, status, HOST, rate=0.30 * rate),
        Target("status", "kept-alive", address, plain, status, HOST, rate=0.30 * rate),
        Target("status", "http2", address, secure, status, HOST, tls=True, rate=0.15 * rate),
        Target("stock over TLS", "new", address, secure, stock, HOST, tls=True, rate=0.05 * rate, headers=auth),
        Target("stock", "kept-alive", address, plain, stock, HOST, rate=0.20 * rate, headers=auth),
    )


async def run_demo(cluster: RunningCluster, options: DemoOptions, progress: Progress) -> DemoResult:
    """Run the main job on a cluster that is up and has the images of `demo_images`.

    Raises RolloutFailed or NoSamples when it cannot even start: then nothing was measured.
    """
    async with HttpTransport(load_kubeconfig(cluster.kubeconfig)) as transport:
        demo = _Demo(Client(transport, "drumroll-demo"), cluster, options, progress)
        return await demo.run()


class _Demo:
    def __init__(self, client: Client, cluster: RunningCluster, options: DemoOptions, progress: Progress) -> None:
        self._client, self._cluster, self._options, self._progress = client, cluster, options, progress
        self._rollouts = Rollouts(client, NAMESPACE)
        self._recorder = Recorder(client, NAMESPACE, "app=storefront")
        self._problems: list[str] = []

    async def run(self) -> DemoResult:
        await self._deploy()
        plan = LoadPlan(load_targets(self._cluster, self._options.rate), seconds=LOAD_SECONDS)
        async with (
            self._recording(),
            load_process(plan, self._cluster.work, self._progress.load) as load,
        ):
            ledger = await self._under_load(load)
        facts = Facts(self._title(), ledger, self._recorder.timeline.since(ledger.started), LIMITS, (*self._problems,))
        text = report(facts, colour=self._options.colour)
        return DemoResult(text, 1 if verdict(facts) else 0, ledger)

    async def _deploy(self) -> None:
        self._progress.step("deploying storefront (4 replicas), stockmanager and zipkin")
        for obj in demo_objects(self._options.samples / "manifests", clock.now()):
            await apply(self._client, obj)
        for name in ("zipkin", "stockmanager", "storefront"):
            await self._rollouts.wait(name, START_SECONDS)
        await self._rollouts.wait_gone("storefront", START_SECONDS)
        self._progress.step("waiting for the Ingress to serve")
        await self._wait_serving()

    async def _wait_serving(self) -> None:
        """Until every kind of request is answered once. Raises RolloutFailed."""
        wanted = [target for target in load_targets(self._cluster, 1) if target.kind != "http2"]
        last = "no answer"
        deadline = time.monotonic() + SERVING_SECONDS
        for target in wanted:
            client = Http1Client(target, tls_context(target), keep_alive=False)
            while True:
                try:
                    async with asyncio.timeout(5):
                        answer = await client.request()
                    if answer.status in target.expect:
                        break
                    last = f"status {answer.status}"
                except (Failure, OSError) as error:
                    last = str(error) or type(error).__name__
                if time.monotonic() > deadline:
                    where = f"{target.address}:{target.port}{target.path}"
                    raise RolloutFailed(f"the Ingress does not serve {where} ({last}); see `drumroll status`")
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def _recording(self) -> AsyncIterator[None]:
        running = [
            asyncio.create_task(informer.run()) for informer in (self._recorder.replica_sets, self._recorder.pods)
        ]
        try:
            async with asyncio.timeout(SERVING_SECONDS):
                await self._recorder.wait_synced()
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _under_load(self, load: LoadProcess) -> Ledger:
        self._progress.step(f"sending {self._options.rate:.0f} requests per second")
        await load.wait_sending()
        await asyncio.sleep(self._options.pause)
        try:
            self._begin("update to 0.0.2")
            await self._rollouts.set_image("storefront", "storefront", f"{STOREFRONT}:0.0.2")
            await self._settle("updated")
            self._begin("undo")
            await self._rollouts.undo("storefront")
            await self._settle("undone")
        except RolloutFailed as error:
            self._problems.append(str(error))
        self._progress.step("counting the answers")
        return await load.stop()

    def _begin(self, what: str) -> None:
        self._recorder.mark(what)
        self._progress.step(f"{what}, under load")

    async def _settle(self, done: str) -> None:
        await self._rollouts.wait("storefront", ROLLOUT_SECONDS)
        self._recorder.mark(done)
        await self._rollouts.wait_gone("storefront", ROLLOUT_SECONDS)
        await asyncio.sleep(self._options.pause)

    def _title(self) -> str:
        return (
            f"Storefront, 4 replicas, updated 0.0.1 → 0.0.2 and undone under {self._options.rate:.0f} requests/s "
            f"({self._cluster.isolation} isolation)"
        )
