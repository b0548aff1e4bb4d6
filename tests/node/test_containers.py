import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from drumroll.node import cgroups, containers
from drumroll.node.containers import ContainerRuntime
from drumroll.node.network_namespace import run_inside
from drumroll.node.runtime import ContainerError, Mount
from tests.node.containers_ground import container_ground, traces

pytestmark = [pytest.mark.asyncio, pytest.mark.container]

DEADLINE = 15.0
SERVER = """
import http.server, os, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = socket.gethostname().encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
http.server.HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
SLEEP = ("/bin/sleep", "1000")


@pytest_asyncio.fixture
async def ground(tmp_path):
    async with container_ground(tmp_path / "home") as made:
        yield made


async def eventually(question):
    async with asyncio.timeout(DEADLINE):
        while True:
            if answer := await question():
                return answer
            await asyncio.sleep(0.01)


async def ended(ground, state):
    async with asyncio.timeout(DEADLINE):
        return await ground.runtime.wait_container(state.container_id)


def log_of(spec):
    return [line.split(" ", 1)[1] for line in spec.log_path.read_text().splitlines()]


async def test_a_program_runs_and_its_output_and_exit_code_are_kept(ground):
    sandbox = await ground.sandbox()
    spec = ground.spec("/bin/sh", "-c", "echo out; echo err >&2; exit 7")
    state = await ground.runtime.start_container(sandbox, spec)
    assert (state.status, state.name, state.attempt, state.pod_uid) == ("running", "web", 0, sandbox.uid)
    final = await ended(ground, state)
    assert (final.status, final.exit_code, final.oom_killed) == ("exited", 7, False)
    assert final.finished_at is not None
    assert final.started_at == state.started_at
    assert sorted(log_of(spec)) == ["stderr F err", "stdout F out"]


async def test_the_exit_is_announced_and_not_waited_for(ground, monkeypatch):
    monkeypatch.setattr(containers, "_RECHECK_SECONDS", 3600)
    sandbox = await ground.sandbox()
    state = await ground.start(sandbox, *SLEEP)
    waiting = asyncio.create_task(ground.runtime.wait_container(state.container_id))
    await asyncio.sleep(0)
    await ground.runtime.signal_container(state.container_id, "SIGKILL")
    async with asyncio.timeout(DEADLINE):
        assert (await waiting).exit_code == 137


async def test_a_signal_reaches_the_program(ground):
    program = "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(3))\nprint('up')\nsignal.pause()\n"
    spec = ground.spec("/usr/bin/python3", "-u", "/app/a.py", files={"app/a.py": program})
    state = await ground.runtime.start_container(await ground.sandbox(), spec)

    async def is_up():
        return spec.log_path.exists() and log_of(spec)

    await eventually(is_up)
    await ground.runtime.signal_container(state.container_id, "SIGTERM")
    assert (await ended(ground, state)).exit_code == 3
    await ground.runtime.signal_container(state.container_id, "SIGTERM")  # an exited one is fine


async def test_a_program_past_its_memory_limit_is_killed_and_known_for_it(ground):
    program = "x = bytearray()\nwhile True: x += b'x' * (1 << 20)\n"
    state = await ground.start(await ground.sandbox(), "/usr/bin/python3", "-c", program, memory_limit=32 << 20)
    final = await ended(ground, state)
    assert (final.exit_code, final.oom_killed) == (137, True)


async def test_limits_and_requests_are_in_force(ground):
    sandbox = await ground.sandbox()
    state = await ground.start(sandbox, *SLEEP, cpu_limit=0.25, cpu_request=0.5, memory_limit=64 << 20)
    path = f"/{ground.network.name}/{sandbox.uid}/{state.container_id}"
    facts = {}
    for folder in cgroups.folders(path):
        for name in ("cpu.cfs_quota_us", "cpu.shares", "memory.limit_in_bytes", "cpu.max", "memory.max", "pids.max"):
            if (folder / name).exists():
                facts[name] = (folder / name).read_text().strip()
    if cgroups.is_unified():
        assert facts["cpu.max"] == "25000 100000"
        assert facts["memory.max"] == str(64 << 20)
    else:
        assert (facts["cpu.cfs_quota_us"], facts["cpu.shares"]) == ("25000", "512")
        assert facts["memory.limit_in_bytes"] == str(64 << 20)
    assert facts["pids.max"] == str(cgroups.PIDS_LIMIT)


async def test_pods_listen_on_the_same_port_and_reach_each_other(ground):
    first, second = await ground.sandbox(hostname="one"), await ground.sandbox(hostname="two")
    files = {"app/server.py": SERVER}
    await asyncio.gather(
        *(ground.start(pod, "/usr/bin/python3", "/app/server.py", files=files) for pod in (first, second))
    )

    def fetch(ip):
        import urllib.request

        with urllib.request.urlopen(f"http://{ip}:8080/", timeout=2) as answer:
            return answer.read().decode()

    async def answer(namespace, ip):
        try:
            return await asyncio.to_thread(run_inside, namespace, lambda: fetch(ip))
        except OSError:
            return None

    assert first.ip != second.ip
    for pod, name in ((first, "one"), (second, "two")):
        assert await eventually(lambda pod=pod: answer(ground.network.namespace, pod.ip)) == name
        assert await answer(pod.network_namespace, "127.0.0.1") == name
    assert await answer(first.network_namespace, second.ip) == "two"


async def test_service_addresses_are_local_in_the_clusters_namespace(ground):
    import socket

    def bind():
        with socket.create_server(("10.96.3.4", 80)) as server:
            return server.getsockname()

    assert await asyncio.to_thread(run_inside, ground.network.namespace, bind) == ("10.96.3.4", 80)


async def test_the_pods_files_name_it_and_its_dns(ground):
    sandbox = await ground.sandbox(namespace="shop", hostname="web-0", host_aliases={"db": "10.0.0.9"})
    spec = ground.spec("/bin/sh", "-c", "hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf")
    await ended(ground, await ground.runtime.start_container(sandbox, spec))
    lines = [line.removeprefix("stdout F ") for line in log_of(spec)]
    assert lines[:2] == ["web-0", "web-0"]
    assert f"{sandbox.ip}\tweb-0" in lines
    assert "10.0.0.9\tdb" in lines
    assert "nameserver 10.96.0.10" in lines
    assert "search shop.svc.cluster.local svc.cluster.local cluster.local" in lines


async def test_an_image_on_the_host_hides_what_is_private_and_changes_nothing(ground):
    marker = Path(f"/usr/local/drumroll-{ground.network.name}")
    script = (
        f"ls -A /root /home /run /tmp; ls /etc/shadow {ground.home}; echo x > {marker}; echo x > /root/x; cat /app/f"
    )
    spec = ground.spec("/bin/sh", "-c", script, files={"app/f": "from the image\n"})
    await ended(ground, await ground.runtime.start_container(await ground.sandbox(), spec))
    out = [line.removeprefix("stdout F ") for line in log_of(spec) if line.startswith("stdout")]
    assert [line for line in out if line and not line.endswith(":")] == ["from the image"]
    assert not marker.exists()


async def test_volumes_are_shown_and_read_only_ones_kept(ground):
    for name in ("conf", "data"):
        (ground.home / name).mkdir()
    (ground.home / "conf" / "name").write_text("My Shop\n")
    mounts = (Mount(ground.home / "conf", "/conf", read_only=True), Mount(ground.home / "data", "/data/deep"))
    script = "cat /conf/name; echo saved > /data/deep/file; echo no > /conf/name || echo refused"
    spec = ground.spec("/bin/sh", "-c", script, mounts=mounts)
    await ended(ground, await ground.runtime.start_container(await ground.sandbox(), spec))
    assert [line for line in log_of(spec) if line.startswith("stdout")] == ["stdout F My Shop", "stdout F refused"]
    assert (ground.home / "data" / "file").read_text() == "saved\n"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param({"working_dir": "/srv/new"}, "/srv/new 0 0 -", id="a working folder that does not exist yet"),
        pytest.param({"user": "1234"}, "/ 1234 0 -", id="a user number"),
        pytest.param({"user": "nobody"}, "/ 65534 65534 -", id="a user name of the image"),
        pytest.param({"user": "7:8"}, "/ 7 8 -", id="a user and a group"),
        pytest.param({"env": {"COLOUR": "red"}}, "/ 0 0 red", id="a variable"),
    ],
)
async def test_the_program_runs_as_told(ground, changes, line):
    spec = ground.spec("/bin/sh", "-c", "echo $PWD $(id -u) $(id -g) ${COLOUR:--}", **changes)
    await ended(ground, await ground.runtime.start_container(await ground.sandbox(), spec))
    assert log_of(spec) == [f"stdout F {line}"]


@pytest.mark.parametrize(
    ("argv", "changes", "message"),
    [
        pytest.param(("/no/such",), {}, "no such file or directory", id="no program"),
        pytest.param(("no-such",), {}, "executable file not found in", id="no program in PATH"),
        pytest.param(("/bin/true",), {"user": "nobody-here"}, "unable to find user nobody-here", id="no such user"),
        pytest.param(("/bin/true",), {"mounts": (Mount(Path("/gone"), "/x"),)}, "/gone", id="no source of a mount"),
    ],
)
async def test_what_cannot_start_says_why_and_may_be_tried_again(ground, argv, changes, message):
    sandbox = await ground.sandbox()
    spec = ground.spec(*argv, **changes)
    for _ in range(2):
        with pytest.raises(ContainerError, match=message):
            await ground.runtime.start_container(sandbox, spec)
    assert await ground.runtime.list_containers(sandbox.uid) == []


async def test_starting_the_same_run_again_finds_it(ground):
    sandbox = await ground.sandbox()
    spec = ground.spec(*SLEEP)
    first = await ground.runtime.start_container(sandbox, spec)
    again = await ground.runtime.start_container(sandbox, spec)
    assert (again.container_id, again.pid) == (first.container_id, first.pid)
    later = await ground.runtime.start_container(sandbox, replace(spec, attempt=1))
    assert later.container_id != first.container_id
    listed = await ground.runtime.list_containers(sandbox.uid)
    assert [state.attempt for state in listed] == [0, 1]
    await ground.runtime.remove_container(first.container_id)
    assert [state.attempt for state in await ground.runtime.list_containers(sandbox.uid)] == [1]


async def test_exec_sees_the_containers_world(ground):
    state = await ground.start(await ground.sandbox(), *SLEEP, env={"COLOUR": "red"})
    run = ground.runtime.exec
    result = await run(state.container_id, ("sh", "-c", "echo $COLOUR; echo err >&2; hostname; exit 4"), 10)
    assert (result.exit_code, sorted(result.output.splitlines())) == (4, ["err", "red", "web"])
    many = await run(state.container_id, ("sh", "-c", "yes | head -c 300000"), 10)
    assert (many.exit_code, len(many.output)) == (0, 10240)


async def test_a_container_beside_another_sees_its_processes(ground):
    sandbox = await ground.sandbox()
    first = await ground.start(sandbox, *SLEEP)
    look = ("sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '")
    for name, beside, seen in (("look", first.container_id, "/bin/sleep 1000"), ("alone", "", "sh -c")):
        spec = ground.spec(*look, name=name, beside=beside)
        await ended(ground, await ground.runtime.start_container(sandbox, spec))
        assert f" {seen}" in spec.log_path.read_text()


async def test_exec_of_what_is_not_there_or_not_running_is_an_error(ground):
    state = await ground.start(await ground.sandbox(), *SLEEP)
    with pytest.raises(ContainerError, match="no-such"):
        await ground.runtime.exec(state.container_id, ("no-such",), 10)
    await ground.runtime.signal_container(state.container_id, "SIGKILL")
    await ended(ground, state)
    with pytest.raises(ContainerError, match="not running"):
        await ground.runtime.exec(state.container_id, ("true",), 10)


async def test_exec_past_its_time_is_killed_with_its_children(ground):
    state = await ground.start(await ground.sandbox(), *SLEEP)
    with pytest.raises(TimeoutError):
        await ground.runtime.exec(state.container_id, ("sh", "-c", "sleep 777 & sleep 777"), 0.5)

    async def is_gone():
        shown = await ground.runtime.exec(state.container_id, ("sh", "-c", "cat /proc/[0-9]*/cmdline"), 10)
        return "777" not in shown.output.replace("\0", " ")

    await eventually(is_gone)


STARTER = """
import asyncio, json, os, sys
from pathlib import Path
from drumroll.node.containers import ContainerRuntime
from drumroll.node.network import PodNetwork
from drumroll.node.runtime import ContainerSpec, RootImage, SandboxSpec
from drumroll.objects.network import CONTAINER_PODS, CONTAINER_SERVICES, ClusterNetwork

async def main(name, home, run):
    cluster = ClusterNetwork("container", CONTAINER_PODS, CONTAINER_SERVICES, "127.0.0.1", 0, 0,
                             namespace=Path("/run/netns") / name)
    runtime = ContainerRuntime(home / "pods", run, PodNetwork(name, cluster, run))
    sandbox = await runtime.create_sandbox(SandboxSpec("default", "web", "uid-1", home / "pods" / "uid-1", "web"))
    argv = ("/bin/sh", "-c", "while true; do echo tick; sleep 0.05; done")
    spec = ContainerSpec("web", 0, RootImage("x", "sha256:0", (), True), argv, {}, "/", home / "logs" / "web.log")
    state = await runtime.start_container(sandbox, spec)
    print(json.dumps({"id": state.container_id, "pid": state.pid, "ip": sandbox.ip}), flush=True)
    await asyncio.sleep(1000)

asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
"""


async def test_containers_outlive_the_process_that_started_them(ground):
    command = [sys.executable, "-c", STARTER, ground.network.name, str(ground.home), str(ground.run)]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        said = json.loads(await asyncio.to_thread(starter.stdout.readline))
    finally:
        os.killpg(starter.pid, signal.SIGKILL)
        starter.wait()
        starter.stdout.close()
    log = ground.home / "logs" / "web.log"
    before = log.stat().st_size

    async def has_grown():
        return log.stat().st_size > before + 200

    await eventually(has_grown)
    runtime = ContainerRuntime(ground.pods, ground.run, ground.network)
    (sandbox,) = await runtime.list_sandboxes()
    assert (sandbox.uid, sandbox.ip) == ("uid-1", said["ip"])
    (state,) = await runtime.list_containers("uid-1")
    assert (state.container_id, state.pid, state.status) == (said["id"], said["pid"], "running")
    assert (await runtime.exec(state.container_id, ("hostname",), 10)).output == "web\n"
    await runtime.signal_container(state.container_id, "SIGKILL")
    async with asyncio.timeout(DEADLINE):
        assert (await runtime.wait_container(state.container_id)).exit_code == 137


async def test_an_exit_without_conmon_is_noticed_all_the_same(ground):
    sandbox = await ground.sandbox()
    state = await ground.start(sandbox, *SLEEP)
    conmon = int((ground.pods / sandbox.uid / "sandbox/containers" / state.container_id / "conmon.pid").read_text())
    os.kill(conmon, signal.SIGKILL)
    await ground.runtime.signal_container(state.container_id, "SIGKILL")

    async def has_exited():
        (now,) = await ground.runtime.list_containers(sandbox.uid)
        return now.status == "exited" and now.exit_code == 137

    await eventually(has_exited)


async def test_a_half_made_container_is_made_again(ground):
    sandbox = await ground.sandbox()
    spec = ground.spec("/bin/sh", "-c", "echo ran")
    first = await ground.runtime.start_container(sandbox, spec)
    await ended(ground, first)
    (ground.pods / sandbox.uid / "sandbox/containers" / first.container_id / "run.json").unlink()
    assert (await ended(ground, await ground.runtime.start_container(sandbox, spec))).exit_code == 0
    assert log_of(spec) == ["stdout F ran", "stdout F ran"]


async def test_removing_leaves_nothing(ground):
    pods = await asyncio.gather(*(ground.sandbox() for _ in range(4)))
    await asyncio.gather(*(ground.start(pod, *SLEEP) for pod in pods))
    assert traces(ground) != []
    await asyncio.gather(*(ground.runtime.remove_sandbox(pod.uid) for pod in pods))
    await ground.runtime.remove_sandbox(pods[0].uid)
    await ground.runtime.remove_sandbox("never-heard-of")
    assert await ground.runtime.list_sandboxes() == []
    ground.network.remove()
    assert traces(ground) == []
    ground.network.remove()


async def test_a_sandbox_that_a_reboot_took_gets_a_namespace_again(ground):
    spec = ground.sandbox_spec()
    sandbox = await ground.runtime.create_sandbox(spec)
    ground.network.remove()
    await ground.network.ensure()
    (found,) = await ground.runtime.list_sandboxes()
    assert (found.uid, found.network_namespace.exists()) == (sandbox.uid, True)
    await ended(ground, await ground.start(found, "/bin/true"))


async def test_a_start_that_is_cancelled_leaves_nothing_and_may_be_repeated(ground):
    sandbox = await ground.sandbox()
    spec = ground.spec("/bin/sh", "-c", "sleep 0.2; echo ran")
    for delay in (0.005, 0.02, 0.04):
        starting = asyncio.create_task(ground.runtime.start_container(sandbox, spec))
        await asyncio.sleep(delay)
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
    assert (await ended(ground, await ground.runtime.start_container(sandbox, spec))).exit_code == 0
    assert log_of(spec)[-1] == "stdout F ran"
