"""Commands in loopback isolation, for somebody who is connected to them: processes with a pod's environment."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drumroll.node.processes_root import Root
from drumroll.node.runtime import ContainerError, ExecCommand
from drumroll.node.sessions import CommandSession, Launch, start_command

LOCALHOST = re.compile(r"\b(?:localhost|127\.0\.0\.1)\b")


def command_line(argv: Sequence[str], root: Root, ip: str) -> list[str]:
    """`argv` with paths translated into the container's root. `localhost` in it stands for the pod's own address."""
    return [LOCALHOST.sub(ip, part) for part in root.resolve_argv(_archive(argv, root))]


async def open_beside(run: Mapping[str, Any], root: Root, command: ExecCommand) -> CommandSession:
    """`command`, started with what `run` says of the container's program. Raises ContainerError."""
    argv = command_line(command.argv, root, run["ip"])
    env = {**run["env"], "TERM": "xterm"} if command.tty else dict(run["env"])
    if shutil.which(argv[0], path=env.get("PATH", os.defpath)) is None:
        where = "no such file or directory" if "/" in argv[0] else "executable file not found in $PATH"
        raise ContainerError("ExecError", f'exec: "{command.argv[0]}": {where}')
    holder = _Leader()
    session = await start_command(
        Launch(
            argv,
            stdin=command.stdin,
            tty=command.tty,
            env=env,
            cwd=run["working_dir"],
            is_leader=True,
            session=lambda: holder.pid,
        )
    )
    holder.pid = session.pid
    return session


class _Leader:
    """The command's process id, once there is one."""

    pid: int | None = None


def _archive(argv: Sequence[str], root: Root) -> Sequence[str]:
    """`tar cf - /path` (kubectl cp) must name its members by the container's path, not by the machine's."""
    match argv:
        case ["tar", "cf", "-", str(path)] if root.has(path):
            return ["tar", "chf", "-", "-C", str(root.folder), path.lstrip("/")]
        case ["tar", *rest] if "-C" in rest:
            return [*argv[:-1], _destination(argv[-1], root)]
        case ["test", "-d", str(path)]:
            return ["test", "-d", _destination(path, root)]
        case _:
            return argv


def _destination(path: str, root: Root) -> str:
    """Where files go that are copied to `path`: into the container's root unless only the machine has that folder."""
    return (
        path if Path(path).is_dir() and not root.has(path) else str(root.find(path)) if path.startswith("/") else path
    )
