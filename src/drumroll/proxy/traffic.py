"""Turns the world into what Envoy holds: configuration, endpoints, and the life of each endpoint."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from time import monotonic

from drumroll.domain import routing
from drumroll.domain.configuration import Configuration, Edges, Inputs
from drumroll.domain.endpoint_life import Address, Drain, Reading, SliceEndpoint, healthy_of, may_fall_back
from drumroll.domain.envoy import clusters, types
from drumroll.domain.envoy.listeners import Certificate
from drumroll.domain.expansion_services import PUBLISHED_PORTS
from drumroll.domain.gateway import ACKNOWLEDGED, proofs
from drumroll.domain.ingress import is_ours
from drumroll.domain.mesh.revision import revision_of
from drumroll.objects.meta import Key, Obj, annotations_of, is_deleting, key_of, uid_of
from drumroll.proxy.ads import Desired
from drumroll.proxy.certificates import certificate_of
from drumroll.proxy.gateways import Gateways
from drumroll.proxy.lives import Lives
from drumroll.proxy.world import World, caller_ip, pod_ip, service_of

log = logging.getLogger("drumroll.proxy")

OURS = frozenset({ACKNOWLEDGED, PUBLISHED_PORTS})
"""Annotations that the proxy writes itself."""


class Traffic:
    """What Envoy should hold now. `wake` is called when `reconcile` has something to do."""

    def __init__(self, world: World, edges: Edges, certificate: Certificate, wake: Callable[[], None]) -> None:
        self.desired = Desired()
        self.lives = Lives()
        self.configuration = Configuration()
        self.finished: set[str] = set()  # uids of pods that are drained: never to be HEALTHY again
        self.seen: dict[str, datetime] = {}  # uid → when its deletion was first noticed
        self.judged: set[str] = set()  # uids of deleted pods whose endpoints were looked at since
        self.falling_back: set[Key] = set()
        self.gateways = Gateways(world.gateways, edges)
        self._world = world
        self._edges = edges
        self._certificate = certificate
        self._wake = wake
        self._configure = True
        self._is_strange = False  # Envoy may hold routes of an earlier control plane, which name whatever they name
        self._kept: frozenset[str] = frozenset()  # clusters that nobody wants and routes in Envoy still name
        self._dirty: set[str] = set()  # clusters
        self._deleted: set[str] = set()  # uids of pods whose deletion came since the last turn
        self._clusters: dict[Key, list[str]] = {}
        self._callers: dict[str, list[str]] = {}  # addresses of pods by namespaces whose requests have own routes
        self.revisions: dict[str, str] = {}  # address → revision of the pod that had it last

    def watch(self) -> None:
        """Subscribe to the world's changes."""
        for informer in (self._world.services, self._world.ingresses, self._world.classes):
            informer.subscribe(self._configuration_changed)
        self.gateways.watch(self._configuration_changed)
        self._world.secrets.subscribe(self._secret_changed)
        self._world.slices.subscribe(self._slice_changed)
        self._world.pods.subscribe(self._pod_changed)

    def _configuration_changed(self, old: Obj | None, new: Obj | None) -> None:
        if old is not None and new is not None and _wish(old) == _wish(new):
            return  # a status of our own, most of the time
        self._configure = True
        self._wake()

    def _secret_changed(self, old: Obj | None, new: Obj | None) -> None:
        if "tls.crt" in ((new or old or {}).get("data") or {}):
            self._configure = True
            self._wake()

    def _slice_changed(self, old: Obj | None, new: Obj | None) -> None:
        for piece in (old, new):
            if piece is not None:
                self.touch(service_of(piece))

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        pod = new or old or {}
        if key_of(pod).namespace in self._callers and caller_ip(old) != caller_ip(new):
            self._configure = True
            self._wake()
        if new is not None and old is not None and is_deleting(old) == is_deleting(new):
            return
        if new is not None and not is_deleting(new):
            return
        if new is None:
            self.seen.pop(uid_of(pod), None)
            for known in (self.finished, self.judged, self._deleted):
                known.discard(uid_of(pod))
            self._dirty.update(self.lives.clusters_of(pod_ip(pod)))
        else:
            self._deleted.add(uid_of(pod))
        for service in self._world.services_of_pod(pod):
            self.touch(service)
        self._wake()

    def touch(self, service: Key) -> None:
        """Look at a Service's endpoints again."""
        self._dirty.update(self._clusters.get(service, ()))
        self._wake()

    def accepted(self, type_url: str, versions: Mapping[str, str]) -> None:
        """Envoy holds these versions."""
        if self.gateways.accepted(type_url, versions) or (self._kept and not self._kept <= self._named()):
            self._configure = True
            self._wake()
        if type_url == types.ROUTES and self._is_strange and not proofs.has_unknown(self.gateways.proofs):
            self._is_strange = False
            self._dirty.update(self.lives.by_cluster)
            self._wake()
        if type_url != types.ENDPOINTS:
            return
        for cluster, digest in versions.items():
            if self.lives.accepted(cluster, digest):
                self._dirty.add(cluster)
        self._wake()

    def learn(self, held: Mapping[str, Iterable[Address]]) -> None:
        """Take over what an Envoy holds that has outlived its control plane."""
        self.lives.seed(held)
        self._is_strange = True

    def refused(self, type_url: str, name: str, version: str, words: str) -> None:
        """Envoy refuses a resource: offer what it can take."""
        if self.gateways.refused(type_url, name, version, words):
            self._configure = True
            self._wake()

    def _named(self) -> frozenset[str]:
        return proofs.named(self.gateways.proofs)

    def observe(self, readings: Mapping[str, Mapping[Address, Reading]], asked: list[str]) -> None:
        """Fold in a read of Envoy's admin list."""
        self._dirty |= self.lives.observe(readings, monotonic(), asked)

    def reconcile(self, now: datetime) -> bool:
        """Bring `desired` up to date; True when it changed."""
        changed = False
        for service in self.falling_back:
            self._dirty.update(self._clusters.get(service, ()))
        if self._configure:
            self._configure = False
            before = self.configuration
            self.configuration = routing.configure(self._inputs())
            self._keep_named(before)
            self._clusters = {}
            for cluster, upstream in self.configuration.upstreams.items():
                self._clusters.setdefault(upstream.service, []).append(cluster)
            self._dirty = {*self.configuration.upstreams, *self.lives.by_cluster}
            changed = self._set_configuration()
            self._configure = self.gateways.offered(self.configuration, self.desired.versions)
            if self._configure:
                self._wake()
        dirty, self._dirty = self._dirty, set()
        for cluster in sorted(dirty):
            changed |= self._advance(cluster, now)
        self.judged |= self._deleted
        self._deleted = set()
        return changed

    def _keep_named(self, before: Configuration) -> None:
        """Clusters that routes in Envoy still name stay as they are, endpoints and all, until it has others."""
        found = self.configuration
        self._kept = frozenset(name for name in self._named() - found.upstreams.keys() if name in before.upstreams)
        for name in self._kept:
            found.upstreams[name] = before.upstreams[name]
            found.resources[types.CLUSTER][name] = before.resources[types.CLUSTER][name]

    def _set_configuration(self) -> bool:
        resources = self.configuration.resources
        wanted: dict[str, Obj | None] = {**resources[types.CLUSTER]}
        for cluster in self.lives.by_cluster:
            if cluster not in wanted:  # its endpoints must drain first
                wanted[cluster] = self.desired.find(types.CLUSTER, cluster)
        changed = self.desired.set(types.CLUSTER, wanted)
        changed |= self.desired.set(types.SECRET, resources[types.SECRET])
        changed |= self.desired.set(types.LISTENER, resources[types.LISTENER])
        return self.desired.set(types.ROUTES, resources[types.ROUTES]) or changed

    def _advance(self, cluster: str, now: datetime) -> bool:
        wanted = cluster in self.configuration.upstreams
        if not wanted and (cluster not in self.lives.by_cluster or self._is_strange):
            return False
        healthy, listed = self._healthy(cluster, now) if wanted else (frozenset(), set())
        life = self.lives.by_cluster.get(cluster)
        gone = frozenset(
            address
            for address in (life.draining() if life else ())
            if address not in listed and not self._world.is_inhabited(address.ip)
        )
        changed = self.lives.advance(cluster, healthy, gone)
        life = self.lives.by_cluster[cluster]
        if not wanted and not life.entries and life.is_settled():
            self.lives.forget(cluster)
            self.desired.put(types.ENDPOINTS, cluster, None)
            self._set_configuration()
            return True
        if changed or self.desired.find(types.ENDPOINTS, cluster) is None:
            changed = True
            assignment = clusters.load_assignment(cluster, life.entries, self.revisions)
            digest = self.desired.put(types.ENDPOINTS, cluster, assignment)
            self.lives.pushed(cluster, digest)
        return changed

    def _healthy(self, cluster: str, now: datetime) -> tuple[frozenset[Address], set[Address]]:
        upstream = self.configuration.upstreams[cluster]
        endpoints = [
            self._with_pod(endpoint, uid, upstream.service, now)
            for endpoint, uid in self._world.endpoints_of(upstream.service, upstream.port_name)
        ]
        healthy = healthy_of(endpoints)
        self.falling_back.discard(upstream.service)
        if any(endpoint.terminating and endpoint.address in healthy for endpoint in endpoints):
            self.falling_back.add(upstream.service)
        return healthy, {endpoint.address for endpoint in endpoints}

    def _with_pod(self, endpoint: SliceEndpoint, uid: str, service: Key, now: datetime) -> SliceEndpoint:
        """The endpoint with what its pod shows already and the slice, written later, may not."""
        pod = self._world.pod(uid) if uid else None
        if pod is not None:
            self.revisions[endpoint.address.ip] = revision_of(pod)
        if pod is None or not is_deleting(pod):
            return endpoint
        seen = self.seen.setdefault(uid, now)
        fallback = uid not in self.finished and may_fall_back(
            pod, replacement=self._world.has_replacement(service), seen=seen, now=now
        )
        return SliceEndpoint(endpoint.address, endpoint.ready, endpoint.serving, True, fallback)

    def drain_of(self, ip: str) -> Drain:
        """How far an address is, over all clusters."""
        return self.lives.drain_of(ip)

    def _inputs(self) -> Inputs:
        classes = self._world.classes.items()
        ingresses = tuple(i for i in self._world.ingresses.items() if is_ours(i, classes) and not is_deleting(i))
        named = {
            Key(ingress["metadata"]["namespace"], entry.get("secretName") or "")
            for ingress in ingresses
            for entry in ingress["spec"].get("tls") or ()
        }
        named |= self.gateways.secrets()
        pairs = {key: pair for key in named if (pair := self._certificate_in(key)) is not None}
        services = {key_of(service): service for service in self._world.services.items()}
        gateways = self.gateways.translate(services, frozenset(pairs))
        copies = self.gateways.copying.copies
        self._callers = {one: self._world.addresses(one) for one in sorted(self.gateways.consumers())}
        return Inputs(services, ingresses, pairs, self._certificate, self._edges, gateways, copies, self._callers)

    def _certificate_in(self, key: Key) -> Certificate | None:
        secret = self._world.secrets.get(key)
        return certificate_of(secret) if secret is not None else None


def _wish(obj: Obj) -> Obj:
    meta = obj["metadata"]
    kept = {name: meta.get(name) for name in ("labels", "deletionTimestamp")}
    kept["annotations"] = {name: text for name, text in annotations_of(obj).items() if name not in OURS}
    return {"spec": obj.get("spec"), "uid": meta.get("uid"), **kept}
