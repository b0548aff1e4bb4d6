"""Mounting without a subprocess: the system calls, and what is mounted where."""

import ctypes
import os
from pathlib import Path

MS_RDONLY = 1
MS_REMOUNT = 32
MS_BIND = 4096
MS_SHARED = 1 << 20
MNT_DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2). Raises OSError that names the target."""
    result = libc.mount(
        source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), options.encode() or None
    )
    check_call(result, str(target))


def unmount(target: Path) -> bool:
    """Take the mount at `target` away, also while it is in use; False when nothing was mounted there."""
    if libc.umount2(os.fsencode(target), MNT_DETACH) == 0:
        return True
    error = ctypes.get_errno()
    if error in (22, 2):  # EINVAL: not a mount point, ENOENT: not there
        return False
    raise OSError(error, os.strerror(error), str(target))


def check_call(result: int, subject: str) -> None:
    """Raise OSError of the last system call about `subject` when its result says that it failed."""
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), subject)


def mounted_below(folder: Path) -> list[Path]:
    """Every mount point at or below `folder`, the last mounted first (the order in which to unmount)."""
    prefix = str(folder)
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        point = line.split(" ", 5)[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if point == prefix or point.startswith(prefix.rstrip("/") + "/"):
            found.append(Path(point))
    return found[::-1]
