"""RUN: a command in a throw-away container on the layers so far; what it writes becomes a layer."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drumroll.node import cgroups, rootfs
from drumroll.node.archive import is_opaque
from drumroll.node.build_tree import ImageTree
from drumroll.node.conmon import find_programs, runtime_message
from drumroll.node.dockerfile import Instruction
from drumroll.node.images import ImageStore, Layer
from drumroll.node.oci_config import ContainerConfig, ProcessConfig, find_identity, oci_config
from drumroll.node.rootfs import RootFolders, RootSource
from drumroll.node.runtime import Mount


@dataclass(frozen=True, slots=True)
class BuildStep:
    """One command to run, and what it runs on."""

    layers: tuple[Path, ...]
    host_root: bool
    argv: tuple[str, ...]
    env: Mapping[str, str]
    working_dir: str
    user: str


def run_step(store: ImageStore, step: BuildStep, instruction: Instruction, say: Callable[[str], None]) -> Layer:
    """The layer that the command's changes make. Its output goes to `say`. Raises BuildError."""
    if os.geteuid() != 0:
        raise instruction.error("RUN needs root: run the build as root, or do the step beforehand and COPY its result")
    programs = find_programs()
    if isinstance(programs, str):
        raise instruction.error(f"RUN needs a container, and that does not work here: {programs}")
    folder = store.scratch_folder()
    folders = RootFolders(folder)
    try:
        source = RootSource(step.layers, step.host_root, (store.folder.resolve().parent,))
        try:
            rootfs.mount_root(source, folders)
            if not rootfs.is_overlay(folders):
                raise instruction.error("RUN needs an overlay on the machine's root, which this machine refuses")
            _write_config(step, folder, folders)
        except (OSError, ValueError) as error:
            raise instruction.error(f"RUN cannot be prepared: {error}") from error
        _run([programs.runtime, "--root", str(folder / "state")], folder, instruction, say)
        rootfs.unmount_root(folders)
        _forget_masks(source, folders.upper)
        return store.add_layer(folders.upper, keep_owners=True)
    finally:
        rootfs.unmount_root(folders)
        cgroups.remove(f"/drumroll-{folder.name}")
        shutil.rmtree(folder, ignore_errors=True)


def _write_config(step: BuildStep, folder: Path, folders: RootFolders) -> None:
    inside = ImageTree([folders.root]).resolve(step.working_dir)
    (folders.root / inside.lstrip("/")).mkdir(parents=True, exist_ok=True)
    names = ("/etc/resolv.conf", "/etc/hosts")
    mounts = [Mount(Path(name), name, read_only=True) for name in names if (folders.root / name[1:]).is_file()]
    config = ContainerConfig(
        root=folders.root,
        process=ProcessConfig(step.argv, step.env, step.working_dir, find_identity(step.user, folders.root)),
        hostname="build",
        cgroup=f"/drumroll-{folder.name}",
        resources=cgroups.limits(0, None, None),
        mounts=[mount for mount in mounts if mount.source.is_file()],
        show_cgroup=cgroups.is_unified(),
    )
    (folder / "config.json").write_text(json.dumps(oci_config(config)), encoding="utf-8")


def _run(runtime: list[str], folder: Path, instruction: Instruction, say: Callable[[str], None]) -> None:
    log = folder / "runtime.log"
    command = [*runtime, "--log", str(log), "run", "--bundle", str(folder), f"drumroll-{folder.name}"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    try:
        for line in process.stdout or ():
            say("    " + line.rstrip("\n"))
        code = process.wait()
    finally:
        if process.poll() is None:  # interrupted
            subprocess.run([*runtime, "delete", "--force", f"drumroll-{folder.name}"], check=False, stdout=sys.stderr)
            process.kill()
            process.wait()
    if code != 0:
        errors = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        own = [line for line in errors.splitlines() if "level=error" in line]
        reason = runtime_message(own[-1]) if own else f"it ended with exit code {code}"
        raise instruction.error(f"RUN {instruction.value}: {reason}")


def _forget_masks(source: RootSource, upper: Path) -> None:
    """What hid the machine's own folders is no part of the image."""
    masked = {"proc", "sys", "dev", *(rootfs.masked_folders(source) if source.host_root else ())}
    for name in masked:
        shutil.rmtree(upper / name, ignore_errors=True)
    if source.host_root:
        rootfs.forget_deleted(upper)
    parents = {str(parent) for name in (*masked, "etc/shadow") for parent in Path(name).parents}
    for name in sorted(parents - {"."}, reverse=True):
        place = upper / name
        if place.is_dir() and not is_opaque(place) and not any(place.iterdir()):
            place.rmdir()
