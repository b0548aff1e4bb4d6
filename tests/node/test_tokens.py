"""The node keeps a pod's token until most of its life is over, and then asks for another."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from drumroll.apiserver.server import ApiServer
from drumroll.client.client import Client
from drumroll.client.inprocess import InProcessTransport
from drumroll.node.processes_root import assemble_root
from drumroll.node.runtime import Mount
from drumroll.node.tokens import Tokens
from drumroll.objects.errors import NotFound
from drumroll.objects.wire import User
from drumroll.store.memory import MemoryStore

START = datetime(2026, 1, 1, tzinfo=UTC)
ADMIN = User("test", ("system:masters",))


@pytest.mark.asyncio
async def test_a_token_is_kept_until_it_is_worn():
    api = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=lambda: START)
    await api.prepare()
    client = Client(InProcessTransport(api.handle, ADMIN))
    meta = {"name": "default", "namespace": "default"}
    await client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "name": "p"}}
    pod = await client.create({**pod, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    tokens, source = Tokens(), {"expirationSeconds": 1000, "path": "token"}

    async def at(seconds, **more):
        return await tokens.token(client, pod, {**source, **more}, START + timedelta(seconds=seconds))

    first = await at(0)
    assert await at(799) == first
    assert tokens.worn(START + timedelta(seconds=799)) == []
    assert tokens.worn(START + timedelta(seconds=800)) == [pod["metadata"]["uid"]]
    assert await at(0, audience="vault") != first
    assert await at(800) != first
    tokens.forget(pod["metadata"]["uid"])
    assert tokens.worn(START + timedelta(days=1)) == []
    gone = {**pod, "metadata": {**pod["metadata"], "name": "gone", "uid": "u"}}
    with pytest.raises(NotFound):
        await tokens.token(client, gone, source, START)


@pytest.mark.parametrize("link", ["/run", "../run", "../../../../../run"])
def test_a_mount_stays_below_the_container_s_root_whatever_the_image_links(tmp_path: Path, link: str):
    layer, source = tmp_path / "layer", tmp_path / "source"
    (layer / "var").mkdir(parents=True)
    (layer / "run").mkdir()
    (layer / "var" / "run").symlink_to(link)
    source.mkdir()
    target = f"/var/run/drumroll-test-{tmp_path.name}/account"
    root = assemble_root(tmp_path / "root", [layer], [Mount(source, target)])
    assert (root.folder / target.removeprefix("/var/")).readlink() == source
    assert not Path(target).parent.exists()
