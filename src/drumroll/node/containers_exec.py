"""Commands run inside a container: for probes and hooks, and for somebody who is connected to them."""

import asyncio
import contextlib
import os
import signal
import tempfile
from pathlib import Path

from drumroll.node.conmon import OciRuntime, runtime_message
from drumroll.node.runtime import ContainerError, ExecCommand, ExecResult
from drumroll.node.sessions import CommandSession, Launch, start_command

OUTPUT_LIMIT = 10 * 1024  # bytes, as the kubelet keeps
_DRAIN_SECONDS = 0.1


async def run_inside(oci: OciRuntime, container_id: str, argv: tuple[str, ...], timeout: float) -> ExecResult:
    """Run `argv` in the container's namespaces with its program's environment and identity.

    Raises TimeoutError after `timeout` seconds, when the command and its process group have been killed, and
    ContainerError when it could not be started. Children that keep the output open keep it running, as with
    containerd.
    """
    with tempfile.TemporaryDirectory(prefix="exec-", dir=oci.run_folder) as folder:
        files = Path(folder)
        options = ("--log", str(files / "log"), "--log-format", "json")
        command = oci.command(*options, "exec", "--pid-file", str(files / "pid"), container_id, *argv)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        collected = bytearray()
        reading = asyncio.create_task(_collect(process, collected))
        try:
            async with asyncio.timeout(timeout):
                code = await process.wait()
        except (TimeoutError, asyncio.CancelledError):
            _kill_groups(process.pid, files / "pid")
            reading.cancel()
            await process.wait()
            raise
        await asyncio.wait([reading], timeout=_DRAIN_SECONDS)
        reading.cancel()
        if code != 0 and (errors := _own_errors(files / "log")):
            raise ContainerError("ExecError", runtime_message(errors))
    return ExecResult(code, collected.decode(errors="replace"))


async def open_inside(oci: OciRuntime, container_id: str, command: ExecCommand) -> CommandSession:
    """`command`, started in the container's namespaces with its program's environment and identity.

    The OCI runtime stays in the foreground and passes on a terminal of ours, its size and the exit code.
    """
    folder = tempfile.TemporaryDirectory(prefix="exec-", dir=oci.run_folder)
    files = Path(folder.name)
    options = ["--log", str(files / "log"), "--log-format", "json"]
    terminal = ["--tty", "--env", "TERM=xterm"] if command.tty else []
    argv = oci.command(*options, "exec", *terminal, "--pid-file", str(files / "pid"), container_id, *command.argv)

    def problem() -> str:
        errors = _own_errors(files / "log")
        return runtime_message(errors) if errors else ""

    return await start_command(
        Launch(
            argv,
            stdin=command.stdin,
            tty=command.tty,
            session=lambda: _read_pid(files / "pid"),
            problem=problem,
            clean_up=folder.cleanup,
        )
    )


def _read_pid(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


async def _collect(process: asyncio.subprocess.Process, collected: bytearray) -> None:
    """Read to the end, keep the first bytes: a full pipe would stop the command."""
    if process.stdout is None:
        return
    while chunk := await process.stdout.read(65536):
        collected += chunk[: OUTPUT_LIMIT - len(collected)]


def _kill_groups(outer: int, pid_file: Path) -> None:
    """Kill the command (the leader of a session of its own in the container) and the runtime beside it."""
    groups = [outer]
    with contextlib.suppress(OSError, ValueError):
        groups.insert(0, int(pid_file.read_text()))
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _own_errors(log: Path) -> str:
    """The runtime's own complaints: without them a failing exit code is the command's."""
    try:
        return "\n".join(line for line in log.read_text().splitlines() if '"level":"error"' in line)
    except OSError:
        return ""
