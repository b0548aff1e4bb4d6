"""Whether containers work on this machine: asked by running one, once per boot."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from drumroll.node import cgroups, network, rootfs
from drumroll.node.conmon import Programs, find_programs, remember_runtime, runtime_candidates, runtime_message
from drumroll.node.oci_config import ContainerConfig, ProcessConfig, oci_config
from drumroll.node.rootfs import RootFolders, RootSource

_PROBES = Path("/run/drumroll")
_TIMEOUT = 20.0  # seconds


def check(folder: Path = _PROBES) -> str | None:
    """Why container isolation cannot work here with pods below `folder`, as a sentence; None when it can.

    The first call after a boot runs a container for it (about 0.1 s), later ones remember that it worked.
    """
    if os.geteuid() != 0:
        return "it needs root, and this process is not root's."
    programs = find_programs()
    if isinstance(programs, str):
        return programs
    if _remembered() == _signature(programs, folder):
        return None
    refusal = network.refusal() or _refusal_of_overlay(folder) or _refusal_of_containers()
    if refusal is None:
        chosen = find_programs()
        if isinstance(chosen, Programs):
            (_PROBES / "works").write_text(_signature(chosen, folder))
    return refusal


def _remembered() -> str | None:
    try:
        return (_PROBES / "works").read_text()
    except OSError:
        return None


def _signature(programs: Programs, folder: Path) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {programs.runtime} {programs.conmon} {folder}"


def _refusal_of_overlay(below: Path) -> str | None:
    for place in (_PROBES, below):
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=".overlay-", dir=place))
        except OSError as error:
            return f"{place} cannot be written ({error.strerror})."
        if refusal := rootfs.refusal(folder):
            return refusal
    return None


def _refusal_of_containers() -> str | None:
    """Try the OCI runtimes that are installed, and remember the first that works."""
    refusals = []
    for runtime in runtime_candidates():
        refusal = _run_probe(runtime)
        if refusal is None:
            remember_runtime(runtime)
            return None
        refusals.append(f"{Path(runtime).name} fails here: {refusal}")
    return " ".join(refusals) or "no OCI runtime is installed."


def _run_probe(runtime: str) -> str | None:
    folder = Path(tempfile.mkdtemp(prefix="probe-", dir=_PROBES))
    folders = RootFolders(folder)
    name = f"drumroll-{folder.name}"
    try:
        rootfs.mount_root(RootSource((), host_root=True), folders)
        config = ContainerConfig(
            root=folders.root,
            process=ProcessConfig(argv=("/bin/true",), env={}, working_dir="/"),
            hostname="probe",
            cgroup=f"/{name}",
            resources=cgroups.limits(0.1, 0.5, 64 << 20),
            show_cgroup=cgroups.is_unified(),
        )
        (folder / "config.json").write_text(json.dumps(oci_config(config)))
        done = subprocess.run(
            [runtime, "--root", str(folder / "state"), "run", "--bundle", str(folder), name],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{error}."
    finally:
        rootfs.unmount_root(folders)
        cgroups.remove(f"/{name}")
        shutil.rmtree(folder, ignore_errors=True)
    return None if done.returncode == 0 else f"{runtime_message(done.stderr)}."
