"""What the node asks of an isolation: sandboxes (a pod's address and namespaces) and containers in them.

Two implementations pass one behaviour suite: `containers.py` (runc under conmon) and `processes.py` (plain
processes under a shim). Both keep everything that a restarted control plane needs in files below the pod's
folder, so that pods outlive the control plane: `list_sandboxes` and `list_containers` find them again.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from drumroll.domain.stop_signal import DEFAULT
from drumroll.objects.meta import Obj
from drumroll.objects.network import Isolation
from drumroll.objects.stream import Send


class ContainerError(Exception):
    """A container could not be made or started. `reason` is a waiting reason such as CreateContainerError."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host shown at `target` in the container (subPath is resolved into `source`)."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """A pod to be: where its files go (`folder`, one per pod uid) and what its /etc files say."""

    namespace: str
    name: str
    uid: str
    folder: Path
    hostname: str
    host_aliases: Mapping[str, str] = field(default_factory=dict)  # host name → address, beside the pod's own


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A pod's place: its address stays the same for as long as the sandbox exists."""

    uid: str
    namespace: str
    name: str
    ip: str
    folder: Path
    network_namespace: Path | None = None


@dataclass(frozen=True, slots=True)
class RootImage:
    """An unpacked image as the node's image store resolves it.

    `host_root` means that the image is laid over the machine's own root file system (FROM host). `layers` are
    folders, lowest first, with overlay white-outs. `digest` is `sha256:…` of the image's manifest.
    """

    reference: str
    digest: str
    layers: tuple[Path, ...]
    host_root: bool
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    user: str = ""
    stop_signal: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One run of one container. `attempt` counts from 0 per name; log lines go to `log_path` in the CRI format.

    `cpu_limit` is in cores, `memory_limit` in bytes, both None for no limit; `cpu_request` in cores sets the share.
    `beside` is the id of a run whose processes it sees; empty for a container that sees only its own.
    """

    name: str
    attempt: int
    image: RootImage
    argv: tuple[str, ...]
    env: Mapping[str, str]
    working_dir: str
    log_path: Path
    mounts: tuple[Mount, ...] = ()
    user: str = ""
    cpu_request: float = 0.0
    cpu_limit: float | None = None
    memory_limit: int | None = None
    read_only_root: bool = False
    stop_signal: str = DEFAULT
    stdin: bool = False
    stdin_once: bool = False  # the input ends when the first one who attached to it has gone
    tty: bool = False
    beside: str = ""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What is known of one run. `exit_code` is None while it runs; 128+n after signal n."""

    container_id: str
    pod_uid: str
    name: str
    attempt: int
    status: Literal["created", "running", "exited"]
    pid: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    stop_signal: str = DEFAULT


@dataclass(frozen=True, slots=True)
class ExecResult:
    """The end of a command in a container; `output` is stdout and stderr together, at most 10 KiB of it."""

    exit_code: int
    output: str


@dataclass(frozen=True, slots=True)
class ExecCommand:
    """A command for somebody who is connected to it; with `tty` it gets a terminal, and stderr joins stdout."""

    argv: tuple[str, ...]
    stdin: bool = False
    tty: bool = False


class Session(Protocol):
    """A running command or a view of a container, and somebody who is connected to it. `close` it in any case."""

    async def run(self, send: Send) -> Obj:
        """Send output until the end; the Status to end with."""
        ...

    async def write(self, data: bytes) -> None:
        """Give it input; returns when that has been taken."""
        ...

    def close_stdin(self) -> None:
        """Its input has ended."""
        ...

    def resize(self, width: int, height: int) -> None:
        """Its terminal has another size."""
        ...

    async def close(self) -> None:
        """End the command with all that it started, or detach from the container."""
        ...


class Runtime(Protocol):
    """Makes, finds and ends sandboxes and containers. Every method may be called again after a failure."""

    isolation: Isolation

    async def create_sandbox(self, spec: SandboxSpec) -> Sandbox:
        """The pod's sandbox, made or found (same uid). Raises ContainerError("FailedCreatePodSandBox", …)."""
        ...

    async def remove_sandbox(self, uid: str) -> None:
        """End what still runs in it, release address, namespaces, mounts and cgroups. Unknown uids are fine."""
        ...

    async def list_sandboxes(self) -> list[Sandbox]:
        """Every sandbox that exists, also those made before a restart of the control plane."""
        ...

    async def start_container(self, sandbox: Sandbox, spec: ContainerSpec) -> ContainerState:
        """The container, running. Raises ContainerError."""
        ...

    async def list_containers(self, uid: str) -> list[ContainerState]:
        """Every run of a pod that has not been removed, oldest first."""
        ...

    async def wait_container(self, container_id: str) -> ContainerState:
        """The exited state, as soon as it has exited."""
        ...

    async def signal_container(self, container_id: str, signal: str) -> None:
        """Send e.g. SIGTERM to the container's first process, or SIGKILL to all of them. Exited ones are fine."""
        ...

    async def remove_container(self, container_id: str) -> None:
        """Forget an exited run and delete its root file system (not its log)."""
        ...

    async def exec(self, container_id: str, argv: tuple[str, ...], timeout: float) -> ExecResult:
        """Run a command inside. Raises TimeoutError after `timeout` seconds (the command is killed), ContainerError."""
        ...

    async def open_exec(self, container_id: str, command: ExecCommand) -> Session:
        """A command, started inside. Raises ContainerError."""
        ...

    async def open_attach(self, container_id: str, *, tty: bool) -> Session:
        """A view of the container's first process; `tty` says that it has a terminal. Raises ContainerError."""
        ...

    async def connect(self, sandbox: Sandbox, port: int) -> socket.socket:
        """A connection to what listens on the pod's own localhost. Raises OSError."""
        ...

    def reopen_log(self, container_id: str) -> bool:
        """Let a run go on in a new log file after its old one was renamed; False when nobody writes it any more."""
        ...
