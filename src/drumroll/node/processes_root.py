"""An image's files laid out in a plain folder, and the translation of a container's paths into it.

Without namespaces a program sees the machine's own root. So paths that exist below the container's root are
rewritten where we can see them (arguments, working folder, environment values); `DRUMROLL_ROOT` names the root.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from drumroll.node.runtime import Mount

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Root:
    """The folder that stands for `/` of one container."""

    folder: Path

    def find(self, path: str) -> Path:
        """Where an absolute path of the container lies on the machine."""
        return self.folder / path.lstrip("/")

    def has(self, path: str) -> bool:
        """True when the absolute path exists below this root (the root itself does not count)."""
        return path.startswith("/") and path.strip("/") != "" and self.find(path).exists()

    def resolve(self, text: str) -> str:
        """A path, or an option `--name=/path`, translated when it exists below the root; else as it is."""
        option, equals, path = text.partition("=") if text.startswith("-") else ("", "", text)
        return f"{option}{equals}{self.find(path)}" if self.has(path) else text

    def resolve_argv(self, argv: Iterable[str]) -> list[str]:
        """A command line with every such argument translated."""
        return [self.resolve(part) for part in argv]

    def lacks_program(self, name: str, path: str, working_dir: Path) -> bool:
        """Whether a program as it stands in a translated command line is not there or may not be run."""
        if "/" in name:
            return shutil.which(str(working_dir / name)) is None
        return shutil.which(name, path=path) is None

    def resolve_value(self, value: str) -> str:
        """An environment value: one path, or several joined by colons."""
        return ":".join(self.resolve(part) for part in value.split(":")) if value.startswith("/") else value

    def resolve_folder(self, path: str) -> Path:
        """The working folder, made when the image does not have it."""
        found = self.find(path)
        found.mkdir(parents=True, exist_ok=True)
        return found


def assemble_root(folder: Path, layers: Iterable[Path], mounts: Iterable[Mount]) -> Root:
    """A fresh copy of the layers, lowest first, with mounts as symbolic links in it."""
    folder.mkdir(parents=True)
    for layer in layers:
        _add_layer(layer, folder)
    root = Root(folder)
    for mount in sorted(mounts, key=lambda m: len(m.target)):
        _link(_place(root, mount.target), mount.source)
    return root


def _place(root: Root, target: str) -> Path:
    """Where a mount goes. Links in the image (`/var/run -> /run`) are followed as the container sees them: below."""
    place = root.folder
    parts = [part for part in Path(target).parts if part != "/"]
    for _ in range(_MOST_LINKS):
        for index, part in enumerate(parts[:-1]):
            if (place / part).is_symlink():
                link = (place / part).readlink()
                start = Path("/") if link.is_absolute() else Path("/") / place.relative_to(root.folder)
                joined = os.path.normpath(start / link / Path(*parts[index + 1 :]))
                parts = [piece for piece in Path(joined).parts if piece not in ("/", "..")]
                place = root.folder
                break
            place = place / part
        else:
            return place / parts[-1]
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), target)


def _add_layer(layer: Path, folder: Path) -> None:
    for here, directories, files in os.walk(layer):
        there = folder / Path(here).relative_to(layer)
        there.mkdir(exist_ok=True)
        if OPAQUE in files:
            for child in there.iterdir():
                _remove(child)
        for name in (*files, *(d for d in directories if (Path(here) / d).is_symlink())):
            _add_file(Path(here) / name, there)


def _add_file(source: Path, folder: Path) -> None:
    mode = source.lstat()
    target = folder / source.name
    if source.name == OPAQUE:
        return
    if source.name.startswith(WHITEOUT):
        _remove(folder / source.name.removeprefix(WHITEOUT))
    elif stat.S_ISCHR(mode.st_mode) and mode.st_rdev == 0:
        _remove(target)
    elif stat.S_ISREG(mode.st_mode) or stat.S_ISLNK(mode.st_mode):
        _remove(target)
        shutil.copy2(source, target, follow_symlinks=False)


def _link(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove(target)
    target.symlink_to(source)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
