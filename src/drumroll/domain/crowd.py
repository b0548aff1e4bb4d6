"""The pods of one owner, counted as they change.

A decision asks how many pods there are and how many of them are ready, and each change of one pod asks for a decision.
Going over ten thousand pods each time made a rollout of them slower than ten of a thousand.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from drumroll.domain.replica import Labels, Replica, replica_of
from drumroll.objects.meta import Obj, uid_of


@dataclass(frozen=True, slots=True)
class Group:
    """Pods that count the same. It goes on changing with the crowd."""

    labels: Labels
    is_ready: bool
    replicas: Mapping[str, Replica]
    """By uid."""


class Crowd:
    """The pods that have the same controller. Those that have ended are not in it."""

    def __init__(self, replicas: Iterable[Replica] = ()) -> None:
        self._known: dict[str, Replica] = {}
        self._active: dict[tuple[Labels, bool], dict[str, Replica]] = {}
        self.leaving = 0
        """How many are on their way out."""
        self.on_node: Counter[str] = Counter()
        """How many that stay each node has."""
        for replica in replicas:
            self.put(replica)

    def __bool__(self) -> bool:
        return bool(self._known)

    def groups(self) -> Iterator[Group]:
        """Those that are not on their way out."""
        return (Group(labels, is_ready, group) for (labels, is_ready), group in self._active.items())

    def put(self, replica: Replica) -> None:
        """A pod came or changed."""
        self.drop(replica.uid)
        if replica.is_finished:
            return
        self._known[replica.uid] = replica
        if replica.is_deleting:
            self.leaving += 1
        else:
            self._active.setdefault((replica.labels, replica.is_ready), {})[replica.uid] = replica
            self.on_node[replica.node] += 1

    def drop(self, uid: str) -> None:
        """The pod of that uid is gone, or somebody else's."""
        known = self._known.pop(uid, None)
        if known is None:
            return
        if known.is_deleting:
            self.leaving -= 1
            return
        group = self._active[known.labels, known.is_ready]
        del group[uid]
        if not group:
            del self._active[known.labels, known.is_ready]
        self.on_node[known.node] -= 1
        if not self.on_node[known.node]:
            del self.on_node[known.node]


class Crowds:
    """The pods of every owner, up to date."""

    def __init__(self) -> None:
        self._crowds: dict[str, Crowd] = {}
        self._owners: dict[str, str] = {}  # by the pod's uid

    def of(self, owner: str) -> Crowd:
        """The pods whose controller has that uid."""
        return self._crowds.get(owner) or Crowd()

    def changed(self, old: Obj | None, new: Obj | None) -> None:
        """A pod came, changed or went; None where it did not or does not exist."""
        if old is not None and (new is None or uid_of(new) != uid_of(old)):
            self._leave(uid_of(old))
        if new is None:
            return
        replica = replica_of(new)
        if self._owners.get(replica.uid) != replica.owner:
            self._leave(replica.uid)
        if replica.owner is not None:
            self._owners[replica.uid] = replica.owner
            self._crowds.setdefault(replica.owner, Crowd()).put(replica)

    def _leave(self, uid: str) -> None:
        owner = self._owners.pop(uid, None)
        if owner is None:
            return
        crowd = self._crowds.get(owner)
        if crowd is None:
            return
        crowd.drop(uid)
        if not crowd:
            del self._crowds[owner]
