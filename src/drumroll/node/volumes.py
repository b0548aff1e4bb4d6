"""A pod's volumes as files and folders of the machine. ConfigMaps and Secrets change in place, all files at once."""

import asyncio
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drumroll.domain.expansion import expand
from drumroll.node.agent_context import NodeContext
from drumroll.node.runtime import Mount
from drumroll.node.volumes_content import Files, VolumeError, volume_files
from drumroll.objects.meta import Obj

READ_ONLY = ("configMap", "secret", "projected", "downwardAPI")

_CHECKS = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


async def set_up_volumes(context: NodeContext, pod: Obj, folder: Path) -> dict[str, Path]:
    """Every volume's place, by name; contents are brought up to date. Raises VolumeError, the text of FailedMount."""
    places: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or ():
        name = volume["name"]
        if (host_path := volume.get("hostPath")) is not None:
            places[name] = _host_path(name, host_path)
            continue
        place = folder / "volumes" / name
        if volume.get("emptyDir") is not None or not _has_known_source(volume):
            if not _has_known_source(volume):
                raise VolumeError(f'volume "{name}" has a source that this node does not support')
            await asyncio.to_thread(_empty_folder, place)
        else:
            files = await volume_files(context, pod, volume)
            await asyncio.to_thread(write_atomically, place, files)
        places[name] = place
    return places


def unenforced_limits(pod: Obj) -> str:
    """What a person must know about the pod's emptyDir sizeLimits; empty when it has none.

    The original measures such volumes and evicts a pod that outgrows its limit; this node does not.
    """
    names = [
        volume["name"]
        for volume in pod["spec"].get("volumes") or ()
        if (volume.get("emptyDir") or {}).get("sizeLimit") not in (None, "0")
    ]
    return f"sizeLimit of emptyDir volumes is not enforced here: {', '.join(names)}" if names else ""


def _has_known_source(volume: Mapping[str, Any]) -> bool:
    return any(volume.get(source) is not None for source in ("emptyDir", *READ_ONLY))


def _empty_folder(place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o777)


def _host_path(name: str, source: Mapping[str, Any]) -> Path:
    """The machine's own path, checked as its type asks. Source: kubernetes pkg/volume/hostpath."""
    path, kind = Path(source["path"]), source.get("type") or ""
    try:
        if kind == "DirectoryOrCreate":
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        elif kind == "FileOrCreate" and not path.exists():
            path.touch(mode=0o644)
    except OSError as error:
        raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
    check, what = _CHECKS.get(kind.removesuffix("OrCreate"), (None, ""))
    if check is not None and not (path.exists() and check(path.stat().st_mode)):
        problem = f"hostPath type check failed: {path} is not {what}"
        raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {problem}')
    return path


def write_atomically(folder: Path, files: Files) -> bool:
    """Make `folder` show exactly these files; a reader sees all old ones or all new ones. True when it changed.

    Layout as the original's: `key -> ..data/key`, `..data -> ..<revision>`, so that programs which watch the link work.
    Source: kubernetes pkg/volume/util/atomic_writer.go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "..data"
    current = data.readlink().name if data.is_symlink() else None
    if current is not None and _read_back(folder / current) == files:
        return False
    number = int(current.rpartition("_")[2]) + 1 if current else 1
    fresh = folder / f"..revision_{number}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o755)
    for name, file in files.items():
        target = fresh / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file[0])
        target.chmod(file[1])
    _replace_link(data, fresh.name)
    _show(folder, {name.partition("/")[0] for name in files})
    if current is not None:
        shutil.rmtree(folder / current, ignore_errors=True)
    return True


def _show(folder: Path, names: set[str]) -> None:
    for name in names:
        if not (folder / name).is_symlink():
            _replace_link(folder / name, f"..data/{name}")
    for child in folder.iterdir():
        if not child.name.startswith("..") and child.name not in names:
            child.unlink()


def _replace_link(link: Path, target: str) -> None:
    fresh = link.with_name(f"..new_{link.name.lstrip('.')}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.rename(link)


def _read_back(folder: Path) -> Files:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): (p.read_bytes(), stat.S_IMODE(p.stat().st_mode)) for p in found}


def container_mounts(
    pod: Obj, container: Obj, volumes: Mapping[str, Path], env: Mapping[str, str]
) -> tuple[Mount, ...]:
    """A container's volumeMounts, with subPath resolved. Raises VolumeError."""
    sources = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    mounts = []
    for mount in container.get("volumeMounts") or ():
        name = mount["name"]
        if name not in volumes:
            continue
        below = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
        source = _below(volumes[name], below) if below else volumes[name]
        fixed = any(sources[name].get(kind) is not None for kind in READ_ONLY)
        mounts.append(Mount(source, mount["mountPath"], bool(mount.get("readOnly")) or fixed))
    return tuple(mounts)


def _below(volume: Path, sub_path: str) -> Path:
    found = (volume / sub_path).resolve()
    if not found.is_relative_to(volume.resolve()):
        raise VolumeError(f'failed to prepare subPath "{sub_path}": it leaves its volume')
    if not found.exists():
        found.mkdir(parents=True, exist_ok=True)
    return found
