"""Commands and views of containers for somebody who is connected: one behaviour suite for both runtimes."""

import asyncio
import contextlib
import uuid
from pathlib import Path

import pytest
import pytest_asyncio

from drumroll.node.log_rotation import FILES, OpenLog, rotate
from drumroll.node.logs import LogOptions, LogSource, last_output, log_files, read_log
from drumroll.node.processes import LoopbackRuntime
from drumroll.node.runtime import ContainerError, ContainerSpec, ExecCommand, SandboxSpec
from drumroll.node.sessions import Launch, start_command
from drumroll.objects.clock import now
from drumroll.objects.stream import STDERR, STDOUT
from tests.node.conftest import eventually, python_image
from tests.node.containers_ground import container_ground

pytestmark = pytest.mark.asyncio
SLEEPER = "import time\nprint('up', flush=True)\nwhile True: time.sleep(60)\n"
ECHO = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)\nprint('end', flush=True)\n"


@pytest_asyncio.fixture(params=["loopback", pytest.param("container", marks=pytest.mark.container)])
async def runtime(request, home, loopback_network):
    if request.param == "loopback":
        found = LoopbackRuntime(home / "pods", loopback_network)
        yield found
        for sandbox in await found.list_sandboxes():
            await found.remove_sandbox(sandbox.uid)
        return
    async with container_ground(home) as ground:
        yield ground.runtime


class Box:
    """One running container."""

    def __init__(self, runtime, sandbox, state, log_path):
        self.runtime = runtime
        self.sandbox = sandbox
        self.state = state
        self.log_path = log_path

    async def exec(self, *argv, **options):
        return Client(await self.runtime.open_exec(self.state.container_id, ExecCommand(argv, **options)))

    async def attach(self, *, tty=False):
        return Client(await self.runtime.open_attach(self.state.container_id, tty=tty))


class Client:
    """Collects what a session sends; `said` by channel."""

    def __init__(self, session):
        self.session = session
        self.said = {STDOUT: b"", STDERR: b""}
        self.running = asyncio.create_task(session.run(self.send))

    async def send(self, channel, data):
        self.said[channel] += data

    async def end(self):
        """The Status of a session that ends by itself."""
        status = await asyncio.wait_for(asyncio.shield(self.running), 10)
        await self.close()
        return status

    async def close(self):
        self.running.cancel()
        await asyncio.wait({self.running})
        await self.session.close()


@pytest_asyncio.fixture
async def box(runtime, home):
    async def make(program=SLEEPER, **changes):
        uid = str(uuid.uuid4())
        sandbox = await runtime.create_sandbox(SandboxSpec("default", "web", uid, home / "pods" / uid, "web"))
        image = python_image(home, {"/app/main.py": program, "/app/hello": "hello\n"})
        log_path = sandbox.folder / "logs" / "web" / "0.log"
        argv = ("/usr/bin/python3", "-u", "/app/main.py")
        spec = ContainerSpec("web", 0, image, argv, {"COLOR": "blue"}, "/app", log_path, **changes)
        return Box(runtime, sandbox, await runtime.start_container(sandbox, spec), log_path)

    return make


def exit_code(status):
    if status["status"] == "Success":
        return 0
    return int(status["details"]["causes"][0]["message"])


def processes_saying(word):
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


async def test_output_streams_and_exit_code(box):
    client = await (await box()).exec("sh", "-c", "echo out; echo err >&2; echo $COLOR; cat hello; exit 3")
    assert exit_code(await client.end()) == 3
    assert client.said == {STDOUT: b"out\nblue\nhello\n", STDERR: b"err\n"}


async def test_a_signal_is_128_and_its_number(box):
    client = await (await box()).exec("sh", "-c", "kill -TERM $$")
    assert exit_code(await client.end()) == 143


async def test_input_arrives_whole_and_its_end_too(box):
    client = await (await box()).exec("sh", "-c", "wc -c", stdin=True)
    await client.session.write(b"x" * 1_000_000)
    client.session.close_stdin()
    assert exit_code(await client.end()) == 0
    assert client.said[STDOUT].strip() == b"1000000"


async def test_a_large_output_arrives_whole(box):
    client = await (await box()).exec("sh", "-c", "head -c 5000000 /dev/zero")
    assert exit_code(await client.end()) == 0
    assert len(client.said[STDOUT]) == 5_000_000


async def test_a_command_that_does_not_exist_says_so_once(box):
    running = await box()
    try:
        client = await running.exec("no-such-command")
    except ContainerError as error:
        message = error.message
    else:
        status = await client.end()
        message = status["message"]
        assert client.said == {STDOUT: b"", STDERR: b""}
    assert 'exec: "no-such-command": executable file not found in $PATH' in message


async def test_a_terminal_has_the_clients_size(box):
    client = await (await box()).exec("sh", "-c", "echo ready; read wait; tty; stty size", stdin=True, tty=True)
    client.session.resize(123, 45)
    await eventually(lambda: b"ready" in client.said[STDOUT])
    await client.session.write(b"\n")
    assert exit_code(await client.end()) == 0
    assert b"/dev/pts/" in client.said[STDOUT]
    assert b"45 123" in client.said[STDOUT]


async def test_a_terminal_that_grows_tells_its_program(box):
    # one process that waits in one place: nothing but the terminal decides who hears the ^C
    program = (
        "import os, signal, time\n"
        "def told(*_): print(*reversed(os.get_terminal_size()), flush=True)\n"
        "signal.signal(signal.SIGWINCH, told)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    client = await (await box()).exec("/usr/bin/python3", "-c", program, stdin=True, tty=True)
    await eventually(lambda: b"ready" in client.said[STDOUT])
    client.session.resize(90, 30)
    await eventually(lambda: b"30 90" in client.said[STDOUT])
    await client.session.write(b"\x03")
    assert exit_code(await client.end()) == 130


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "terminal"])
async def test_a_command_ends_with_its_client(box, tty):
    word = f"word-{uuid.uuid4().hex}"
    program = f"trap '' HUP TERM; sleep 1000 {word} & echo ready; sleep 1000 {word}"
    script = f"sh -c 'exec -a {word} sleep 1000'"
    client = await (await box()).exec("bash", "-c", f"{program.replace(f'sleep 1000 {word}', script)}", tty=tty)
    await eventually(lambda: b"ready" in client.said[STDOUT])
    await client.close()
    await eventually(lambda: not processes_saying(word))


async def test_attached_input_reaches_the_program_and_its_end_too(box):
    running = await box(ECHO, stdin=True, stdin_once=True)
    client = await running.attach()
    await client.session.write(b"one\ntwo\n")
    await eventually(lambda: client.said[STDOUT] == b"got one\ngot two\n")
    client.session.close_stdin()
    assert exit_code(await client.end()) == 0
    assert client.said[STDOUT].endswith(b"end\n")
    assert (await running.runtime.wait_container(running.state.container_id)).exit_code == 0
    assert b"got two\n" in logged(running.log_path)


def logged(path):
    """What a program wrote, by its log: a line that came in several writes may stand there in parts (P), then F."""
    entries = [line.split(b" ", 3) for line in path.read_bytes().splitlines()]
    return b"".join(text + (b"\n" if flag == b"F" else b"") for _, _, flag, text in entries)


async def test_input_that_may_come_again_outlives_its_client(box):
    running = await box(ECHO, stdin=True)
    first = await running.attach()
    await first.session.write(b"one\n")
    await eventually(lambda: first.said[STDOUT] == b"got one\n")
    await first.close()
    second = await running.attach()
    await second.session.write(b"two\n")
    await eventually(lambda: second.said[STDOUT] == b"got two\n")
    await second.close()


async def test_an_attached_terminal_is_resized(box):
    program = "import os,signal,time\nsignal.signal(28, lambda *_: print(os.get_terminal_size()))\nprint('ready')\n"
    running = await box(program + "while True: time.sleep(0.05)\n", stdin=True, tty=True)
    await eventually(lambda: running.log_path.exists() and b"ready" in running.log_path.read_bytes())
    client = await running.attach(tty=True)
    client.session.resize(81, 26)
    client.session.resize(80, 25)
    await eventually(lambda: b"columns=80, lines=25" in client.said[STDOUT])
    await client.close()


async def test_two_who_look_see_the_same(box):
    running = await box("import time\nfor n in range(10**6): print(n); time.sleep(0.01)\n")
    clients = [await running.attach(), await running.attach()]
    for client in clients:
        await eventually(lambda client=client: client.said[STDOUT].count(b"\n") > 5)
        await client.close()


async def test_a_connection_reaches_the_pods_localhost(box):
    program = (
        "import os, socket\nserver = socket.create_server((os.environ.get('HOST', '127.0.0.1'), 8000))\n"
        "print('up')\nwhile True:\n    peer, _ = server.accept()\n    peer.sendall(peer.recv(100).upper())\n"
    )
    running = await box(program)
    await eventually(lambda: running.log_path.exists() and b"up" in running.log_path.read_bytes())
    sock = await running.runtime.connect(running.sandbox, 8000)
    reader, writer = await asyncio.open_connection(sock=sock)
    writer.write(b"hello")
    assert await asyncio.wait_for(reader.read(5), 10) == b"HELLO"
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await running.runtime.connect(running.sandbox, 8001)


async def test_a_follower_loses_no_line_when_a_log_is_rotated(box):
    running = await box("import time\nfor n in range(3000):\n    print(n)\n    if n % 100 == 0: time.sleep(0.02)\n")
    opened = OpenLog(running.log_path, lambda: running.runtime.reopen_log(running.state.container_id))
    ended = asyncio.create_task(running.runtime.wait_container(running.state.container_id))

    async def follow():
        source = LogSource(running.log_path, lambda: not ended.done())
        return b"".join([piece async for piece in read_log(source, LogOptions(follow=True))])

    following = asyncio.create_task(follow())
    for _ in range(3):
        await eventually(lambda: running.log_path.exists() and running.log_path.stat().st_size > 1000, 10)
        if not ended.done():
            rotate(opened, now())
            await eventually(lambda: running.log_path.exists() or ended.done())
    expected = b"".join(b"%d\n" % n for n in range(3000))
    assert await asyncio.wait_for(following, 20) == expected
    source = LogSource(running.log_path, lambda: False)
    assert b"".join([piece async for piece in read_log(source, LogOptions())]) == expected
    tail = b"".join([piece async for piece in read_log(source, LogOptions(tail_lines=2900))])
    assert tail == expected[-len(tail) :]
    assert tail.count(b"\n") == 2900
    assert 2 <= len(log_files(running.log_path)) <= FILES


async def test_nothing_is_lost_when_a_container_ends_as_its_log_is_rotated(box):
    running = await box("print('bye')\n")
    await running.runtime.wait_container(running.state.container_id)
    opened = OpenLog(running.log_path, lambda: running.runtime.reopen_log(running.state.container_id))
    rotate(opened, now())
    assert last_output(running.log_path, 100, 5) == "bye\n"
    assert b"".join(file.read_bytes() for file in log_files(running.log_path)).count(b"bye") == 1


async def test_a_command_whose_process_id_is_told_late_ends_with_its_client_too(tmp_path):
    """As runc on a busy machine: the command runs already, and its process id is not yet in the file."""
    word, told = f"word-{uuid.uuid4().hex}", tmp_path / "pid"
    command = f"trap '' HUP TERM; exec -a {word} sleep 1000"
    script = f'setsid bash -c "{command}" & child=$!; sleep 0.5; echo $child > {told}; wait'

    def running():
        lines = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
        return any(line.startswith(word.encode()) for line in lines)

    def leader():
        return int(told.read_text()) if told.exists() and told.read_text() else None

    async def is_running():
        return running()

    session = await start_command(Launch(["bash", "-c", script], stdin=False, tty=False, session=leader))
    await eventually(is_running)
    await session.close()
    assert not running()
