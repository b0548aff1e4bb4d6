"""A container runtime with a network of its own, for tests; whatever happens in them, nothing is left."""

import contextlib
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from drumroll.node.containers import ContainerRuntime, check
from drumroll.node.network import NAMESPACES, PodNetwork
from drumroll.node.runtime import ContainerSpec, ContainerState, RootImage, Sandbox, SandboxSpec
from drumroll.objects.network import CONTAINER_PODS, CONTAINER_SERVICES, ClusterNetwork


@dataclass
class Ground:
    """What one test stands on."""

    home: Path
    run: Path
    network: PodNetwork
    runtime: ContainerRuntime
    uids: list[str] = field(default_factory=list)

    @property
    def pods(self) -> Path:
        return self.home / "pods"

    def sandbox_spec(self, **changes) -> SandboxSpec:
        uid = str(uuid.uuid4())
        facts = {"namespace": "default", "name": "web", "hostname": "web", **changes}
        return SandboxSpec(uid=uid, folder=self.pods / uid, **facts)

    async def sandbox(self, **changes) -> Sandbox:
        return await self.runtime.create_sandbox(self.sandbox_spec(**changes))

    def image(self, files: Mapping[str, str]) -> RootImage:
        layer = self.home / "layers" / uuid.uuid4().hex[:8]
        layer.mkdir(parents=True)
        for name, content in files.items():
            path = layer / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return RootImage("test", "sha256:0", (layer,), host_root=True)

    def spec(self, *argv: str, files: Mapping[str, str] | None = None, **changes) -> ContainerSpec:
        facts = {
            "name": "web",
            "attempt": 0,
            "image": self.image(files or {}),
            "argv": argv,
            "env": {},
            "working_dir": "/",
            "log_path": self.home / "logs" / f"{uuid.uuid4().hex[:8]}.log",
            **changes,
        }
        return ContainerSpec(**facts)

    async def start(self, sandbox: Sandbox, *argv: str, **changes) -> ContainerState:
        return await self.runtime.start_container(sandbox, self.spec(*argv, **changes))


def traces(ground: Ground) -> list[str]:
    """Everything on this machine that still carries the ground's name."""
    name = ground.network.name
    found = [str(path) for path in NAMESPACES.glob(f"{name}*")]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if name in line]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(ground.home) in line]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{name}*")]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"{name}*")]
    found += [str(path) for path in ground.pods.glob("*")]
    found += [str(path) for folder in ("oci", "exits", "attach") for path in (ground.run / folder).glob("*")]
    return found


@contextlib.asynccontextmanager
async def container_ground(home: Path) -> AsyncIterator[Ground]:
    """A ground below `home`, or a skip with the reason."""
    if refusal := check():
        pytest.skip(f"no container isolation: {refusal}")
    name = f"drumroll-t{uuid.uuid4().hex[:7]}"
    run = Path("/run/drumroll") / name
    cluster = ClusterNetwork(
        "container", CONTAINER_PODS, CONTAINER_SERVICES, "127.0.0.1", 0, 0, namespace=NAMESPACES / name
    )
    network = PodNetwork(name, cluster, run)
    (home / "pods").mkdir(parents=True)
    ground = Ground(home, run, network, ContainerRuntime(home / "pods", run, network))
    try:
        await network.ensure()
        yield ground
    finally:
        for folder in list(ground.pods.iterdir()):
            await ground.runtime.remove_sandbox(folder.name)
        ground.runtime.close()
        network.remove()
        left = traces(ground)
        subprocess.run(["rm", "-rf", "--one-file-system", str(run)], check=False)
        shutil.rmtree(home / "layers", ignore_errors=True)
    assert left == []
