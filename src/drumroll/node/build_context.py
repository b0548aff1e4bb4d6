"""The folder that an image is built from: what COPY may take out of it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from drumroll.node.dockerfile import Instruction


@dataclass(frozen=True, slots=True)
class Found:
    """Something that COPY takes: where it lies, and its path below the copied source ("" for the source itself)."""

    path: Path
    below: str


class BuildContext:
    """A folder without what its `.dockerignore` names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        ignore = self.folder / ".dockerignore"
        lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else ()
        self._rules = ignore_rules(lines)

    def select(self, pattern: str, instruction: Instruction) -> list[Path]:
        """The files and folders that a COPY source names, sorted. Raises BuildError when there is none."""
        clean = pattern.lstrip("/")
        if ".." in Path(clean).parts:
            raise instruction.error(
                f"{pattern!r} is outside of the build context {self.folder}: copy it into that folder, "
                "or build with a folder above it"
            )
        if clean in ("", "."):
            return [self.folder]
        is_glob = any(character in clean for character in "*?[")
        candidates = sorted(self.folder.glob(clean)) if is_glob else [self.folder / clean]
        found = [path for path in candidates if (path.exists() or path.is_symlink()) and not self._is_ignored(path)]
        if not found:
            ignored = any(path.exists() for path in candidates)
            why = "is excluded by .dockerignore" if ignored else "matches no file" if is_glob else "does not exist"
            raise instruction.error(f"{instruction.keyword} source {pattern!r} {why} in {self.folder}")
        return [self._followed(path, pattern, instruction) for path in found]

    def walk(self, source: Path) -> Iterator[Found]:
        """A selected source and all below it, folders before their contents, in the order of their names."""
        yield Found(source, "")
        if source.is_dir():
            yield from self._below(source, "")

    def _below(self, folder: Path, prefix: str) -> Iterator[Found]:
        for path in sorted(folder.iterdir()):
            is_folder = path.is_dir() and not path.is_symlink()
            if self._is_ignored(path):
                if not (is_folder and any(negated for negated, _ in self._rules)):
                    continue
                yield from self._kept_below(path, prefix + path.name)
                continue
            yield Found(path, prefix + path.name)
            if is_folder:
                yield from self._below(path, f"{prefix}{path.name}/")

    def _kept_below(self, folder: Path, name: str) -> Iterator[Found]:
        """An ignored folder still shows what a `!` rule takes back."""
        kept = list(self._below(folder, f"{name}/"))
        if kept:
            yield Found(folder, name)
            yield from kept

    def _followed(self, path: Path, pattern: str, instruction: Instruction) -> Path:
        if not path.is_symlink():
            return path
        target = path.resolve()
        if not target.is_relative_to(self.folder):
            raise instruction.error(f"{pattern!r} links to {target}, outside of the build context {self.folder}")
        if not target.exists():
            raise instruction.error(f"{pattern!r} is a link to {target}, which does not exist")
        return target

    def _is_ignored(self, path: Path) -> bool:
        if not self._rules or path == self.folder or not path.is_relative_to(self.folder):
            return False
        return is_ignored(str(path.relative_to(self.folder)), self._rules)


def ignore_rules(lines: Sequence[str]) -> list[tuple[bool, re.Pattern[str]]]:
    """The rules of a `.dockerignore` in order: whether the rule takes back, and what it matches."""
    rules = []
    for raw in lines:
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        negated = line.startswith("!")
        clean = line.removeprefix("!").strip().strip("/").removeprefix("./")
        if clean:
            rules.append((negated, re.compile(_regex(clean) + r"(?:/.*)?")))
    return rules


def is_ignored(name: str, rules: Sequence[tuple[bool, re.Pattern[str]]]) -> bool:
    """Whether the path `name`, relative to the context, is left out; the last matching rule decides."""
    ignored = False
    for negated, pattern in rules:
        if pattern.fullmatch(name):
            ignored = not negated
    return ignored


def _regex(pattern: str) -> str:
    pieces = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|.", pattern)
    return "".join(pieces.get(token) or (token if len(token) > 2 else re.escape(token)) for token in tokens)
