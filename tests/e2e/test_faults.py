"""What a disk, a kill and a damaged file may do: nothing acknowledged is lost, and a person reads what is wrong."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.killing import kill_in_a_loop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def config_map(name: str, size: int = 10) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "x" * size}})


def fill(path: Path) -> None:
    """Write until the file system is full."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs leave to mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def on_disk(disk: Path) -> Iterator[Cluster]:
    """A cluster, not yet up, whose home is on the small disk."""
    made = Cluster(disk / "home", "loopback")
    yield made
    (disk / "ballast").unlink(missing_ok=True)
    made.down()


def test_kills_while_writers_write_lose_nothing_acknowledged(new_cluster) -> None:
    cluster = new_cluster("loopback")
    cluster.up("--parts", "apiserver")
    told = asyncio.run(kill_in_a_loop(cluster, 10))
    assert told["acknowledged writes"] > 100


@pytest.mark.container
def test_a_full_disk_refuses_writes_with_the_reason_and_heals_without_a_restart(on_disk: Cluster, disk: Path) -> None:
    on_disk.up("--parts", "apiserver")
    on_disk.kubectl("apply", "-f", "-", stdin=config_map("before"))
    pid = on_disk.part("apiserver")["pid"]
    fill(disk / "ballast")
    refused = on_disk.try_kubectl("create", "-f", "-", stdin=config_map("big", 200_000))
    assert refused.returncode != 0
    assert "the store cannot be written" in refused.stderr
    assert "full" in refused.stderr
    assert on_disk.get("configmap", "before")["data"] == {"k": "x" * 10}
    (disk / "ballast").unlink()
    on_disk.kubectl("create", "-f", "-", stdin=config_map("after"))
    assert on_disk.part("apiserver")["pid"] == pid
    on_disk.kill_control_plane()
    on_disk.up_again()
    names = {one["metadata"]["name"] for one in on_disk.get("configmap")["items"]}
    assert {"before", "after"} <= names
    assert "big" not in names


@pytest.mark.container
def test_up_on_a_full_disk_says_so_in_a_sentence(on_disk: Cluster, disk: Path) -> None:
    fill(disk / "ballast")
    refused = on_disk.drumroll("up", "--isolation", "loopback", "--api-port", "0", "--no-context", check=False)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert "full" in refused.stderr or "No space left" in refused.stderr
    (disk / "ballast").unlink()
    on_disk.up("--parts", "apiserver")
    assert on_disk.get("namespace", "default")["status"]["phase"] == "Active"


@pytest.mark.container
def test_up_on_a_read_only_disk_says_so_in_a_sentence(on_disk: Cluster, disk: Path) -> None:
    on_disk.up("--parts", "apiserver")
    on_disk.drumroll("down", "--kubeconfig", str(disk / "none"))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        refused = on_disk.drumroll("up", "--no-context", check=False)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert "Read-only file system" in refused.stderr


def test_a_damaged_store_is_told_with_the_way_back_and_the_way_works(new_cluster) -> None:
    cluster = new_cluster("loopback")
    cluster.up("--parts", "apiserver")
    for number in range(3):
        cluster.kubectl("create", "-f", "-", stdin=config_map(f"map-{number}", 3000))
    cluster.drumroll("down", "--kubeconfig", str(cluster.home / "none"))
    path = cluster.home / "store" / "state.db"
    damage(path)
    refused = cluster.drumroll("up", "--no-context", check=False)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert "is damaged" in refused.stderr
    assert "docs/recovery.md" in refused.stderr
    path.rename(path.with_suffix(".damaged"))
    cluster.up_again()
    assert cluster.get("namespace", "default")["status"]["phase"] == "Active"


def damage(path: Path) -> None:
    """Overwrite the middle of a file."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xa5" * (size // 2))
