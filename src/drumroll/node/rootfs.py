"""A container's root file system: the image's layers under a folder of its own to write to.

An image FROM host lies over the machine's own root. Overlay refuses layers that are themselves below a lower layer
("/" is above everything), so the layers are first mounted as an overlay of their own: that is another file system.
Where an overlay on "/" is refused, the host's folders are bound read-only around what the image brings.
"""

import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drumroll.node.archive import make_opaque, make_whiteout
from drumroll.node.rootfs_mounts import MS_BIND, MS_RDONLY, MS_REMOUNT, mount, mounted_below, unmount

# what no container needs to see of the machine, beside Drumroll's own folders; /tmp and /run are fresh
_EMPTY = {"root": 0o700, "home": 0o755, "tmp": 0o1777, "run": 0o755, "etc/ssl/private": 0o710}
_DELETED = ("etc/shadow", "etc/shadow-", "etc/gshadow", "etc/gshadow-")
_FRESH = ("proc", "sys", "dev")
_OWN_FILE_SYSTEMS = ("/usr", "/opt", "/var", "/etc", "/srv", "/lib", "/lib64", "/bin", "/sbin")


@dataclass(frozen=True, slots=True)
class RootSource:
    """What a root file system is made of: layers lowest first, on the machine's own root when `host_root`.

    `hidden` are absolute folders of the host that stay invisible.
    """

    layers: tuple[Path, ...]
    host_root: bool
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class RootFolders:
    """Where one root file system lives, below `folder`: the mounted `root`, and what overlay needs."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root as the container sees it."""
        return self.folder / "rootfs"

    @property
    def upper(self) -> Path:
        """What the container has written."""
        return self.folder / "upper"

    @property
    def work(self) -> Path:
        """Overlay's own."""
        return self.folder / "work"

    @property
    def image(self) -> Path:
        """The image's layers as one file system, for images FROM host."""
        return self.folder / "image"


def mount_root(source: RootSource, folders: RootFolders) -> None:
    """Mount the root file system at `folders.root`. Raises OSError; call `unmount_root` then too."""
    for folder in (folders.root, folders.upper, folders.work):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    if not source.host_root:
        _mount_overlay(source.layers[::-1] or (_empty(folders),), folders)
        return
    try:
        _mask_host(source, folders.upper)
        lower = [Path("/")]
        if source.layers:
            folders.image.mkdir(exist_ok=True)
            tops = source.layers[::-1] if len(source.layers) > 1 else (source.layers[0], _empty(folders))
            mount("overlay", folders.image, "overlay", MS_RDONLY, f"lowerdir={_joined(tops)}")
            lower.insert(0, folders.image)
        _mount_overlay(lower, folders)
        _bind_own_file_systems(folders.root)
    except OSError:
        unmount_root(folders)
        shutil.rmtree(folders.upper, ignore_errors=True)
        mount_root_by_binds(source, folders)


def unmount_root(folders: RootFolders) -> None:
    """Unmount all that `mount_root` mounted; the folders stay. Does nothing twice."""
    for point in mounted_below(folders.folder):
        unmount(point)


def is_overlay(folders: RootFolders) -> bool:
    """Whether `mount_root` could mount an overlay: then `folders.upper` holds what the container changed."""
    return (folders.work / "work").exists()


def forget_deleted(upper: Path) -> None:
    """Take the white-outs of the machine's secrets out of a writable layer again."""
    for name in _DELETED:
        if _is_whiteout(upper / name):
            (upper / name).unlink()


def _mount_overlay(lower: Sequence[Path], folders: RootFolders) -> None:
    places = f"upperdir={folders.upper},workdir={folders.work}"
    mount("overlay", folders.root, "overlay", 0, f"lowerdir={_joined(lower)},{places}")


def _joined(layers: Sequence[Path]) -> str:
    return ":".join(str(layer).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,") for layer in layers)


def _empty(folders: RootFolders) -> Path:
    folder = folders.folder / "empty"
    folder.mkdir(exist_ok=True)
    return folder


def _mask_host(source: RootSource, upper: Path) -> None:
    """Opaque folders and white-outs in the writable layer hide what lies below, without a mount for each."""
    for name, mode in masked_folders(source).items():
        place = _copy_of_parents(name, upper)
        place.mkdir(exist_ok=True)
        place.chmod(mode)
        make_opaque(place)  # this also hides what the image has there, so that is copied
        for layer in source.layers:
            if (layer / name).is_dir():
                shutil.copytree(layer / name, place, symlinks=True, dirs_exist_ok=True)
    for name in _DELETED:
        if Path("/", name).exists() and not _is_in_layers(name, source.layers):
            place = _copy_of_parents(name, upper)
            if not place.exists() and not _is_whiteout(place):
                make_whiteout(place)


def masked_folders(source: RootSource) -> dict[str, int]:
    """The folders (relative to the root) that an image FROM host sees empty, with their permissions."""
    masked = {**_EMPTY, **dict.fromkeys(_FRESH, 0o755)}
    for path in source.hidden:
        parents = {str(parent).lstrip("/") for parent in (path, *path.parents)}
        if not parents & set(masked) and path != Path("/"):
            masked[str(path).lstrip("/")] = 0o755
    return {name: mode for name, mode in masked.items() if Path("/", name).is_dir()}


def _is_in_layers(name: str, layers: Sequence[Path]) -> bool:
    return any((layer / name).exists() for layer in layers)


def _is_whiteout(place: Path) -> bool:
    try:
        return stat.S_ISCHR(place.lstat().st_mode)
    except FileNotFoundError:
        return False


def _copy_of_parents(name: str, upper: Path) -> Path:
    """The place of `name` in the writable layer, its parents made like the host's."""
    place, seen = upper, Path("/")
    for part in Path(name).parts[:-1]:
        place, seen = place / part, seen / part
        if not place.is_dir():
            place.mkdir()
            status = seen.stat()
            place.chmod(stat.S_IMODE(status.st_mode))
            os.chown(place, status.st_uid, status.st_gid)
    return place / Path(name).name


def _bind_own_file_systems(root: Path) -> None:
    """An overlay of "/" does not show what is mounted below it: /usr on a partition of its own, for instance."""
    points = {str(point) for point in mounted_below(Path("/"))}
    for name in _OWN_FILE_SYSTEMS:
        if name in points and not Path(name).is_symlink():
            _bind_read_only(Path(name), root / name.lstrip("/"))


def _bind_read_only(source: Path, target: Path) -> None:
    mount(str(source), target, flags=MS_BIND)
    mount("", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def mount_root_by_binds(source: RootSource, folders: RootFolders) -> None:
    """Compose the root of read-only binds of the host's folders and copies of what the image brings."""
    for folder in (folders.root, folders.upper):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    mount(str(folders.upper), folders.root, flags=MS_BIND)
    hidden = {*(Path("/", name) for name in (*_EMPTY, *_DELETED, *_FRESH)), *source.hidden}
    _compose(Path("/"), source.layers, hidden, folders.root)
    for name, mode in {**dict.fromkeys(_FRESH, 0o755), **_EMPTY}.items():
        (folders.root / name).mkdir(parents=True, exist_ok=True)
        (folders.root / name).chmod(mode)


def _compose(host: Path, layers: Sequence[Path], hidden: set[Path], target: Path) -> None:
    """Show the host's folder `host` at `target`, with the image's `layers` (its own folders there) in it."""
    brought = {name for layer in layers for name in _names(layer)}
    around = {parent for path in hidden for parent in path.parents}
    for name in sorted({*_names(host), *brought}):
        theirs, place = host / name, target / name
        ours = [layer / name for layer in layers if os.path.lexists(layer / name)]
        is_folder = theirs.is_dir() and not theirs.is_symlink()
        if ours and not all(path.is_dir() and not path.is_symlink() for path in ours):
            _copy(ours[-1], place)
        elif theirs in hidden or not os.path.lexists(theirs):
            for layer in ours:
                shutil.copytree(layer, place, symlinks=True, dirs_exist_ok=True)
        elif theirs.is_symlink():
            place.symlink_to(theirs.readlink())
        elif is_folder and (ours or theirs in around):
            place.mkdir(exist_ok=True)
            place.chmod(stat.S_IMODE(theirs.stat().st_mode))
            _compose(theirs, ours, hidden, place)
        elif is_folder or theirs.is_file():
            place.mkdir(exist_ok=True) if is_folder else place.touch()
            _bind_read_only(theirs, place)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def refusal(folder: Path) -> str | None:
    """Why images cannot be mounted below `folder`, as a sentence; None when they can."""
    folders = RootFolders(folder)
    try:
        mount_root(RootSource((), host_root=False), folders)
    except OSError as error:
        return f"this machine refuses overlay mounts below {folder} ({error.strerror})."
    finally:
        unmount_root(folders)
        shutil.rmtree(folder, ignore_errors=True)
    return None
