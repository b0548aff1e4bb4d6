"""Every cluster's endpoint life, the contents that were pushed, and which of them Envoy has acknowledged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drumroll.domain.endpoint_life import (
    Address,
    ClusterLife,
    Drain,
    Reading,
    acknowledge,
    advance,
    drain_of,
    observe,
    seed,
)

_REMEMBERED = 16


@dataclass
class Lives:
    """Mutable holder of the pure lives; `by_cluster` has no empty life of an unwanted cluster."""

    by_cluster: dict[str, ClusterLife] = field(default_factory=dict)
    _pushed: dict[str, dict[str, int]] = field(default_factory=dict)  # cluster → digest of a content → its version
    _holders: dict[str, set[str]] = field(default_factory=dict)  # ip → clusters that hold it

    def seed(self, held: Mapping[str, Iterable[Address]]) -> None:
        """Take over what an Envoy holds that has outlived its control plane."""
        for cluster, addresses in held.items():
            self._store(cluster, seed(addresses))

    def advance(self, cluster: str, healthy: frozenset[Address], gone: frozenset[Address]) -> bool:
        """Move one cluster on; True when its content has changed or it is new."""
        life = self.by_cluster.get(cluster)
        moved = advance(life or ClusterLife(), healthy, gone)
        if life is None or moved is not life:
            self._store(cluster, moved)
            return True
        return False

    def pushed(self, cluster: str, digest: str) -> None:
        """The current content of a cluster has this digest."""
        contents = self._pushed.setdefault(cluster, {})
        contents.pop(digest, None)
        contents[digest] = self.by_cluster[cluster].version
        while len(contents) > _REMEMBERED:
            del contents[next(iter(contents))]

    def accepted(self, cluster: str, digest: str) -> bool:
        """Envoy holds the content with this digest; True when that was news."""
        life, version = self.by_cluster.get(cluster), self._pushed.get(cluster, {}).get(digest)
        if life is None or version is None:
            return False
        moved = acknowledge(life, version)
        self.by_cluster[cluster] = moved
        return moved is not life

    def observe(self, readings: Mapping[str, Mapping[Address, Reading]], at: float, asked: Iterable[str]) -> set[str]:
        """Fold in a read of Envoy's admin list; the clusters among those `asked` for in which something went idle."""
        changed = set()
        for cluster in asked:
            life = self.by_cluster.get(cluster)
            if life is None:
                continue
            moved = observe(life, readings.get(cluster, {}), at)
            if moved is not life:
                self.by_cluster[cluster] = moved
                changed.add(cluster)
        return changed

    def forget(self, cluster: str) -> None:
        """The cluster is unwanted and empty."""
        self.by_cluster.pop(cluster, None)
        self._pushed.pop(cluster, None)

    def draining(self) -> list[str]:
        """Clusters with an endpoint that drains."""
        return [cluster for cluster, life in self.by_cluster.items() if life.draining()]

    def drain_of(self, ip: str) -> Drain:
        """How far an address is, over all clusters that hold it."""
        return drain_of((self.by_cluster[name] for name in self._holders.get(ip, ()) if name in self.by_cluster), ip)

    def clusters_of(self, ip: str) -> set[str]:
        """The clusters that hold an address."""
        return set(self._holders.get(ip, ()))

    def _store(self, cluster: str, life: ClusterLife) -> None:
        before = self.by_cluster.get(cluster)
        self.by_cluster[cluster] = life
        ips = {address.ip for address in life.entries}
        for ip in {address.ip for address in before.entries} - ips if before else ():
            holders = self._holders.get(ip, set())
            holders.discard(cluster)
            if not holders:
                self._holders.pop(ip, None)
        for ip in ips:
            self._holders.setdefault(ip, set()).add(cluster)
