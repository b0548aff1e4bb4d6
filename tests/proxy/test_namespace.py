"""A cluster in a network namespace of its own: Envoy inside, its host listeners outside, DNS inside."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from dnslib import RCODE, DNSRecord

from drumroll.proxy.processes import running_processes
from tests.proxy.cluster import eventually, running_cluster, short_folder
from tests.proxy.test_services import answers, ask

ASK = """
import socket, sys
from dnslib import DNSRecord
question = DNSRecord.question(sys.argv[1], sys.argv[2])
answer = question.send("10.96.0.10", 53, tcp=sys.argv[3] == "tcp", timeout=3)
sys.stdout.write(answer.hex())
"""


def may_make_namespaces():
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    name = f"dr-{uuid.uuid4().hex[:8]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", name], check=False)
    return made


pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.container,
    pytest.mark.skipif(not may_make_namespaces(), reason="needs root and network namespaces"),
]


@pytest_asyncio.fixture
async def cluster():
    name = f"dr-{uuid.uuid4().hex[:8]}"
    try:
        for command in (
            f"ip netns add {name}",
            f"ip -n {name} link set lo up",
            f"ip -n {name} route add local 10.96.0.0/16 dev lo",
            f"ip -n {name} route add local 10.244.0.0/16 dev lo",
        ):
            subprocess.run(command.split(), check=True)
        with short_folder() as folder:
            async with running_cluster(folder, namespace=Path("/run/netns") / name) as found:
                yield found
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


async def resolve(cluster, name, kind="A", transport="udp"):
    """The reply of the cluster's DNS as a program in a pod gets it; None when there is none."""
    command = ["nsenter", f"--net={cluster.network.namespace}", "--", sys.executable, "-c", ASK, name, kind, transport]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    return DNSRecord.parse(bytes.fromhex(output.decode())) if process.returncode == 0 else None


def found(reply):
    return [str(record.rdata) for record in reply.rr]


async def test_services_are_inside_and_load_balancers_on_the_host(cluster):
    ip = await cluster.service(kind="LoadBalancer", ports=[{"name": "http", "port": 8090, "targetPort": 8080}])
    program = await cluster.pod()
    outside = await answers(f"http://{cluster.network.listen}:8090/")
    assert outside["name"] == program.pod
    command = ["nsenter", f"--net={cluster.network.namespace}", "--", "curl", "-s", f"http://{ip}:8090/"]
    inside = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    assert program.pod in inside
    assert (await ask(f"http://{ip}:8090/", timeout=aiohttp.ClientTimeout(total=1)) or (0, ""))[0] != 200


async def test_the_clusters_names_resolve_and_others_do_not(cluster):
    ip = await cluster.service()
    await cluster.pod()
    name = "web.default.svc.cluster.local"

    async def known():
        reply = await resolve(cluster, name)
        return reply and found(reply) == [ip]

    await eventually(known)
    assert found(await resolve(cluster, name.upper(), transport="tcp")) == [ip]
    assert "80 web.default.svc.cluster.local." in found(await resolve(cluster, f"_http._tcp.{name}", "SRV"))[0]
    empty = await resolve(cluster, name, "AAAA")
    assert (empty.header.rcode, empty.rr) == (RCODE.NOERROR, [])
    assert (await resolve(cluster, f"no.{name}")).header.rcode == RCODE.NXDOMAIN
    reverse = ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
    assert found(await resolve(cluster, reverse, "PTR")) == [f"{name}."]


async def test_names_resolve_without_the_control_plane_and_dns_comes_back_when_it_dies(cluster):
    name = "kubernetes.default.svc.cluster.local"

    async def known():
        reply = await resolve(cluster, name)
        return reply and found(reply) == ["10.96.0.1"]

    await eventually(known)
    pid = running_processes(cluster.folder / "proxy")["dns"]
    await cluster.stop_proxy()
    assert await known()
    cluster.start_proxy()
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: running_processes(cluster.folder / "proxy").get("dns") not in (None, pid))
    await eventually(known)
