import asyncio
import subprocess
import sys
from ipaddress import IPv4Network

import pytest
import pytest_asyncio

from drumroll.node import network_namespace
from drumroll.node.network import NetworkError, PodNetwork
from drumroll.node.rootfs import RootFolders, RootSource, mount_root, mount_root_by_binds, unmount_root
from drumroll.objects.network import CONTAINER_SERVICES, ClusterNetwork
from tests.node.containers_ground import container_ground

pytestmark = pytest.mark.container


@pytest_asyncio.fixture
async def ground(tmp_path):
    async with container_ground(tmp_path / "home") as made:
        yield made


ALONE = """
while umount --lazy /run/netns 2>/dev/null; do :; done
mount -t tmpfs none /run && mkdir /run/netns && "$0" -c "$1"
"""
"""What follows runs with mounts of its own, so that `ip netns add` there hides nothing of others."""


def alone(program):
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ALONE, sys.executable, program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def ip(namespace, *arguments):
    command = ["nsenter", f"--net={namespace}", "ip", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("first", "left"),
    [
        pytest.param("with namespaces.locked(folder): namespaces.share(folder)", [], id="a shared folder"),
        pytest.param("", ["ours"], id="one that was not shared: an empty file stays"),
    ],
)
def test_names_go_although_somebody_ran_ip_netns_since(first, left):
    program = f"""
import subprocess
from pathlib import Path
from drumroll.node import network_namespace as namespaces
folder = Path("/run/netns")
{first}
namespaces.create(folder / "ours")
subprocess.run(["ip", "netns", "add", "theirs"], check=True)
namespaces.delete(folder / "ours")
assert not namespaces.exists(folder / "ours") and namespaces.exists(folder / "theirs")
print(*(path.name for path in folder.iterdir() if path.name != "theirs"))
"""
    assert alone(program) == left


@pytest.mark.asyncio
async def test_addresses_are_unique_kept_and_come_back_late(ground):
    network = ground.network
    places = await asyncio.gather(*(network.attach(f"pod-{n}") for n in range(5)))
    assert sorted(place.ip for place in places) == [f"10.244.0.{n}" for n in range(2, 7)]
    again = PodNetwork(network.name, network.network, ground.run)
    assert await again.attach("pod-3") == places[3]
    assert again.attached() == {f"pod-{n}": place.ip for n, place in enumerate(places)}
    await network.detach("pod-4")
    assert (await network.attach("new")).ip == "10.244.0.7"
    assert "pod-4" not in network.attached()


@pytest.mark.asyncio
async def test_a_full_network_says_so_and_a_freed_address_serves_again(ground):
    full = ClusterNetwork(
        "container", IPv4Network("10.244.0.0/29"), CONTAINER_SERVICES, "127.0.0.1", 0, 0, ground.network.namespace
    )
    network = PodNetwork(ground.network.name, full, ground.run)
    ips = {(await network.attach(f"pod-{n}")).ip for n in range(5)}
    assert len(ips) == 5
    with pytest.raises(NetworkError, match="in use"):
        await network.attach("one-too-many")
    await network.detach("pod-2")
    assert (await network.attach("another")).ip in ips


@pytest.mark.asyncio
async def test_making_it_again_changes_nothing_and_repairs_what_is_missing(ground):
    network = ground.network
    place = await network.attach("pod")
    before = ip(network.namespace, "-brief", "link")
    await network.ensure()
    assert ip(network.namespace, "-brief", "link") == before
    ip(network.namespace, "address", "flush", "dev", "pods")
    ip(network.namespace, "route", "flush", "table", "local", "10.96.0.0/16")
    await network.ensure()
    assert "10.244.0.1/16" in ip(network.namespace, "address", "show", "dev", "pods")
    assert "10.96.0.0/16" in ip(network.namespace, "route", "show", "table", "local")
    assert (await network.attach("pod")).ip == place.ip


@pytest.mark.asyncio
async def test_a_half_made_pod_is_made_whole(ground):
    network = ground.network
    path = network.namespace.with_name(f"{network.name}-pod")
    network_namespace.create(path)  # as if killed here
    place = await network.attach("pod")
    assert f"inet {place.ip}/16" in ip(place.namespace, "address", "show", "dev", "eth0")
    assert "LOOPBACK,UP" in ip(place.namespace, "link", "show", "lo")


@pytest.mark.asyncio
async def test_the_process_that_enters_reaches_pods_and_still_manages_them(ground):
    network = ground.network

    def enter_and_attach():
        async def inside():
            await network.ensure()
            return await network.attach("pod")

        return asyncio.run(inside())

    place = await asyncio.to_thread(network_namespace.run_inside, network.namespace, enter_and_attach)
    assert network_namespace.exists(place.namespace)
    host = ground.run / "host.netns"
    assert network_namespace.is_current(host)


def test_an_image_without_overlay_on_the_root_is_composed_of_binds(tmp_path):
    layer = tmp_path / "layer"
    for name in ("app/main", "usr/local/bin/tool"):
        (layer / name).parent.mkdir(parents=True, exist_ok=True)
        (layer / name).write_text(name)
    source = RootSource((layer,), host_root=True, hidden=(tmp_path,))
    for number, compose in enumerate((mount_root, mount_root_by_binds)):
        folders = RootFolders(tmp_path / f"container-{number}")
        folders.folder.mkdir()
        try:
            try:
                compose(source, folders)
            except PermissionError:
                pytest.skip("mounting needs root")
            root = folders.root
            assert (root / "app/main").read_text() == "app/main"
            assert (root / "usr/local/bin/tool").read_text() == "usr/local/bin/tool"
            assert (root / "usr/bin/env").exists()
            assert [list((root / name).iterdir()) for name in ("root", "home", "tmp", "run", "proc")] == [[]] * 5
            assert not (root / "etc/shadow").exists()
            (root / "app/new").write_text("x")
            (root / "tmp/new").write_text("x")
        finally:
            unmount_root(folders)
        assert list(folders.root.iterdir()) == []
    assert sorted(path.name for path in (layer / "app").iterdir()) == ["main"]
