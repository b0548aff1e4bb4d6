"""The files of an image while it is built: what its layers hold, and what the next layer will add."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from drumroll.node.archive import copy_owned, is_opaque

_MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class Planned:
    """A file to copy, or a folder to make when `source` is None or a folder (whose permissions it then takes)."""

    source: Path | None
    owner: tuple[int, int] | None = None

    @property
    def is_folder(self) -> bool:
        """Whether a folder will be made."""
        return self.source is None or (self.source.is_dir() and not self.source.is_symlink())


class ImageTree:
    """The layers' folders, lowest first, with a plan for the next layer on top. Paths are absolute in the image."""

    def __init__(self, layers: Sequence[Path]) -> None:
        self.layers = list(layers)
        self.plan: dict[str, Planned] = {}

    def is_folder(self, path: str) -> bool:
        """Whether `path` is a folder in the image so far."""
        planned = self.plan.get(path)
        if planned is not None:
            return planned.is_folder
        if any(name.startswith(path.rstrip("/") + "/") for name in self.plan):
            return True
        found = self._below(path)
        return path == "/" or (found is not None and found.is_dir() and not found.is_symlink())

    def resolve(self, path: str) -> str:
        """`path` with the image's own symbolic links followed, as far as it exists.

        COPY into /bin of a system where /bin is a link must not replace the link.
        """
        parts = [part for part in path.split("/") if part not in ("", ".")]
        done: list[str] = []
        links = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            here = "/" + "/".join([*done, part])
            target = self._link(here)
            if target is None or links >= _MAX_LINKS:
                done.append(part)
                continue
            links += 1
            parts = [piece for piece in target.split("/") if piece not in ("", ".")] + parts
            if target.startswith("/"):
                done = []
        return "/" + "/".join(done)

    def fingerprint(self) -> str:
        """A digest of the plan: equal names, permissions, owners and contents give equal ones."""
        summary = sha256()
        for name, planned in sorted(self.plan.items()):
            summary.update(f"{name}\0{planned.owner}\0{_describe(planned)}\n".encode())
        return summary.hexdigest()

    def stage(self, target: Path) -> None:
        """Make the planned files below `target`, an empty folder. The plan stays."""
        for name, planned in sorted(self.plan.items()):
            place = target / name.lstrip("/")
            self._make_parents(target, name)
            if planned.is_folder:
                place.mkdir(exist_ok=True)
                place.chmod(self._folder_mode(name, planned))
                if planned.owner is not None and os.geteuid() == 0:
                    os.chown(place, *planned.owner)
            elif planned.source is not None:
                place.unlink(missing_ok=True)
                copy_owned(planned.source, place, planned.owner)

    def _make_parents(self, target: Path, name: str) -> None:
        """A layer's folder also covers the permissions of the folder below it, so they are taken over."""
        parents = [parent for parent in reversed(Path(name).parents) if str(parent) != "/"]
        for parent in parents:
            place = target / str(parent).lstrip("/")
            if not place.is_dir():
                place.mkdir()
                place.chmod(self._folder_mode(str(parent), None))

    def _folder_mode(self, name: str, planned: Planned | None) -> int:
        if planned is not None and planned.source is not None:
            return stat.S_IMODE(planned.source.stat().st_mode)
        below = self._below(name)
        return stat.S_IMODE(below.stat().st_mode) if below is not None and below.is_dir() else 0o755

    def _link(self, path: str) -> str | None:
        planned = self.plan.get(path)
        if planned is not None:
            is_link = planned.source is not None and planned.source.is_symlink()
            return str(planned.source.readlink()) if is_link and planned.source is not None else None
        found = self._below(path)
        return str(found.readlink()) if found is not None and found.is_symlink() else None

    def _below(self, path: str) -> Path | None:
        """Where the topmost layer that has `path` keeps it; None when it is in none, or deleted."""
        for layer in reversed(self.layers):
            place = layer / path.lstrip("/")
            if _is_whiteout(place):
                return None
            if place.is_symlink() or place.exists():
                return place
            if any(_hides_below(parent) for parent in _parents(layer, place)):
                return None
        return None


def _parents(layer: Path, place: Path) -> Iterator[Path]:
    parent = place.parent
    while parent != layer and parent.is_relative_to(layer):
        yield parent
        parent = parent.parent


def _hides_below(folder: Path) -> bool:
    return _is_whiteout(folder) or (folder.is_dir() and is_opaque(folder))


def _is_whiteout(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _describe(planned: Planned) -> str:
    source = planned.source
    if source is None:
        return "folder"
    if source.is_symlink():
        return f"link {source.readlink()}"
    mode = stat.S_IMODE(source.stat().st_mode)
    if source.is_dir():
        return f"folder {mode:o}"
    with source.open("rb") as content:
        return f"file {mode:o} {_digest(content.read())}"


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
