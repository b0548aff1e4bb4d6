"""Routes of a Service's callers through a real Envoy: it knows the callers' namespace by their pods' addresses."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest
import pytest_asyncio

from drumroll.objects.kinds import POD
from tests.proxy.cluster import eventually, running_cluster
from tests.proxy.test_gateway import backend, rule
from tests.proxy.test_namespace import may_make_namespaces

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.container,
    pytest.mark.skipif(not may_make_namespaces(), reason="needs root and network namespaces"),
]

CALL = """
import http.client, json, sys
connection = http.client.HTTPConnection(sys.argv[2], 80, timeout=5, source_address=(sys.argv[1], 0))
for _ in range(int(sys.argv[3])):
    connection.request("GET", "/", headers={"x-forwarded-for": "10.244.9.9"})
    answer = connection.getresponse()
    answer.read()
    print(answer.getheader("x-for"), answer.getheader("x-served-by"), flush=True)
    sys.stdin.readline()
"""


@pytest_asyncio.fixture
async def cluster():
    name, folder = f"dr-{uuid.uuid4().hex[:8]}", Path(tempfile.mkdtemp(prefix="dr-"))
    try:
        for command in (
            f"ip netns add {name}",
            f"ip -n {name} link set lo up",
            f"ip -n {name} route add local 10.96.0.0/16 dev lo",
            f"ip -n {name} route add local 10.244.0.0/16 dev lo",
        ):
            subprocess.run(command.split(), check=True)
        async with running_cluster(folder, namespace=Path("/run/netns") / name, installs=True) as found:
            yield found
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)
        shutil.rmtree(folder, ignore_errors=True)


async def caller(cluster, name, namespace, address):
    """A pod that does nothing but have an address."""
    meta = {"namespace": namespace, "name": name}
    spec = {"nodeName": "here", "containers": [{"name": "main", "image": "x"}]}
    await cluster.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    status = {"phase": "Running", "podIP": address}
    await cluster.client.patch(POD, namespace, name, {"status": status}, subresource="status")


async def call(cluster, source, service, n=1):
    """A program that sends `n` requests on one connection from that address, one for each line that it is given."""
    command = [
        "nsenter",
        f"--net={cluster.network.namespace}",
        "--",
        sys.executable,
        "-c",
        CALL,
        source,
        service,
        str(n),
    ]
    return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)


async def answer(process):
    """Whose route the next answer came by, and the Service that gave it."""
    marked, name = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().split()
    return marked, name.split("-")[0]


async def once(cluster, source, service):
    process = await call(cluster, source, service)
    found = await answer(process)
    process.stdin.write(b"\n")
    await process.communicate()
    return found


async def test_a_callers_route_is_for_its_own_namespace_only(cluster):
    address = await cluster.service("one")
    await cluster.service("two")
    await cluster.pod("one")
    await cluster.pod("two")
    await cluster.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b"}})
    await caller(cluster, "first", "b", "10.244.7.1")
    await caller(cluster, "other", "default", "10.244.7.2")
    mark = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-for", "value": "b"}]}}
    spec = {
        "parentRefs": [{"group": "", "kind": "Service", "name": "one", "namespace": "default"}],
        "rules": [rule(backend("two", namespace="default"), filters=[mark])],
    }
    made = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": spec}
    await cluster.client.create({**made, "metadata": {"namespace": "b", "name": "ours"}})
    await eventually(lambda: is_acknowledged(cluster))
    assert await once(cluster, "10.244.7.1", address) == ("b", "two")
    assert await once(cluster, "10.244.7.2", address) == ("None", "one")
    process = await call(cluster, "10.244.7.1", address, 3)
    assert await answer(process) == ("b", "two")
    await caller(cluster, "second", "b", "10.244.7.3")

    async def is_known():
        return await once(cluster, "10.244.7.3", address) == ("b", "two")

    await eventually(is_known)
    process.stdin.write(b"\n")  # the connection was open all the while
    assert await answer(process) == ("b", "two")
    await cluster.client.delete(POD, "b", "first", grace_period_seconds=0)

    async def is_forgotten():
        return await once(cluster, "10.244.7.1", address) == ("None", "one")

    await eventually(is_forgotten)
    process.stdin.write(b"\n")
    assert await answer(process) == ("None", "one")
    process.stdin.write(b"\n")
    await process.communicate()


async def is_acknowledged(cluster):
    from drumroll.objects.kinds import HTTP_ROUTE

    found = await cluster.client.get(HTTP_ROUTE, "b", "ours")
    conditions = [c for p in (found.get("status") or {}).get("parents") or () for c in p["conditions"]]
    told = {c["type"]: c["status"] for c in conditions}
    assert told.get("ResolvedRefs", "True") == "True", json.dumps(conditions)
    return told.get("drumroll.dev/Acknowledged") == "True"
