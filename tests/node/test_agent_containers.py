"""The node with real containers: what the lab's pods need of both isolations at once."""

import asyncio
import contextlib

import pytest

from drumroll.apiserver.server import ApiServer
from drumroll.client.client import Client
from drumroll.client.inprocess import InProcessTransport
from drumroll.node.agent import run_node
from drumroll.objects.clock import now
from drumroll.objects.kinds import CONFIG_MAP, POD
from drumroll.store.memory import MemoryStore
from tests.node.cluster import ADMIN, Images, NodeCluster, is_ready
from tests.node.conftest import eventually
from tests.node.containers_ground import container_ground

pytestmark = [pytest.mark.asyncio, pytest.mark.container]

PROGRAM = (
    "import http.server, os, signal\n"
    "signal.signal(15, lambda *_: os._exit(0))\n"
    "print(open('/conf/name').read(), os.environ['HOSTNAME'], flush=True)\n"
    "http.server.HTTPServer(('0.0.0.0', 8080), http.server.SimpleHTTPRequestHandler).serve_forever()\n"
)


class ContainerCluster(NodeCluster):
    """A node whose pods are containers; probes are commands, since this process stays in the host's network."""

    def __init__(self, ground):
        self.home, self.network, self._ground = ground.home, ground.network.network, ground
        self.images = Images(ground.home)
        self.images.add("server:1", PROGRAM)
        self.socket = ground.run / "node.sock"
        self.api = ApiServer(MemoryStore(), service_cidr=self.network.service_cidr, now=now)
        self.client = Client(InProcessTransport(self.api.handle, ADMIN))
        self._node = None

    async def start_node(self):
        self._node = asyncio.create_task(
            run_node(
                self.client, runtime=self._ground.runtime, images=self.images, folder=self._ground.pods,
                network=self.network, node_name="node", server_socket=self.socket, now=now,
            )
        )  # fmt: skip
        await eventually(self.socket.exists)


@contextlib.asynccontextmanager
async def container_cluster(home):
    async with container_ground(home) as ground:
        cluster = ContainerCluster(ground)
        try:
            await cluster.open()
            yield cluster
        finally:
            await cluster.stop_node()


async def test_pods_of_one_port_live_side_by_side_with_their_volumes_and_go_again(home):
    async with container_cluster(home) as cluster:
        meta = {"name": "conf", "namespace": "default"}
        conf = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"name": "My Shop"}}
        await cluster.client.create(conf)
        probe = {"exec": {"command": ["/bin/bash", "-c", "curl -s http://localhost:8080/ | grep Directory"]}}
        for name in ("one", "two"):
            await cluster.create_pod(
                name,
                readinessProbe={**probe, "timeoutSeconds": 5},
                volumeMounts=[{"name": "conf", "mountPath": "/conf"}],
                spec={"volumes": [{"name": "conf", "configMap": {"name": "conf"}}]},
            )
        pods = [await cluster.pod_when(is_ready, name, deadline=20) for name in ("one", "two")]
        assert pods[0]["status"]["podIP"] != pods[1]["status"]["podIP"]
        assert "My Shop one" in cluster.log_text(pods[0])
        await cluster.client.patch(CONFIG_MAP, "default", "conf", {"data": {"name": "Your Shop"}})
        shown = cluster.home / "pods" / pods[0]["metadata"]["uid"] / "volumes" / "conf" / "name"
        await eventually(lambda: shown.read_text() == "Your Shop")
        for name in ("one", "two"):
            await cluster.client.delete(POD, "default", name)
        for name in ("one", "two"):
            await cluster.gone(name)


async def test_a_program_past_its_memory_limit_is_restarted_and_known_for_it(home):
    async with container_cluster(home) as cluster:
        cluster.images.add("greedy:1", "x = bytearray()\nwhile True: x += b'x' * (1 << 20)\n")
        await cluster.create_pod(image="greedy:1", resources={"limits": {"memory": "32Mi"}})
        pod = await cluster.pod_when(lambda p: p["status"]["containerStatuses"][0]["lastState"], deadline=20)
        ended = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
        await cluster.client.delete(POD, "default", "web")
        await cluster.gone(deadline=20)


async def test_the_programs_last_words_are_told(home):
    async with container_cluster(home) as cluster:
        cluster.images.add("words:1", "open('/dev/termination-log', 'w').write('out of paint'); raise SystemExit(4)")
        await cluster.create_pod(image="words:1", spec={"restartPolicy": "Never"})
        pod = await cluster.pod_when(lambda p: p["status"].get("phase") == "Failed", deadline=20)
        ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        assert (ended["exitCode"], ended["message"]) == (4, "out of paint")
        await cluster.client.delete(POD, "default", "web")
        await cluster.gone(deadline=20)
