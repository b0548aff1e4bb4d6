"""Layers as tar archives: equal trees give equal bytes, and unpacking stays inside its folder."""

import hashlib
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_OPAQUE_ATTRIBUTES = ("trusted.overlay.opaque", "user.overlay.opaque")


class HashingFile:
    """A binary file to write to that knows the SHA-256 and the size of what was written."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Pass `data` on; the number of bytes."""
        self._hash.update(data)
        self.size += len(data)
        return self._out.write(data)

    @property
    def digest(self) -> str:
        """`sha256:…` of everything written so far."""
        return "sha256:" + self._hash.hexdigest()


def pack(tree: Path, out: IO[bytes], *, keep_owners: bool) -> tuple[str, int]:
    """Write `tree` as a layer archive; its digest and size in bytes.

    Names are sorted, times are zero, and owners are root unless `keep_owners`: the same files give the same digest
    on every machine. Overlay's white-outs become the `.wh.` entries of the OCI image specification.
    """
    sink = HashingFile(out)
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
        for name, path in _walk(tree):
            _add(archive, name, path, keep_owners)
    return sink.digest, sink.size


def _walk(tree: Path) -> Iterator[tuple[str, Path]]:
    for folder, subfolders, files in os.walk(tree):
        subfolders.sort()
        here = Path(folder)
        names = sorted([*files, *subfolders])
        for name in names:
            path = here / name
            yield str(path.relative_to(tree)), path


def _add(archive: tarfile.TarFile, name: str, path: Path, keep_owners: bool) -> None:
    status = path.lstat()
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        pure = PurePosixPath(name)
        archive.addfile(_zeroed(tarfile.TarInfo(str(pure.parent / (WHITEOUT + pure.name)))))
        return
    if stat.S_ISSOCK(status.st_mode) or stat.S_ISFIFO(status.st_mode):
        return
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(status.st_mode)
    if keep_owners:
        info.uid, info.gid = status.st_uid, status.st_gid
    if stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
        info.mode = 0o777
        archive.addfile(_zeroed(info))
    elif stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(_zeroed(info))
        if is_opaque(path):
            archive.addfile(_zeroed(tarfile.TarInfo(f"{name}/{OPAQUE}")))
    else:
        info.size = status.st_size
        with path.open("rb") as content:
            archive.addfile(_zeroed(info), content)


def _zeroed(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mtime = 0
    return info


def is_opaque(folder: Path) -> bool:
    """Whether an overlay layer's folder hides what lower layers have at its place."""
    for attribute in _OPAQUE_ATTRIBUTES:
        try:
            if os.getxattr(folder, attribute, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def make_opaque(folder: Path) -> None:
    """Let `folder`, part of an overlay layer, hide what lower layers have at its place. Needs root."""
    os.setxattr(folder, _OPAQUE_ATTRIBUTES[0], b"y", follow_symlinks=False)


def make_whiteout(path: Path) -> None:
    """Let an overlay layer delete `path` of the layers below it. Needs root."""
    os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def unpack(archive: tarfile.TarFile, target: Path) -> None:
    """Lay a layer archive out below `target`, white-outs in overlay's form where this process may make them.

    Raises ValueError for entries that would leave `target`. Owners are kept when run as root.
    """
    is_root = os.geteuid() == 0
    for member in archive:
        pure = PurePosixPath(member.name.lstrip("/"))
        if ".." in pure.parts:
            raise ValueError(f"archive entry {member.name!r} points outside of the image")
        if pure.name.startswith(WHITEOUT):
            _unpack_whiteout(target, pure, is_root)
        elif pure.parts:
            member.name = str(pure)
            archive.extract(member, target, set_attrs=True, numeric_owner=True, filter=_layer_filter)


def _unpack_whiteout(target: Path, pure: PurePosixPath, is_root: bool) -> None:
    folder = target / pure.parent
    folder.mkdir(parents=True, exist_ok=True)
    if not is_root:
        return  # without root there is no overlay either: layers are laid over each other by copying
    if pure.name == OPAQUE:
        make_opaque(folder)
    else:
        make_whiteout(folder / pure.name.removeprefix(WHITEOUT))


def _layer_filter(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    if member.isdev():
        return None  # /dev is made fresh in every container
    checked = tarfile.tar_filter(member, path)  # refuses what leaves the folder, also through links
    return checked.replace(mode=member.mode & 0o7777)


def copy_owned(source: Path, target: Path, owner: tuple[int, int] | None) -> None:
    """Copy one file or symlink with its permissions; `owner` (uid, gid) applies where this process may set it."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
    else:
        shutil.copyfile(source, target)
        target.chmod(stat.S_IMODE(source.stat().st_mode))
    if owner is not None and os.geteuid() == 0:
        os.lchown(target, *owner)
