"""Streams as libraries speak them: plain WebSockets, in all versions of the protocol; and what is refused."""

import base64
import contextlib
import http.client
import json
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import yaml
from websockets.sync.client import ClientConnection, connect

from tests.e2e.cluster import Cluster

pytestmark = pytest.mark.e2e

DOCKERFILE = 'FROM host\nCMD ["/bin/sh", "-c", "sleep 100000"]\n'
SERVE = "exec python3 -u -m http.server 8000 --bind ${HOST:-127.0.0.1}"


class Api:
    """The cluster's API, as a program with the user's certificate sees it."""

    def __init__(self, cluster: Cluster) -> None:
        found = yaml.safe_load(cluster.kubeconfig.read_text())
        self.server = urlsplit(found["clusters"][0]["cluster"]["server"]).netloc
        self.context = ssl.create_default_context(
            cadata=_text(found["clusters"][0]["cluster"], "certificate-authority")
        )
        user, folder = found["users"][0]["user"], cluster.home
        for name in ("client-certificate", "client-key"):
            (folder / name).write_text(_text(user, name))
        self.context.load_cert_chain(folder / "client-certificate", folder / "client-key")

    @contextlib.contextmanager
    def open(self, what: str, protocol: str | None, *query: tuple[str, str]) -> Iterator[ClientConnection]:
        url = f"wss://{self.server}/api/v1/namespaces/default/pods/box/{what}?{urlencode(query)}"
        subprotocols = [protocol] if protocol else None
        with connect(url, ssl=self.context, subprotocols=subprotocols, open_timeout=20) as found:  # type: ignore[arg-type]
            assert found.subprotocol == protocol
            yield found

    def plain(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPSConnection(self.server, context=self.context, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, f"/api/v1/namespaces/default/pods/{path}", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


def _text(entry: dict[str, str], name: str) -> str:
    return (
        base64.b64decode(entry[f"{name}-data"]).decode() if f"{name}-data" in entry else Path(entry[name]).read_text()
    )


@pytest.fixture
def api(new_cluster, tmp_path: Path) -> Api:
    cluster = new_cluster("loopback")
    cluster.up()
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "Dockerfile").write_text(DOCKERFILE)
    cluster.drumroll("image", "build", str(tmp_path / "image"), "-t", "box:1")
    containers = [{"name": "box", "image": "box:1", "command": ["/bin/sh", "-c", SERVE]}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "box"}, "spec": {"containers": containers}}
    other = {**pod, "metadata": {"name": "waiting"}, "spec": {"containers": [{"name": "box", "image": "none:1"}]}}
    for each in (pod, other):
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(each))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    return Api(cluster)


def command(script: str, *streams: str) -> list[tuple[str, str]]:
    return [*((name, "true") for name in streams), *(("command", part) for part in ("sh", "-c", script))]


def received(socket: ClientConnection) -> dict[int, bytes]:
    """All that comes until the server closes, by channel."""
    found: dict[int, bytes] = {}
    for message in socket:
        data = message if isinstance(message, bytes) else message.encode()
        found[data[0]] = found.get(data[0], b"") + data[1:]
    return found


def test_libraries(api: Api) -> None:
    """One cluster for all: starting it takes longer."""
    _commands(api)
    _ends_of_input(api)
    _forwarding(api)
    _refusals(api)


def _commands(api: Api) -> None:
    query = command("echo out; echo err >&2; exit 3", "stdout", "stderr")
    with api.open("exec", "v4.channel.k8s.io", *query) as socket:
        found = received(socket)
    assert (found[1], found[2]) == (b"out\n", b"err\n")
    status = json.loads(found[3])
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    for elder in ("channel.k8s.io", None):
        with api.open("exec", elder, *query) as socket:
            found = received(socket)
        assert found[1] == b"out\n"
        assert b"exit code 3" in found[3]
    with api.open("exec", "base64.channel.k8s.io", *query) as socket:
        found = received(socket)
    assert base64.b64decode(found[ord("1")]) == b"out\n"


def _ends_of_input(api: Api) -> None:
    with api.open("exec", "v5.channel.k8s.io", *command("wc -c", "stdin", "stdout")) as socket:
        socket.send([b"\0hello ", b"in two fragments"])
        socket.send(b"\xff\0")
        found = received(socket)
    assert found[1].strip() == b"22"
    assert json.loads(found[3])["status"] == "Success"
    with api.open("exec", "v4.channel.k8s.io", *command("read line; echo got $line", "stdin", "stdout")) as socket:
        socket.send(b"\0line\n")
        assert received(socket)[1] == b"got line\n"
        assert socket.close_code == 1000


def _forwarding(api: Api) -> None:
    with api.open("portforward", "v4.channel.k8s.io", ("ports", "8000"), ("ports", "9")) as socket:
        socket.send(b"\0GET / HTTP/1.0\r\n\r\n")
        found = received(socket)
    assert found[0].startswith(struct.pack("<H", 8000) + b"HTTP/1.0 200 OK")
    assert found[1] == struct.pack("<H", 8000)
    assert found[2] == struct.pack("<H", 9)
    assert b"connection refused" in found[3]


def _refusals(api: Api) -> None:
    status, body = api.plain("GET", "box/exec?command=true&stdout=true")
    assert (status, json.loads(body)["message"]) == (400, "Upgrade request required")
    status, body = api.plain("POST", "box/exec?command=true", Connection="Upgrade", Upgrade="SPDY/3.1")
    assert (status, json.loads(body)["message"]) == (400, "you must specify at least 1 of stdin, stdout, stderr")
    spdy = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v9.channel.k8s.io"}
    assert api.plain("POST", "box/exec?command=true&stdout=true", **spdy)[0] == 403
    assert api.plain("POST", "waiting/exec?command=true&stdout=true", **spdy) == (500, 'container not found ("box")')
    assert api.plain("DELETE", "box/exec")[0] == 405
