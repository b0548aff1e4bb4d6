"""Container isolation: pods as OCI containers, run by runc under conmon.

A pod's sandbox is its network namespace and its files; containers join it. Nothing here has to keep running for a
container to live on: all that a later control plane must know is in files (`containers_files.py`), and exits are
announced by conmon in a folder that is watched.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal as signals
import socket
from collections import defaultdict
from datetime import UTC, datetime
from errno import ECONNREFUSED
from pathlib import Path
from typing import NamedTuple

from drumroll.domain.stop_signal import signal_number
from drumroll.node import cgroups
from drumroll.node.build_tree import ImageTree
from drumroll.node.conmon import FolderWatch, OciRuntime, conmon_options, find_programs
from drumroll.node.containers_check import check
from drumroll.node.containers_exec import open_inside, run_inside
from drumroll.node.containers_files import Bundle, RunFacts, SandboxFiles, container_id, start_ticks
from drumroll.node.network import NetworkError, PodNetwork
from drumroll.node.network_connect import connect_inside
from drumroll.node.oci_config import ContainerConfig, ProcessConfig, find_identity, oci_config
from drumroll.node.rootfs import RootSource, mount_root, unmount_root
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
from drumroll.objects import clock
from drumroll.objects.network import Isolation

__all__ = ["ContainerRuntime", "check"]

log = logging.getLogger("drumroll.node")

_LOST_EXIT_CODE = 137
_RECHECK_SECONDS = 10.0  # for exits that conmon could not announce because it was killed itself
_KILL_SECONDS = 10.0
_COLLECT_SECONDS = 5.0  # between a program's end and conmon's note of its exit code: milliseconds


class _Exit(NamedTuple):
    """conmon's note of a program's end."""

    code: int
    at: datetime


class ContainerRuntime:
    """Implements `Runtime`. `folder` holds one folder per pod uid, `run_folder` is short and gone after a reboot."""

    isolation: Isolation = "container"

    def __init__(self, folder: Path, run_folder: Path, network: PodNetwork) -> None:
        self._folder = folder
        self._network = network
        programs = find_programs()
        if isinstance(programs, str):
            raise ContainerError("CreateContainerError", programs)
        self._oci = OciRuntime(programs, run_folder)
        self._hidden = tuple(path for path in (folder.parent, run_folder) if path != Path("/"))
        self._bundles: dict[str, Bundle] = {}  # by container id; saves a search through all pods
        self._watch: FolderWatch | None = None
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)

    async def create_sandbox(self, spec: SandboxSpec) -> Sandbox:
        """See Runtime."""
        files = SandboxFiles(spec.folder)
        try:
            place = await self._network.attach(spec.uid)
            found = files.read()
            if found is not None and found.ip == place.ip:
                return found
            sandbox = Sandbox(spec.uid, spec.namespace, spec.name, place.ip, spec.folder, place.namespace)
            files.write(spec, sandbox, self._network.network.dns_address)
        except (OSError, NetworkError) as error:
            raise ContainerError("FailedCreatePodSandBox", f"failed to set up sandbox: {error}") from error
        return sandbox

    async def remove_sandbox(self, uid: str) -> None:
        """See Runtime."""
        files = SandboxFiles(self._folder / uid)
        await asyncio.gather(*(self._remove(bundle) for bundle in files.bundles()))
        await self._network.detach(uid)
        cgroups.remove(self._cgroup(uid))
        await asyncio.to_thread(shutil.rmtree, files.pod_folder, ignore_errors=True)

    async def list_sandboxes(self) -> list[Sandbox]:
        """See Runtime. A sandbox whose namespace a reboot took gets a new one, and with it perhaps a new address."""
        found = []
        attached = self._network.attached()
        for file in sorted(self._folder.glob("*/sandbox/sandbox.json")):
            files = SandboxFiles(file.parent.parent)
            sandbox = files.read()
            if sandbox is None:
                continue
            if sandbox.uid not in attached and self._network.namespace.exists():
                spec = SandboxSpec(sandbox.namespace, sandbox.name, sandbox.uid, sandbox.folder, files.hostname)
                sandbox = await self.create_sandbox(spec)
            found.append(sandbox)
        return found

    async def start_container(self, sandbox: Sandbox, spec: ContainerSpec) -> ContainerState:
        """See Runtime."""
        bundle = SandboxFiles(sandbox.folder).bundle(container_id(sandbox.uid, spec.name, spec.attempt))
        self._oci.make_folders()
        facts = bundle.facts()
        if facts is not None:
            if self._state(bundle, facts).status == "created":
                await self._oci.start(bundle.container_id)
            return self._state(bundle, facts)
        if bundle.folder.exists():
            await self._remove(bundle)  # half made
        making = asyncio.create_task(self._create(sandbox, spec, bundle))
        try:
            facts = await asyncio.shield(making)
            await self._oci.start(bundle.container_id)
        except BaseException as error:
            await asyncio.wait([making])  # conmon must not finish it behind our back
            with contextlib.suppress(OSError):
                await asyncio.shield(self._remove(bundle))
            if isinstance(error, OSError):
                raise ContainerError("CreateContainerError", f"failed to create container: {error}") from error
            raise
        return ContainerState(
            container_id=bundle.container_id,
            pod_uid=sandbox.uid,
            name=spec.name,
            attempt=spec.attempt,
            status="running",
            pid=facts.pid,
            started_at=datetime.fromisoformat(facts.started_at),
            stop_signal=facts.stop_signal,
        )

    async def list_containers(self, uid: str) -> list[ContainerState]:
        """See Runtime."""
        states = []
        for bundle in SandboxFiles(self._folder / uid).bundles():
            facts = bundle.facts()
            if facts is not None:
                states.append((facts.started_at, self._state(bundle, facts)))
        return [state for _, state in sorted(states, key=lambda pair: (pair[0], pair[1].name, pair[1].attempt))]

    async def wait_container(self, container_id: str) -> ContainerState:
        """See Runtime."""
        bundle = self._find(container_id)
        facts = bundle.facts() if bundle is not None else None
        if bundle is None or facts is None:
            raise ContainerError("ContainerNotFound", f"there is no container {container_id}")
        self._watch_exits()
        bell: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[container_id].add(bell)  # before looking: an exit in between rings it
        try:
            while True:
                state = self._state(bundle, facts)
                if state.status == "exited":
                    return state
                await asyncio.wait([bell], timeout=_RECHECK_SECONDS)
        finally:
            self._waiting[container_id].discard(bell)
            if not self._waiting[container_id]:
                del self._waiting[container_id]

    async def signal_container(self, container_id: str, signal: str) -> None:
        """See Runtime. The end of a container's first process ends all others in it."""
        bundle = self._find(container_id)
        facts = bundle.facts() if bundle is not None else None
        number = signal_number(signal)
        if facts is not None and number is not None:
            _send(facts, number)

    async def remove_container(self, container_id: str) -> None:
        """See Runtime."""
        bundle = self._find(container_id)
        if bundle is not None:
            await self._remove(bundle)

    async def exec(self, container_id: str, argv: tuple[str, ...], timeout: float) -> ExecResult:
        """See Runtime."""
        self._running(container_id)
        return await run_inside(self._oci, container_id, argv, timeout)

    async def open_exec(self, container_id: str, command: ExecCommand) -> Session:
        """See Runtime."""
        self._running(container_id)
        return await open_inside(self._oci, container_id, command)

    async def open_attach(self, container_id: str, *, tty: bool) -> Session:
        """See Runtime."""
        return await attach(self._running(container_id).folder, tty=tty)

    async def connect(self, sandbox: Sandbox, port: int) -> socket.socket:
        """See Runtime. The connection begins inside the pod's network, where its localhost is."""
        if sandbox.network_namespace is None:
            raise ConnectionRefusedError(ECONNREFUSED, "the pod has no network")
        return await connect_inside(sandbox.network_namespace, port)

    def reopen_log(self, container_id: str) -> bool:
        """See Runtime."""
        bundle = self._find(container_id)
        return bundle is not None and write_control(bundle.folder / "ctl", "2 0 0\n")

    def _running(self, container_id: str) -> Bundle:
        bundle = self._find(container_id)
        facts = bundle.facts() if bundle is not None else None
        if bundle is None or facts is None or self._state(bundle, facts).status != "running":
            raise ContainerError("ExecError", f"container {container_id[:12]} is not running")
        return bundle

    def close(self) -> None:
        """Stop watching for exits; containers run on."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    async def _create(self, sandbox: Sandbox, spec: ContainerSpec, bundle: Bundle) -> RunFacts:
        cgroup = f"{self._cgroup(sandbox.uid)}/{bundle.container_id}"
        try:
            await asyncio.to_thread(self._prepare, sandbox, spec, bundle, cgroup)
        except (OSError, ValueError) as error:
            raise ContainerError("CreateContainerError", f"failed to create container: {error}") from error
        pid = await self._oci.create(bundle.container_id, bundle.folder, spec.log_path, conmon_options(spec))
        facts = RunFacts(
            name=spec.name,
            attempt=spec.attempt,
            pod_uid=sandbox.uid,
            pid=pid,
            ticks=start_ticks(pid) or 0,
            started_at=clock.now().isoformat(),
            cgroup=cgroup,
            stop_signal=spec.stop_signal,
        )
        bundle.write_facts(facts)
        return facts

    def _prepare(self, sandbox: Sandbox, spec: ContainerSpec, bundle: Bundle, cgroup: str) -> None:
        """Mount the root file system and write the configuration. Blocks for a few milliseconds."""
        bundle.folder.mkdir(mode=0o755, parents=True)
        files, folders = SandboxFiles(sandbox.folder), bundle.root_folders
        mount_root(RootSource(spec.image.layers, spec.image.host_root, self._hidden), folders)
        tree = ImageTree([folders.root])
        working_dir = spec.working_dir or spec.image.working_dir or "/"
        (folders.root / tree.resolve(working_dir).lstrip("/")).mkdir(parents=True, exist_ok=True)
        targets = {mount.target for mount in spec.mounts}
        config = ContainerConfig(
            root=folders.root,
            process=ProcessConfig(
                argv=spec.argv or (*spec.image.entrypoint, *spec.image.command),
                env={**spec.image.env, **spec.env},
                working_dir=working_dir,
                identity=find_identity(spec.user or spec.image.user, folders.root),
                terminal=spec.tty,
            ),
            hostname=files.hostname,
            cgroup=cgroup,
            resources=cgroups.limits(spec.cpu_request, spec.cpu_limit, spec.memory_limit),
            mounts=(*(mount for mount in files.mounts() if mount.target not in targets), *spec.mounts),
            network_namespace=sandbox.network_namespace,
            process_namespace=self._process_namespace(spec.beside),
            read_only_root=spec.read_only_root,
            show_cgroup=cgroups.is_unified(),
        )
        bundle.write_config(oci_config(config))

    def _process_namespace(self, container_id: str) -> Path | None:
        facts = self._running(container_id).facts() if container_id else None
        return Path(f"/proc/{facts.pid}/ns/pid") if facts is not None else None

    async def _remove(self, bundle: Bundle) -> None:
        """Kill the container if it runs, and delete everything of it but its log. Does nothing twice."""
        self._bundles[bundle.container_id] = bundle
        facts = bundle.facts()
        if facts is not None and self._state(bundle, facts).status != "exited":
            _send(facts, signals.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KILL_SECONDS):
                    await self.wait_container(bundle.container_id)
        await self._oci.delete(bundle.container_id)
        if not (self._oci.exits / bundle.container_id).exists():
            await bundle.wait_for_conmon(_COLLECT_SECONDS)  # else its note would end the next run of this id
        self._oci.forget(bundle.container_id)
        unmount_root(bundle.root_folders)
        if facts is not None:
            cgroups.remove(facts.cgroup)
        await asyncio.to_thread(shutil.rmtree, bundle.folder, ignore_errors=True)
        self._bundles.pop(bundle.container_id, None)

    def _state(self, bundle: Bundle, facts: RunFacts) -> ContainerState:
        exit_file = self._oci.exits / bundle.container_id
        is_alive = start_ticks(facts.pid) == facts.ticks  # looked at before the file: conmon writes it after the end
        end = _read_exit(exit_file)
        if end is None and not is_alive and self._is_lost(bundle, facts):
            end = _Exit(_LOST_EXIT_CODE, clock.now())
            if bundle.folder.exists():  # else it has been removed meanwhile
                exit_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                exit_file.write_text(str(_LOST_EXIT_CODE))
                log.warning("container_exit_lost container=%s pod=%s", facts.name, facts.pod_uid)
        is_waiting = (self._oci.state / bundle.container_id / "exec.fifo").exists()
        return ContainerState(
            container_id=bundle.container_id,
            pod_uid=facts.pod_uid,
            name=facts.name,
            attempt=facts.attempt,
            status="exited" if end is not None else "created" if is_waiting else "running",
            pid=facts.pid if end is None else None,
            started_at=datetime.fromisoformat(facts.started_at),
            finished_at=None if end is None else end.at,
            exit_code=None if end is None else end.code,
            oom_killed=end is not None
            and end.code != 0
            and ((bundle.folder / "oom").exists() or cgroups.ran_out_of_memory(facts.cgroup)),
            stop_signal=facts.stop_signal,
        )

    def _is_lost(self, bundle: Bundle, facts: RunFacts) -> bool:
        """Whether nobody is left who would write the exit code of a program that has ended."""
        return (
            not bundle.has_conmon()
            and start_ticks(facts.pid) != facts.ticks
            and _read_exit(self._oci.exits / bundle.container_id) is None
        )

    def _find(self, container_id: str) -> Bundle | None:
        bundle = self._bundles.get(container_id)
        if bundle is None:
            folder = next(self._folder.glob(f"*/sandbox/containers/{container_id}"), None)
            if folder is None:
                return None
            bundle = self._bundles[container_id] = Bundle(folder)
        return bundle

    def _cgroup(self, uid: str) -> str:
        return f"/{self._network.name}/{uid}"

    def _watch_exits(self) -> None:
        if self._watch is None or not self._watch.is_open:
            self._oci.make_folders()
            self._watch = FolderWatch(self._oci.exits, self._on_exit)

    def _on_exit(self, container_id: str) -> None:
        for bell in self._waiting.get(container_id, ()):
            if not bell.done():
                bell.set_result(None)


def _send(facts: RunFacts, signal: int) -> None:
    """Signal the run's first process, and nothing that has its process id by now."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(facts.pid)
        try:
            if start_ticks(facts.pid) == facts.ticks:
                signals.pidfd_send_signal(handle, signal)
        finally:
            os.close(handle)


def _read_exit(file: Path) -> _Exit | None:
    try:
        return _Exit(int(file.read_text()), datetime.fromtimestamp(file.stat().st_mtime, UTC))
    except (FileNotFoundError, ValueError):
        return None
