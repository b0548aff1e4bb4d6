"""Loopback isolation: pods as plain processes, each pod with an address of its own in the host's loopback range.

Needs no privilege and no namespaces, so it isolates nothing: no file system of its own, no cpu or memory limits, and
a program must listen on $HOST. A shim per container (`shim.py`) keeps logs and exit codes while we are away.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drumroll.domain.stop_signal import DEFAULT, signal_number
from drumroll.node import shim
from drumroll.node.processes_exec import command_line, open_beside
from drumroll.node.processes_root import Root, assemble_root
from drumroll.node.runtime import (
    ContainerError,
    ContainerSpec,
    ContainerState,
    ExecCommand,
    ExecResult,
    Sandbox,
    SandboxSpec,
    Session,
)
from drumroll.node.sessions import attach, write_control
from drumroll.objects.network import ClusterNetwork, Isolation

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OUTPUT_LIMIT = 10 * 1024
KILLED = 137


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one run keeps its files: `<pod folder>/containers/<name>/<attempt>`."""

    uid: str
    name: str
    attempt: int
    folder: Path

    @property
    def container_id(self) -> str:
        return hashlib.sha256(f"{self.folder}/{self.uid}".encode()).hexdigest()

    def read(self, file: str) -> dict[str, Any] | None:
        """A file that the shim or we wrote; None when it is not there (yet)."""
        try:
            found: dict[str, Any] = json.loads((self.folder / file).read_text())
        except (OSError, ValueError):
            return None
        return found


class LoopbackRuntime:
    """`folder` holds one folder per pod uid. Implements the Runtime protocol."""

    isolation: Isolation = "loopback"

    def __init__(self, folder: Path, network: ClusterNetwork) -> None:
        self._folder = folder
        self._network = network
        self._places: dict[str, _Place] = {}
        self._addresses: dict[str, str] | None = None
        self._next = 0

    async def create_sandbox(self, spec: SandboxSpec) -> Sandbox:
        """The pod's folder with its address in it."""
        if (found := _read_sandbox(spec.folder)) is not None:
            return found
        addresses = self._known_addresses()
        ip = addresses.get(spec.uid) or self._free_address(set(addresses.values()))
        addresses[spec.uid] = ip
        sandbox = Sandbox(spec.uid, spec.namespace, spec.name, ip, spec.folder)
        try:
            spec.folder.mkdir(parents=True, exist_ok=True)
            facts = {"uid": spec.uid, "namespace": spec.namespace, "name": spec.name, "ip": ip}
            _write_json(spec.folder / "sandbox.json", facts)
        except OSError as error:
            raise ContainerError("FailedCreatePodSandBox", f"cannot write {spec.folder}: {error.strerror}") from error
        return sandbox

    async def remove_sandbox(self, uid: str) -> None:
        """Kill what still runs and forget the pod; its folder goes with it."""
        for state in await self.list_containers(uid):
            await self.signal_container(state.container_id, "SIGKILL")
            await self.wait_container(state.container_id)
        for container_id in [key for key, place in self._places.items() if place.uid == uid]:
            del self._places[container_id]
        folder = self._folder / uid
        (folder / "sandbox.json").unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        if self._addresses is not None:
            self._addresses.pop(uid, None)

    async def list_sandboxes(self) -> list[Sandbox]:
        """Every pod folder that has an address."""
        return self._sandboxes()

    async def start_container(self, sandbox: Sandbox, spec: ContainerSpec) -> ContainerState:
        """Lay out the root, start a shim and wait until it has started the program."""
        place = _Place(sandbox.uid, spec.name, spec.attempt, _run_folder(sandbox.folder, spec.name, spec.attempt))
        if (place.folder / "started.json").exists():
            return self._state(place)
        try:
            root = await asyncio.to_thread(_lay_out, place.folder, spec)
            argv = root.resolve_argv(spec.argv)
            env = _environment(spec, sandbox.ip, root)
            working_dir = root.resolve_folder(spec.working_dir)
            if argv and root.lacks_program(argv[0], env["PATH"], working_dir):
                raise ContainerError("RunContainerError", f'exec: "{spec.argv[0]}": no such file that can be run')
            program = {"argv": argv, "env": env, "working_dir": str(working_dir), "stop_signal": spec.stop_signal}
            terminal = {"stdin": spec.stdin, "stdin_once": spec.stdin_once, "tty": spec.tty}
            _write_json(
                place.folder / "run.json", {**program, **terminal, "log_path": str(spec.log_path), "ip": sandbox.ip}
            )
            for fifo in ("alive", "ctl"):
                os.mkfifo(place.folder / fifo, 0o600)
        except OSError as error:
            raise ContainerError("CreateContainerError", f"cannot lay out the container: {error}") from error
        await _start_shim(place)
        self._places[place.container_id] = place
        return self._state(place)

    async def list_containers(self, uid: str) -> list[ContainerState]:
        """Every run that was started, oldest first."""
        places = []
        for folder in (self._folder / uid / "containers").glob("*/*"):
            place = _Place(uid, folder.parent.name, int(folder.name), folder)
            if (folder / "started.json").exists():
                places.append(place)
                self._places[place.container_id] = place
        states = [self._state(place) for place in places]
        return sorted(states, key=lambda s: (s.started_at or datetime.min.replace(tzinfo=UTC), s.attempt))

    async def wait_container(self, container_id: str) -> ContainerState:
        """Wait, without polling, until the shim lets go of its FIFO."""
        place = self._place(container_id)
        if place.read("exited.json") is None:
            await _wait_released(place.folder / "alive")
        return self._state(place)

    async def signal_container(self, container_id: str, signal: str) -> None:
        """SIGKILL goes to the whole process group, any other signal to the program alone."""
        place = self._place(container_id)
        started = place.read("started.json")
        if started is not None and place.read("exited.json") is None:
            _send(started, signal)

    async def remove_container(self, container_id: str) -> None:
        """Delete the run's folder."""
        with contextlib.suppress(ContainerError):
            place = self._place(container_id)
            self._places.pop(container_id, None)
            await asyncio.to_thread(shutil.rmtree, place.folder, ignore_errors=True)

    async def exec(self, container_id: str, argv: tuple[str, ...], timeout: float) -> ExecResult:
        """Run a command with the pod's environment. `localhost` in it stands for the pod's own address."""
        place = self._place(container_id)
        run = place.read("run.json")
        if run is None:
            raise ContainerError("RunContainerError", f"container {place.name} is gone")
        root = Root(place.folder / "root")
        command = command_line(argv, root, run["ip"])
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=run["env"],
                cwd=run["working_dir"],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ContainerError("ExecError", f"cannot run {command[0]}: {error.strerror}") from error
        return await _finish(process, timeout)

    async def open_exec(self, container_id: str, command: ExecCommand) -> Session:
        """Run a command with the pod's environment, for somebody."""
        place = self._place(container_id)
        run = place.read("run.json")
        if run is None or self._state(place).exit_code is not None:
            raise ContainerError("ExecError", f"container {place.name} is not running")
        return await open_beside(run, Root(place.folder / "root"), command)

    async def open_attach(self, container_id: str, *, tty: bool) -> Session:
        """Through the shim's socket."""
        return await attach(self._place(container_id).folder, tty=tty)

    async def connect(self, sandbox: Sandbox, port: int) -> socket.socket:
        """The pod's own address is its localhost."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (sandbox.ip, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def reopen_log(self, container_id: str) -> bool:
        """Tell the shim."""
        return write_control(self._place(container_id).folder / "ctl", "2 0 0\n")

    def _place(self, container_id: str) -> _Place:
        if container_id not in self._places:
            for folder in self._folder.glob("*/containers/*/*"):
                uid = folder.parents[2].name
                place = _Place(uid, folder.parent.name, int(folder.name), folder)
                self._places[place.container_id] = place
        if container_id not in self._places:
            raise ContainerError("RunContainerError", f"no container {container_id}")
        return self._places[container_id]

    def _state(self, place: _Place) -> ContainerState:
        started = place.read("started.json") or {}
        exited = place.read("exited.json")
        if exited is None and not _is_held(place.folder / "alive"):
            exited = place.read("exited.json") or _bury(place, started)
        return ContainerState(
            container_id=place.container_id,
            pod_uid=place.uid,
            name=place.name,
            attempt=place.attempt,
            status="running" if exited is None else "exited",
            pid=started.get("pid"),
            started_at=_moment(started.get("started_at")),
            finished_at=_moment(exited["finished_at"]) if exited else None,
            exit_code=exited["exit_code"] if exited else None,
            stop_signal=started.get("stop_signal", DEFAULT),
        )

    def _sandboxes(self) -> list[Sandbox]:
        found = (_read_sandbox(path.parent) for path in self._folder.glob("*/sandbox.json"))
        return [sandbox for sandbox in found if sandbox is not None]

    def _known_addresses(self) -> dict[str, str]:
        if self._addresses is None:
            self._addresses = {sandbox.uid: sandbox.ip for sandbox in self._sandboxes()}
            # Clusters beside each other start at different places of the range, so that they rarely meet.
            self._next = int(hashlib.sha256(str(self._folder).encode()).hexdigest()[:8], 16)
        return self._addresses

    def _free_address(self, taken: set[str]) -> str:
        size = self._network.pod_cidr.num_addresses
        for _ in range(size):
            self._next += 1
            offset = 2 + self._next % (size - 3)
            address = str(self._network.pod_cidr.network_address + offset)
            if address not in taken:
                return address
        raise ContainerError("FailedCreatePodSandBox", f"no address is free in {self._network.pod_cidr}")


def _lay_out(folder: Path, spec: ContainerSpec) -> Root:
    """A fresh folder for one run, with the image's files and the mounts below `root`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec.log_path.parent.mkdir(parents=True, exist_ok=True)
    return assemble_root(folder / "root", spec.image.layers, spec.mounts)


def _environment(spec: ContainerSpec, ip: str, root: Root) -> dict[str, str]:
    own = {"HOST": ip, "POD_IP": ip, **spec.env}
    env = {name: root.resolve_value(value) for name, value in own.items() if name != "PATH"}
    path = own.get("PATH", DEFAULT_PATH)
    ours = [str(root.find(entry)) for entry in path.split(":") if root.has(entry)]
    return {**env, "PATH": ":".join([*ours, path]), "DRUMROLL_ROOT": str(root.folder)}


async def _start_shim(place: _Place) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        shim.__file__,
        str(place.folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={},
        start_new_session=True,
    )
    said, _ = await process.communicate()
    if said != b"started":
        message = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise ContainerError("RunContainerError", f"the shim did not start: {message}")


async def _finish(process: asyncio.subprocess.Process, timeout: float) -> ExecResult:
    if process.stdout is None:
        raise ContainerError("RunContainerError", "the command has no output pipe")
    kept = bytearray()
    try:
        async with asyncio.timeout(timeout):
            while chunk := await process.stdout.read(4096):
                kept += chunk[: OUTPUT_LIMIT - len(kept)]
            code = await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return ExecResult(code if code >= 0 else 128 - code, kept.decode(errors="replace"))


async def _wait_released(fifo: Path) -> None:
    """Return when nobody holds the FIFO for writing any more."""
    try:
        descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    loop = asyncio.get_running_loop()
    try:
        if _reads_empty(descriptor):
            return
        released = asyncio.Event()
        loop.add_reader(descriptor, released.set)
        try:
            await released.wait()
        finally:
            loop.remove_reader(descriptor)
    finally:
        os.close(descriptor)


def _is_held(fifo: Path) -> bool:
    try:
        descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        return not _reads_empty(descriptor)
    finally:
        os.close(descriptor)


def _reads_empty(descriptor: int) -> bool:
    try:
        return os.read(descriptor, 1) == b""
    except BlockingIOError:
        return False


def _bury(place: _Place, started: dict[str, Any]) -> dict[str, Any]:
    """The end of a run whose shim was killed: its program goes too, and how it would have ended is unknown."""
    _send(started, "SIGKILL")
    ended = {"exit_code": KILLED, "finished_at": datetime.now(UTC).timestamp()}  # noqa: TID251 - a file's time
    _write_json(place.folder / "exited.json", ended)
    return ended


def _send(started: dict[str, Any], name: str) -> None:
    """Signal the process that `started` names, if it is still that process."""
    pid = started.get("pid")
    if not pid or shim.start_ticks(pid) != started.get("ticks"):
        return
    number = signal_number(name)
    if number is None:
        return
    with contextlib.suppress(ProcessLookupError):
        if number == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)
        os.kill(pid, number)


def _run_folder(pod_folder: Path, name: str, attempt: int) -> Path:
    return pod_folder / "containers" / name / str(attempt)


def _read_sandbox(folder: Path) -> Sandbox | None:
    try:
        facts = json.loads((folder / "sandbox.json").read_text())
    except (OSError, ValueError):
        return None
    return Sandbox(facts["uid"], facts["namespace"], facts["name"], facts["ip"], folder)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(value))
    fresh.rename(path)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
