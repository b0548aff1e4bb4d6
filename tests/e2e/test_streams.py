"""exec, attach, cp, port-forward and logs, typed at whole clusters with real clients."""

import concurrent.futures
import contextlib
import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import run_bytes
from tests.e2e.cluster import KUBECTL, Cluster
from tests.e2e.elder_kubectl import elder_kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.kubectl]

DOCKERFILE = 'FROM host\nWORKDIR /data\nCOPY hello.txt /data/hello.txt\nCMD ["/bin/sh", "-c", "sleep 100000"]\n'
SERVE = "exec python3 -u -m http.server 8000 --bind ${HOST:-127.0.0.1} --directory /data/files"
TICK = "n=0; while true; do n=$((n+1)); echo tick $n; sleep 0.2; done"


def pod(name: str, *containers: dict[str, object], **spec: object) -> dict[str, object]:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": list(containers), **spec},
    }  # fmt: skip


def container(name: str, command: str = "sleep 100000", **more: object) -> dict[str, object]:
    return {"name": name, "image": "box:1", "command": ["/bin/sh", "-c", command], **more}


class Shell:
    """kubectl of one version at one cluster."""

    def __init__(self, cluster: Cluster, binary: str) -> None:
        self.cluster = cluster
        self.command = [binary, "--kubeconfig", str(cluster.kubeconfig)]
        self.environment = {**os.environ, "HOME": str(cluster.home), "KUBECACHEDIR": str(cluster.home / "cache")}

    def run(self, *arguments: str, stdin: bytes = b"", timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
        command = [*self.command, *arguments]
        return run_bytes(command, stdin=stdin, timeout=timeout, environment=self.environment, check=False)

    def says(self, *arguments: str, stdin: bytes = b"") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done
        return done.stdout.decode()

    @contextlib.contextmanager
    def open(self, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
        process = subprocess.Popen(
            [*self.command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self.environment,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate(timeout=10)

    @contextlib.contextmanager
    def forward(self, what: str, port: int) -> Iterator[int]:
        """A local port that leads to a port of a pod."""
        with self.open("port-forward", what, f":{port}") as process:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            found = re.search(r"127\.0\.0\.1:(\d+) ->", line)
            assert found, line + process.stdout.read1().decode()  # type: ignore[attr-defined]
            yield int(found[1])


@pytest.fixture
def boxes(cluster: Cluster, tmp_path: Path) -> Cluster:
    """A cluster with three pods: one to type in, one that serves files, and one with two containers that log."""
    context = tmp_path / "image"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "hello.txt").write_text("hello from the image\n")
    cluster.drumroll("image", "build", str(context), "-t", "box:1")
    web = container("web", f"mkdir -p /data/files; head -c 3000000 /dev/zero > /data/files/zeros; {SERVE}")
    if cluster.isolation == "loopback":
        web = container(
            "web", f"mkdir -p files; head -c 3000000 /dev/zero > files/zeros; {SERVE}".replace("/data/", "")
        )
    apply(
        cluster,
        pod("box", container("box")),
        pod("web", web),
        pod("ticks", container("one", TICK), container("two", TICK)),
    )
    cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s")
    return cluster


@pytest.fixture(params=["newer", "elder"])
def shell(request: pytest.FixtureRequest, boxes: Cluster) -> Shell:
    """kubectl as installed (WebSocket), and Debian's 1.20 (SPDY)."""
    return Shell(boxes, str(KUBECTL) if request.param == "newer" else elder_kubectl())


def apply(cluster: Cluster, *objects: dict[str, object]) -> None:
    import json

    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def running(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[0] == word.encode():
                found.append(path.parent.name)
    return found


def control_plane_descriptors(cluster: Cluster) -> int:
    return len(list(Path(f"/proc/{cluster.part('apiserver')['pid']}/fd").iterdir()))


def test_exec_cp_attach_and_forward(shell: Shell, tmp_path: Path) -> None:
    """One cluster per client and isolation: starting it takes longer than all of this."""
    _exec(shell)
    _copy(shell, tmp_path)
    _terminal(shell)
    _disconnect(shell)
    _attach(shell)
    _forward(shell)
    _run(shell)


def _exec(shell: Shell) -> None:
    done = shell.run("exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert done.stderr.startswith(b"err\n")
    assert shell.says("exec", "box", "--", "cat", "hello.txt") == "hello from the image\n"
    assert shell.says("exec", "-i", "box", "--", "wc", "-c", stdin=b"x" * 2_000_000).strip() == "2000000"
    lost = shell.run("exec", "box", "-c", "nobody", "--", "true")
    assert lost.stderr == b"Error from server (BadRequest): container nobody is not valid for pod box\n"
    missing = shell.run("exec", "box", "--", "no-such-command")
    assert missing.returncode == 1
    assert b'exec: "no-such-command": executable file not found in $PATH' in missing.stderr
    assert b'pods "nobody" not found' in shell.run("exec", "nobody", "--", "true").stderr


def _copy(shell: Shell, folder: Path) -> None:
    tree = folder / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "noise").write_bytes(os.urandom(3_000_000))
    (tree / "text").write_text("text\n")
    assert shell.run("cp", str(tree), "box:/data/tree").returncode == 0
    assert shell.says("exec", "box", "--", "sh", "-c", "cat /data/tree/text || cat tree/text") == "text\n"
    assert shell.run("cp", "box:/data/tree", str(folder / "back")).returncode == 0
    digests = [hashlib.sha256((place / "deep/noise").read_bytes()).digest() for place in (tree, folder / "back")]
    assert digests[0] == digests[1]


def _terminal(shell: Shell) -> None:
    """In tmux, as a person would: type, resize, leave."""
    if shutil.which("tmux") is None:
        return
    name = f"drumroll-{uuid.uuid4().hex[:8]}"
    tmux = ["tmux", "-L", name]
    command = " ".join([*shell.command, "exec", "-it", "box", "--", "bash", "--norc"])

    def screen() -> str:
        return subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False).stdout

    def type_keys(*keys: str) -> None:
        subprocess.run([*tmux, "send-keys", *keys], check=True)

    subprocess.run([*tmux, "new-session", "-d", "-x", "100", "-y", "30", command], env=shell.environment, check=True)
    try:
        shell.cluster.until(lambda: re.search(r"[$#] $", screen().rstrip("\n") + " "), "a prompt")
        type_keys("stty size", "Enter")
        shell.cluster.until(lambda: "30 100" in screen(), "the terminal's size")
        subprocess.run([*tmux, "resize-window", "-x", "90", "-y", "20"], check=True)
        time.sleep(0.3)  # kubectl looks at its terminal's size four times a second
        type_keys("stty size", "Enter")
        shell.cluster.until(lambda: "20 90" in screen(), "the new size")
        type_keys("sleep 1000", "Enter")
        type_keys("C-c")
        type_keys("echo $((6*7))", "Enter")
        shell.cluster.until(lambda: "\n42" in screen(), "the shell after ^C")
        type_keys("exit", "Enter")
        shell.cluster.until(
            lambda: subprocess.run([*tmux, "ls"], capture_output=True, check=False).returncode, "the end of kubectl"
        )
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)


def _disconnect(shell: Shell) -> None:
    """A command ends with its client, also when it does not read its input and ignores signals."""
    before = control_plane_descriptors(shell.cluster)
    word = f"word-{uuid.uuid4().hex}"
    script = f"trap '' HUP TERM INT; exec -a {word} sleep 1000"
    for options in (["-i"], []):
        with shell.open("exec", *options, "box", "--", "bash", "-c", script) as process:
            shell.cluster.until(lambda: running(word), "the command")
            if options and process.stdin is not None:
                _flood(shell, process.stdin.fileno())
            process.send_signal(signal.SIGKILL)
        shell.cluster.until(lambda: not running(word), "no command left", 10)
    shell.cluster.until(lambda: control_plane_descriptors(shell.cluster) <= before + 2, "no descriptor left", 15)


def _flood(shell: Shell, number: int) -> None:
    """Send so much that the server's window closes: the end of the connection stays behind it then."""
    os.set_blocking(number, False)
    sent = 0

    def is_sent() -> bool:
        nonlocal sent
        with contextlib.suppress(BlockingIOError):
            while sent < 3_000_000:
                sent += os.write(number, b"x" * 65536)
        return sent >= 3_000_000

    shell.cluster.until(is_sent, "megabytes on their way", 20)


def _attach(shell: Shell) -> None:
    with shell.open("attach", "ticks", "-c", "two") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().decode() for _ in range(5)]
    ticks = [int(line.split()[1]) for line in lines if line.startswith("tick")]
    assert len(ticks) >= 3
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))


def _forward(shell: Shell) -> None:
    def get(port: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", "/zeros")
            return len(connection.getresponse().read())
        finally:
            connection.close()

    with shell.forward("pod/web", 8000) as port, concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert list(pool.map(get, [port] * 30)) == [3_000_000] * 30
    shell.cluster.kubectl("expose", "pod", "web", "--port=80", "--target-port=8000", check=False)
    with shell.forward("service/web", 80) as port:
        assert get(port) == 3_000_000
    with shell.forward("pod/web", 9) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        assert sock.recv(1) == b""


def _run(shell: Shell) -> None:
    name = f"once-{uuid.uuid4().hex[:6]}"
    arguments = ("run", name, "-i", "--rm", "--restart=Never", "--image=box:1", "--command", "--")
    done = shell.run(*arguments, "sh", "-c", "read line; echo got $line; exit 4", stdin=b"hello\n")
    assert b"got hello" in done.stdout
    assert done.returncode in (0, 4)  # 1.20 and attach that fell back to logs tell no code
    assert shell.run("get", "pod", name).returncode == 1


def test_logs(boxes: Cluster) -> None:
    shell = Shell(boxes, str(KUBECTL))
    assert shell.says("logs", "ticks", "-c", "one", "--tail=2").startswith("tick ")
    first = shell.says("logs", "ticks", "-c", "one").splitlines()[0]
    assert first == "tick 1"
    assert shell.says("logs", "ticks", "-c", "one", "--limit-bytes=4") == "tick"
    stamped = shell.says("logs", "ticks", "-c", "one", "--timestamps", "--tail=1")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z tick \d+\n$", stamped)
    boxes.until(lambda: len(shell.says("logs", "ticks", "-c", "one").splitlines()) > 15, "three seconds of log")
    recent = shell.says("logs", "ticks", "-c", "one", "--since=1s").splitlines()
    assert 3 <= len(recent) <= 8
    moment = shell.says("logs", "ticks", "-c", "one", "--timestamps").splitlines()[10].split()[0]
    later = shell.says("logs", "ticks", "-c", "one", f"--since-time={moment}").splitlines()
    assert "tick 11" in later  # kubectl sends whole seconds
    assert "tick 5" not in later
    assert "Defaulted container" in shell.run("logs", "ticks", "--tail=1").stderr.decode()
    both = shell.says("logs", "-l", "app=ticks", "--all-containers", "--prefix", "--tail=1")
    assert sorted(re.findall(r"^\[pod/ticks/(\w+)\] tick", both, re.MULTILINE)) == ["one", "two"]
    with shell.open("logs", "-f", "-l", "app in (ticks)", "--all-containers", "--prefix", "--tail=0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().decode() for _ in range(20)]
    assert {line.split("]")[0] for line in lines} == {"[pod/ticks/one", "[pod/ticks/two"}
    _previous(boxes, shell)
    negative = shell.run("logs", "ticks", "-c", "one", "--limit-bytes=-1")
    assert b"must be greater than 0" in negative.stderr
    refused = shell.run("logs", "ticks", "-c", "nobody")
    assert b"container nobody is not valid for pod ticks" in refused.stderr


def test_a_container_is_added_to_look_at_a_running_pod(boxes: Cluster) -> None:
    shell = Shell(boxes, str(KUBECTL))
    look = ("--image=box:1", "--target=web", "--profile=general", "--container")
    done = shell.run("debug", "web", "-i", *look, "first", "--", "sh", "-c", "read line; echo got $line", stdin=b"hi\n")
    assert b"got hi" in done.stdout, done.stderr
    shell.says("debug", "web", *look, "second", "--", "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline; sleep 100000")
    boxes.until(lambda: shell.run("logs", "web", "-c", "second").returncode == 0, "the second one's start")
    if boxes.isolation == "container":
        boxes.until(lambda: "http.server" in shell.says("logs", "web", "-c", "second"), "the web server's own words")
    assert shell.says("exec", "web", "-c", "second", "--", "echo", "here") == "here\n"
    assert "Ephemeral Containers:" in shell.says("describe", "pod", "web")
    assert shell.says("get", "pod", "web").split()[6:8] == ["1/1", "Running"]
    shell.says("delete", "pod", "web", "--wait", "--timeout=20s")


def _previous(cluster: Cluster, shell: Shell) -> None:
    apply(cluster, pod("crash", container("crash", "echo begin; test -e again && sleep 1000; touch again; exit 7")))
    cluster.until(
        lambda: cluster.get("pod", "crash")["status"].get("containerStatuses", [{}])[0].get("lastState"), "a crash"
    )
    cluster.until(lambda: shell.run("logs", "crash", "--previous").stdout == b"begin\n", "the log of the crash")
    assert b'previous terminated container "box" in pod "box" not found' in shell.run("logs", "box", "-p").stderr
