import asyncio
import shutil
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from drumroll.node.processes import LoopbackRuntime
from drumroll.node.runtime import RootImage, Runtime
from drumroll.objects.network import LOOPBACK_SERVICES, ClusterNetwork

if TYPE_CHECKING:
    from tests.node.cluster import NodeCluster

DEADLINE = 10.0


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path of its own: Unix sockets live in it."""
    folder = Path(tempfile.mkdtemp(prefix="dr-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def loopback_network(home: Path) -> ClusterNetwork:
    """Loopback addresses that no other test uses at the same time."""
    block = zlib.crc32(str(home).encode()) % 4000
    pods = IPv4Network((int(IPv4Network("127.244.0.0/16").network_address) + 16 * block, 28))
    return ClusterNetwork("loopback", pods, LOOPBACK_SERVICES, "127.0.0.1", 0, 0, low_port_offset=20000)


@pytest_asyncio.fixture
async def loopback(home: Path, loopback_network: ClusterNetwork) -> AsyncIterator[Runtime]:
    runtime = LoopbackRuntime(home / "pods", loopback_network)
    yield runtime
    for sandbox in await runtime.list_sandboxes():
        await runtime.remove_sandbox(sandbox.uid)


def python_image(home: Path, files: dict[str, str], name: str = "program:1") -> RootImage:
    """An image over the machine's own root with these files in one layer."""
    layer = home / "layers" / name.replace("/", "_").replace(":", "_")
    for path, text in files.items():
        target = layer / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    layer.mkdir(parents=True, exist_ok=True)
    return RootImage(name, f"sha256:{zlib.crc32(name.encode()):064x}", (layer,), host_root=True)


async def eventually(question, deadline: float = DEADLINE):
    """The first true answer of `question()` (which may be a coroutine function); fails after `deadline` seconds."""
    async with asyncio.timeout(deadline):
        while True:
            answer = question()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return answer
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def cluster(home: Path, loopback_network: ClusterNetwork) -> "AsyncIterator[NodeCluster]":
    """A node on an API server of its own."""
    from tests.node.cluster import NodeCluster  # which imports from here

    made = NodeCluster(home, loopback_network)
    try:
        await made.open()
        yield made
    finally:
        await made.close()
