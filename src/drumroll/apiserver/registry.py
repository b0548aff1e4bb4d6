"""Which kinds are served now: those of the table, and those that accepted definitions add.

Reads are dictionary look-ups; it changes with the write of a definition, before that write is answered.
"""

from collections.abc import Iterable
from typing import Any

from drumroll.objects.custom import CustomKind, is_accepted, kinds_of
from drumroll.objects.kinds import BY_RESOURCE, SERVED, Kind
from drumroll.objects.meta import Obj

_GROUPS = frozenset(kind.group for kind in SERVED)
_GROUP_VERSIONS = frozenset((kind.group, kind.version) for kind in SERVED)


class Registry:
    """`version` grows with every change: documents made from the kinds are good for one version."""

    def __init__(self) -> None:
        self.version = 0
        self.kinds: tuple[Kind, ...] = SERVED
        self.custom: tuple[CustomKind, ...] = ()
        self.derived: dict[str, Any] = {}  # documents made from these kinds
        self._of: dict[str, tuple[CustomKind, ...]] = {}
        self._generations: dict[str, tuple[str, int, int]] = {}  # by definition: uid, generation, its first revision
        self._by_resource: dict[tuple[str, str, str], CustomKind] = {}
        self._groups: frozenset[str] = frozenset()
        self._group_versions: frozenset[tuple[str, str]] = frozenset()

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind of a resource; None when it is not served."""
        return BY_RESOURCE.get((group, version, plural)) or self._by_resource.get((group, version, plural))

    def has_group(self, group: str) -> bool:
        """Whether any kind of the group is served."""
        return group in _GROUPS or group in self._groups

    def has_version(self, group: str, version: str) -> bool:
        """Whether any kind of the group is served in that version."""
        return (group, version) in _GROUP_VERSIONS or (group, version) in self._group_versions

    def others(self, crd: Obj) -> Iterable[Kind]:
        """The kinds of a definition's group that are not its own: their names are taken."""
        group, name = crd["spec"]["group"], crd["metadata"]["name"]
        yield from (kind for kind in SERVED if kind.group == group)
        for owner, kinds in self._of.items():
            if owner != name:
                yield from (kind for kind in kinds if kind.group == group)

    def note(self, crd: Obj, revision: int, *, deleted: bool = False) -> None:
        """Take over what a stored definition says."""
        name, metadata = crd["metadata"]["name"], crd["metadata"]
        kinds: tuple[CustomKind, ...] = ()
        if not deleted and is_accepted(crd):
            uid, generation = metadata.get("uid", ""), metadata.get("generation", 0)
            known = self._generations.get(name)
            if known is None or known[:2] != (uid, generation):
                known = self._generations[name] = (uid, generation, revision)
            kinds = tuple(kinds_of(crd, known[2]))
        if deleted:
            self._generations.pop(name, None)
        if kinds:
            self._of[name] = kinds
        elif self._of.pop(name, None) is None:
            return
        self._index()

    def _index(self) -> None:
        self.custom = tuple(kind for name in sorted(self._of) for kind in self._of[name])
        self.kinds = (*SERVED, *self.custom)
        self._by_resource = {(kind.group, kind.version, kind.plural): kind for kind in self.custom}
        self._groups = frozenset(kind.group for kind in self.custom)
        self._group_versions = frozenset((kind.group, kind.version) for kind in self.custom)
        self.version += 1
        self.derived = {}


STATIC = Registry()
"""The kinds of the table alone."""
