"""A real API server and a real proxy with a real Envoy, on addresses of their own; pods are made by hand."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path

from drumroll.apiserver.server import ApiServer
from drumroll.client.client import Client
from drumroll.client.inprocess import InProcessTransport
from drumroll.domain.termination import is_drained
from drumroll.objects.clock import now
from drumroll.objects.errors import ApiError
from drumroll.objects.kinds import ENDPOINT_SLICE, POD, SERVICE
from drumroll.objects.network import CONTAINER_PODS, CONTAINER_SERVICES, ClusterNetwork
from drumroll.objects.wire import STRATEGIC_MERGE_PATCH, User
from drumroll.proxy.processes import running_processes, stop_processes
from drumroll.proxy.run import run_proxy
from drumroll.store.sqlite import SqliteStore

DEADLINE = 20.0


async def eventually(question, deadline=DEADLINE):
    """Whatever true value `question` gives, sooner or later; its last answer in the failure."""
    ends = asyncio.get_running_loop().time() + deadline
    while True:
        found = question()
        found = await found if asyncio.iscoroutine(found) else found
        if found:
            return found
        assert asyncio.get_running_loop().time() < ends, f"not in {deadline} s: {question}"
        await asyncio.sleep(0.02)


@dataclass
class Program:
    """A pod's program."""

    pod: str
    ip: str
    process: asyncio.subprocess.Process
    ready: bool = True
    terminating: bool = False

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)


@dataclass
class Cluster:
    folder: Path
    client: Client
    network: ClusterNetwork
    pods_prefix: str
    programs: dict[str, Program] = field(default_factory=dict)
    task: asyncio.Task | None = None
    _count: int = 0
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def run_folder(self):
        return self.folder / "r"

    def start_proxy(self):
        self.task = asyncio.create_task(
            run_proxy(
                self.client,
                network=self.network,
                folder=self.folder / "proxy",
                run_folder=self.run_folder,
                host_namespace=Path(f"/proc/{os.getpid()}/ns/net") if self.network.namespace else None,
                now=now,
            )
        )

    async def stop_proxy(self):
        """As a crash would: the lease stays, Envoy runs on."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def envoy_pid(self):
        return running_processes(self.folder / "proxy").get("envoy")

    async def service(self, name="web", kind="ClusterIP", ports=None, **spec):
        ports = ports or [{"name": "http", "port": 80, "targetPort": 8080}]
        made = await self.client.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"namespace": "default", "name": name},
                "spec": {"type": kind, "selector": {"app": name}, "ports": ports, **spec},
            }
        )
        return made["spec"]["clusterIP"]

    async def pod(self, app="web", ready=True, grace=30, labels=None):
        """A pod with its program running, in the slice of the Service of its app."""
        self._count += 1
        name, ip = f"{app}-{self._count}", f"{self.pods_prefix}.{self._count}"
        enter = ["nsenter", f"--net={self.network.namespace}", "--"] if self.network.namespace else []
        command = [*enter, sys.executable, str(Path(__file__).with_name("upstream.py")), ip, name]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        program = self.programs[name] = Program(name, ip, process, ready)
        assert await asyncio.wait_for(process.stdout.readline(), DEADLINE) == b"ready\n"
        await self.client.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"namespace": "default", "name": name, "labels": {"app": app, **(labels or {})}},
                "spec": {
                    "nodeName": "here",
                    "terminationGracePeriodSeconds": grace,
                    "containers": [{"name": "main", "image": "x"}],
                },
            }
        )
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        await self.client.patch(
            POD,
            "default",
            name,
            {"status": {"phase": "Running", "podIP": ip, "conditions": conditions}},
            subresource="status",
            content_type=STRATEGIC_MERGE_PATCH,
        )
        await self.publish(app)
        return program

    async def publish(self, app="web", ports=None, programs=None):
        """Write the EndpointSlice as the controller would."""
        async with self._writing:
            await self._publish(app, ports, programs)

    async def _publish(self, app, ports, programs):
        endpoints = []
        for program in programs if programs is not None else self.programs.values():
            if programs is None and not program.pod.startswith(f"{app}-"):
                continue
            pod = await self.client.get(POD, "default", program.pod)
            conditions = {
                "ready": program.ready and not program.terminating,
                "serving": program.ready,
                "terminating": program.terminating,
            }
            target = {"kind": "Pod", "namespace": "default", "name": program.pod, "uid": pod["metadata"]["uid"]}
            endpoints.append({"addresses": [program.ip], "conditions": conditions, "targetRef": target})
        wanted = (await self.client.get(SERVICE, "default", app))["spec"]["ports"]
        piece = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "namespace": "default",
                "name": f"{app}-slice",
                "labels": {"kubernetes.io/service-name": app},
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports or [{"name": p.get("name", ""), "port": p["targetPort"], "protocol": "TCP"} for p in wanted],
        }
        try:
            await self.client.patch(ENDPOINT_SLICE, "default", piece["metadata"]["name"], piece)
        except ApiError as error:
            if error.code != 404:
                raise
            await self.client.create(piece)

    async def terminate(self, program, app="web"):
        """What the controllers and the node do to a pod: delete, wait for Drained, then kill without mercy."""
        await self.client.delete(POD, "default", program.pod)
        program.terminating = True
        await self.publish(app)
        reason = await self.drained(program)
        program.kill()
        await program.process.wait()
        del self.programs[program.pod]
        await self.client.delete(POD, "default", program.pod, grace_period_seconds=0)
        await self.publish(app)
        return reason

    async def drained(self, program):
        """The reason of the pod's Drained condition, once it has it."""

        async def look():
            pod = await self.client.get(POD, "default", program.pod)
            return is_drained(pod) and pod

        pod = await eventually(look, 40)
        return next(c["reason"] for c in pod["status"]["conditions"] if c["type"] == "drumroll.dev/Drained")

    async def events(self, reason):
        from drumroll.objects.kinds import EVENT

        return [e for e in (await self.client.list(EVENT)).items if e["reason"] == reason]


@contextlib.contextmanager
def short_folder():
    """A folder for the length of the block whose name leaves room for Unix sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="dr-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def running_cluster(folder: Path, *, namespace: Path | None = None, installs: bool = False):
    """A cluster for the length of the block; nothing of it is left behind."""
    one, two, three = os.urandom(3)
    address = f"127.{100 + one % 70}.{two}"
    network = ClusterNetwork(
        isolation="loopback",
        pod_cidr=IPv4Network(f"127.{180 + one % 70}.{three}.0/24"),
        service_cidr=IPv4Network(f"{address}.0/25"),
        listen=f"{address}.200",
        http_port=8080,
        https_port=8443,
        low_port_offset=20000,
    )
    if namespace is not None:
        network = replace(
            network,
            isolation="container",
            namespace=namespace,
            pod_cidr=CONTAINER_PODS,
            service_cidr=CONTAINER_SERVICES,
            low_port_offset=0,
        )
    (folder / "r").mkdir()
    store = SqliteStore.open(folder / "state.db")
    api = ApiServer(store, service_cidr=network.service_cidr, now=now, installs=installs)
    await api.prepare()
    client = Client(InProcessTransport(api.handle, User("test", ("system:masters",))))
    cluster = Cluster(folder, client, network, str(network.pod_cidr.network_address).rsplit(".", 1)[0])
    try:
        cluster.start_proxy()
        yield cluster
    finally:
        for program in cluster.programs.values():
            program.kill()
            await program.process.wait()
        if cluster.task is not None:
            await cluster.stop_proxy()
        await stop_processes(folder / "proxy")
        await store.close()
