"""One behaviour suite for every runtime; then what is loopback isolation's own."""

import asyncio
import contextlib
import os
import signal
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from drumroll.node.containers import ContainerRuntime
from drumroll.node.processes import LoopbackRuntime
from drumroll.node.runtime import ContainerError, ContainerSpec, Mount, SandboxSpec
from tests.node.conftest import eventually, python_image
from tests.node.containers_ground import container_ground

pytestmark = pytest.mark.asyncio
SLEEPER = "import signal, sys, time\nprint('up', flush=True)\nwhile True: time.sleep(60)\n"


@pytest_asyncio.fixture(params=["loopback", pytest.param("container", marks=pytest.mark.container)])
async def grounds(request, home, loopback_network):
    """(runtime, how to make another one as a restarted control plane would)"""
    if request.param == "loopback":
        found = LoopbackRuntime(home / "pods", loopback_network)
        yield found, lambda: LoopbackRuntime(home / "pods", loopback_network)
        for sandbox in await found.list_sandboxes():
            await found.remove_sandbox(sandbox.uid)
        return
    async with container_ground(home) as ground:
        others = []

        def another():
            others.append(ContainerRuntime(ground.pods, ground.run, ground.network))
            return others[-1]

        try:
            yield ground.runtime, another
        finally:
            for other in others:
                other.close()


@pytest.fixture
def runtime(grounds):
    return grounds[0]


@pytest.fixture
def again(grounds):
    return grounds[1]


def sandbox_spec(home):
    uid = str(uuid.uuid4())
    return SandboxSpec("default", "web", uid, home / "pods" / uid, "web")


def container(home, sandbox, program, *args, attempt=0, **changes):
    image = python_image(home, {"/app/main.py": program})
    log_path = sandbox.folder / "logs" / "web" / f"{attempt}.log"
    spec = ContainerSpec("web", attempt, image, ("/usr/bin/python3", "/app/main.py", *args), {}, "/app", log_path)
    return replace(spec, **changes)


def command_lines():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().decode(errors="replace")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_program_runs_logs_and_its_exit_code_is_kept(runtime, home):
    sandbox = await runtime.create_sandbox(sandbox_spec(home))
    spec = container(home, sandbox, "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(7)\n")
    state = await runtime.start_container(sandbox, spec)
    ended = await asyncio.wait_for(runtime.wait_container(state.container_id), 10)
    assert (ended.status, ended.exit_code, ended.oom_killed) == ("exited", 7, False)
    assert ended.started_at <= ended.finished_at
    lines = sorted(line.split(" ", 1)[1] for line in spec.log_path.read_text().splitlines())
    assert lines == ["stderr F err", "stdout F out"]


async def test_a_sandbox_keeps_its_address_and_no_two_share_one(runtime, home):
    spec = sandbox_spec(home)
    first, other = await runtime.create_sandbox(spec), await runtime.create_sandbox(sandbox_spec(home))
    assert (await runtime.create_sandbox(spec)).ip == first.ip != other.ip
    assert {s.uid for s in await runtime.list_sandboxes()} == {first.uid, other.uid}
    await runtime.remove_sandbox(first.uid)
    assert [s.uid for s in await runtime.list_sandboxes()] == [other.uid]
    await runtime.remove_sandbox(first.uid)


async def test_a_signal_ends_the_program_with_128_plus_its_number(runtime, home):
    sandbox = await runtime.create_sandbox(sandbox_spec(home))
    state = await runtime.start_container(sandbox, container(home, sandbox, SLEEPER))
    assert state.status == "running"
    await runtime.signal_container(state.container_id, "SIGKILL")
    ended = await asyncio.wait_for(runtime.wait_container(state.container_id), 10)
    assert ended.exit_code == 137
    await runtime.signal_container(state.container_id, "SIGTERM")


async def test_sigterm_reaches_the_program(runtime, home):
    program = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(3))\nprint('up', flush=True)\n"
    sandbox = await runtime.create_sandbox(sandbox_spec(home))
    spec = container(home, sandbox, program + "while True: time.sleep(60)\n")
    state = await runtime.start_container(sandbox, spec)
    await eventually(lambda: "up" in spec.log_path.read_text())
    await runtime.signal_container(state.container_id, "SIGTERM")
    assert (await asyncio.wait_for(runtime.wait_container(state.container_id), 10)).exit_code == 3


async def test_a_run_remembers_its_stop_signal(runtime, home, again):
    program = "import signal, sys, time\nsignal.signal(signal.SIGRTMIN + 3, lambda *_: sys.exit(3))\n"
    program += "print('up', flush=True)\nwhile True: time.sleep(60)\n"
    sandbox = await runtime.create_sandbox(sandbox_spec(home))
    spec = container(home, sandbox, program, stop_signal="SIGRTMIN+3")
    await runtime.start_container(sandbox, spec)
    await eventually(lambda: "up" in spec.log_path.read_text())
    (found,) = await again().list_containers(sandbox.uid)
    await runtime.signal_container(found.container_id, found.stop_signal)
    assert (await asyncio.wait_for(runtime.wait_container(found.container_id), 10)).exit_code == 3


async def test_another_runtime_object_finds_everything_again(runtime, home, again):
    sandbox = await runtime.create_sandbox(sandbox_spec(home))
    state = await runtime.start_container(sandbox, container(home, sandbox, SLEEPER))
    other = again()
    assert await other.list_sandboxes() == [sandbox]
    (found,) = await other.list_containers(sandbox.uid)
    assert found == state
    waiting = asyncio.create_task(other.wait_container(found.container_id))
    await other.signal_container(found.container_id, "SIGKILL")
    assert (await asyncio.wait_for(waiting, 10)).exit_code == 137


async def test_a_killed_shim_takes_its_program_with_it(loopback, home):
    sandbox = await loopback.create_sandbox(sandbox_spec(home))
    state = await loopback.start_container(sandbox, container(home, sandbox, SLEEPER))
    shim = int(Path(f"/proc/{state.pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(shim, signal.SIGKILL)
    ended = await asyncio.wait_for(loopback.wait_container(state.container_id), 10)
    assert ended.exit_code == 137
    await eventually(lambda: not is_alive(state.pid))


async def test_removing_a_sandbox_ends_its_programs(runtime, home):
    sandbox = await runtime.create_sandbox(sandbox_spec(home))
    state = await runtime.start_container(sandbox, container(home, sandbox, SLEEPER))
    await runtime.remove_sandbox(sandbox.uid)
    await eventually(lambda: not is_alive(state.pid))
    assert not sandbox.folder.exists()


async def test_mounts_appear_below_the_root_and_paths_are_translated(loopback, home):
    (home / "conf").mkdir()
    (home / "conf" / "name").write_text("My Shop")
    program = "import os, sys\nprint(open(sys.argv[1]).read(), os.getcwd().endswith('/app'), os.environ['CONF'])\n"
    sandbox = await loopback.create_sandbox(sandbox_spec(home))
    mounts = (Mount(home / "conf", "/conf", read_only=True),)
    spec = container(home, sandbox, program, "/conf/name", mounts=mounts, env={"CONF": "/conf/name"})
    state = await loopback.start_container(sandbox, spec)
    await asyncio.wait_for(loopback.wait_container(state.container_id), 10)
    assert "stdout F My Shop True /" in spec.log_path.read_text()


async def test_exec_runs_with_the_pods_environment(runtime, home):
    sandbox = await runtime.create_sandbox(sandbox_spec(home))
    state = await runtime.start_container(sandbox, container(home, sandbox, SLEEPER, env={"COLOUR": "red"}))
    result = await runtime.exec(state.container_id, ("sh", "-c", "echo $COLOUR; echo oops >&2; exit 4"), 5)
    assert (result.exit_code, sorted(result.output.split())) == (4, ["oops", "red"])
    with pytest.raises(ContainerError):
        await runtime.exec(state.container_id, ("no-such-command",), 5)
    many = await runtime.exec(state.container_id, ("sh", "-c", "yes | head -c 100000"), 5)
    assert len(many.output) == 10240


async def test_exec_past_its_time_is_killed(runtime, home):
    sandbox = await runtime.create_sandbox(sandbox_spec(home))
    state = await runtime.start_container(sandbox, container(home, sandbox, SLEEPER))
    nap = f"{60 + uuid.uuid4().int % 10**9 / 10**9:.9f}"
    with pytest.raises(TimeoutError):
        await runtime.exec(state.container_id, ("sh", "-c", f"sleep {nap}; true"), 0.5)
    await eventually(lambda: not any(nap in command for command in command_lines()))


async def test_localhost_in_a_command_means_the_pod(loopback, home):
    sandbox = await loopback.create_sandbox(sandbox_spec(home))
    state = await loopback.start_container(sandbox, container(home, sandbox, SLEEPER))
    result = await loopback.exec(state.container_id, ("echo", "http://localhost:9080/", "notlocalhosts"), 5)
    assert result.output == f"http://{sandbox.ip}:9080/ notlocalhosts\n"


@pytest.mark.parametrize("program", ["/no/such/program", "no-such-program", "./main.txt", "/etc/passwd"])
async def test_a_program_that_cannot_be_run_is_not_started(loopback, home, program):
    sandbox = await loopback.create_sandbox(sandbox_spec(home))
    spec = container(home, sandbox, SLEEPER, argv=(program,))
    with pytest.raises(ContainerError, match=f'exec: "{program}": no such file that can be run'):
        await loopback.start_container(sandbox, spec)
    assert await loopback.list_containers(sandbox.uid) == []


async def test_attempts_are_listed_oldest_first_and_a_removed_one_is_gone(runtime, home):
    sandbox = await runtime.create_sandbox(sandbox_spec(home))
    for attempt in (0, 1):
        state = await runtime.start_container(sandbox, container(home, sandbox, "", attempt=attempt))
        await asyncio.wait_for(runtime.wait_container(state.container_id), 10)
    runs = await runtime.list_containers(sandbox.uid)
    assert [run.attempt for run in runs] == [0, 1]
    await runtime.remove_container(runs[0].container_id)
    assert [run.attempt for run in await runtime.list_containers(sandbox.uid)] == [1]
