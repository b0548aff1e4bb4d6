"""A real API server in this process, and a node on it with the loopback runtime: what agent tests run against."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drumroll.apiserver.server import ApiServer
from drumroll.client.client import Client
from drumroll.client.inprocess import InProcessTransport
from drumroll.node.agent import run_node
from drumroll.node.processes import LoopbackRuntime
from drumroll.node.runtime import RootImage
from drumroll.objects.clock import now
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import EVENT, NODE, POD
from drumroll.objects.meta import micro_timestamp
from drumroll.objects.network import ClusterNetwork
from drumroll.objects.wire import STRATEGIC_MERGE_PATCH, User
from drumroll.store.memory import MemoryStore
from tests.node.conftest import eventually, python_image

ADMIN = User("test", ("system:masters",))
READINESS = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}

SERVER = """
import http.server, os, pathlib, signal, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = pathlib.Path(os.environ["DRUMROLL_ROOT"], "answers" + self.path)
        self.send_response(int(path.read_text()) if path.exists() else 200)
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *args):
        pass
def end(*_):
    print("SIGTERM", flush=True)
    time.sleep(float(os.environ.get("LINGER", "0")))
    os._exit(0)
signal.signal(signal.SIGTERM, end)
server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ.get("PORT", "8080"))), Handler)
print("listening", flush=True)
server.serve_forever()
"""


class Images:
    """Images by reference; `add` is what `drumroll image build` would do."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._images: dict[str, RootImage] = {}

    def add(self, reference: str, program: str, stop_signal: str = "") -> None:
        image = python_image(self._home, {"/app/main.py": program}, reference)
        self._images[reference] = replace(image, entrypoint=("python3", "/app/main.py"), stop_signal=stop_signal)

    def resolve(self, reference: str) -> RootImage | None:
        return self._images.get(reference)


class NodeCluster:
    """Start with `open`; `restart_node` is what a crash of the control plane is to the pods."""

    def __init__(self, home: Path, network: ClusterNetwork) -> None:
        self.home = home
        self.network = network
        self.images = Images(home)
        self.images.add("server:1", SERVER)
        self.socket = home / "node.sock"
        self.api = ApiServer(MemoryStore(), service_cidr=network.service_cidr, now=now)
        self.client = Client(InProcessTransport(self.api.handle, ADMIN))
        self._node: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self.api.prepare()
        await self.start_node()

    async def start_node(self) -> None:
        self._node = asyncio.create_task(
            run_node(
                self.client,
                runtime=LoopbackRuntime(self.home / "pods", self.network),
                images=self.images,
                folder=self.home / "pods",
                network=self.network,
                node_name="node",
                server_socket=self.socket,
                now=now,
            )
        )
        await eventually(self.socket.exists)

    async def stop_node(self) -> None:
        if self._node is not None:
            if self._node.done():
                self._node.result()
            self._node.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._node
            self._node = None

    async def restart_node(self) -> None:
        await self.stop_node()
        await self.start_node()

    async def close(self) -> None:
        try:
            await self.stop_node()
        finally:
            runtime = LoopbackRuntime(self.home / "pods", self.network)
            for sandbox in await runtime.list_sandboxes():
                await runtime.remove_sandbox(sandbox.uid)

    async def create_pod(self, name: str = "web", *, spec: dict[str, Any] | None = None, **container: Any) -> Any:
        """A pod with one container `web` of the image server:1, unless `container` says otherwise."""
        first = {"name": "web", "image": "server:1", **container}
        body = {"containers": [first], "terminationGracePeriodSeconds": 5, **(spec or {})}
        meta = {"name": name, "namespace": "default", "labels": {"app": "web"}}
        return await self.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body})

    async def pod(self, name: str = "web") -> Any:
        try:
            return await self.client.get(POD, "default", name)
        except NotFound:
            return None

    async def pod_when(self, question: Any, name: str = "web", deadline: float = 10.0) -> Any:
        """The pod as soon as `question(pod)` is true."""

        async def look() -> Any:
            pod = await self.pod(name)
            with contextlib.suppress(KeyError):  # a status without what is asked for is not there yet
                return pod if pod is not None and question(pod) else None

        try:
            return await eventually(look, deadline)
        except TimeoutError:
            raise AssertionError(f"never came true; the pod is {await self.pod(name)}") from None

    async def gone(self, name: str = "web", deadline: float = 10.0) -> None:
        async def look() -> bool:
            return await self.pod(name) is None

        await eventually(look, deadline)

    async def events(self, name: str = "web") -> list[tuple[str, str, str]]:
        """(type, reason, message) of a pod's events, oldest first."""
        items = [e for e in (await self.client.list(EVENT, "default")).items if e["involvedObject"]["name"] == name]
        items.sort(key=lambda e: int(e["metadata"]["resourceVersion"]))
        return [(e["type"], e["reason"], e["message"]) for e in items]

    async def event_when(self, reason: str, part: str = "", name: str = "web") -> str:
        """The message of an event of that reason, as soon as there is one with `part` in it."""

        async def look() -> str | None:
            return next((m for _, r, m in await self.events(name) if r == reason and part in m), None)

        found: str = await eventually(look)
        return found

    async def hold_proxy_lease(self, seconds: int = 60) -> None:
        """Be the proxy that drains."""
        meta = {"name": "drumroll-proxy", "namespace": "kube-system"}
        spec = {
            "holderIdentity": "test",
            "leaseDurationSeconds": seconds,
            "renewTime": micro_timestamp(datetime.now(UTC)),
        }
        await self.client.create(
            {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
        )

    async def serve_pod(self, pod: Any) -> None:
        """Be the EndpointSlice controller: name the pod in a slice."""
        endpoint = {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": "web", "uid": pod["metadata"]["uid"]},
        }
        await self.client.create(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": "web-1", "namespace": "default"},
                "addressType": "IPv4",
                "endpoints": [endpoint],
                "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            }
        )

    async def set_drained(self, name: str = "web") -> None:
        """Be the proxy: say that no request runs in the pod."""
        condition = {"type": "drumroll.dev/Drained", "status": "True", "reason": "Idle"}
        await self.client.patch(
            POD, "default", name, {"status": {"conditions": [condition]}},
            subresource="status", content_type=STRATEGIC_MERGE_PATCH,
        )  # fmt: skip

    async def node_object(self) -> Any:
        return await self.client.get(NODE, "", "node")

    def log_text(self, pod: Any, attempt: int = 0, container: str = "web") -> str:
        path = self.home / "pods" / pod["metadata"]["uid"] / "logs" / container / f"{attempt}.log"
        return path.read_text() if path.exists() else ""

    async def pid(self, pod: Any) -> int:
        runtime = LoopbackRuntime(self.home / "pods", self.network)
        (run,) = await runtime.list_containers(pod["metadata"]["uid"])
        assert run.pid is not None
        return run.pid


def is_ready(pod: Any) -> bool:
    return condition(pod, "Ready") == "True"


def condition(pod: Any, kind: str) -> str | None:
    found = (c["status"] for c in (pod.get("status") or {}).get("conditions") or () if c["type"] == kind)
    return next(found, None)


def waiting_reason(pod: Any) -> str | None:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    reason: str | None = (statuses[0].get("state") or {}).get("waiting", {}).get("reason")
    return reason
