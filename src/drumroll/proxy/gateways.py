"""What Gateways and routes ask for, what Envoy has acknowledged of it, and who is to blame when it refuses."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping

from drumroll.client.informer import Informer
from drumroll.domain import splits
from drumroll.domain.comparison.copies import Copying, with_copies
from drumroll.domain.comparison.spec import read
from drumroll.domain.configuration import Configuration, Edges
from drumroll.domain.envoy import types
from drumroll.domain.envoy.gateway_routes import cluster_names
from drumroll.domain.gateway import admission, proofs
from drumroll.domain.gateway.admission import Admission
from drumroll.domain.gateway.listeners import our_classes, secrets_of
from drumroll.domain.gateway.proofs import Claim, Need, Offer, Proofs
from drumroll.domain.gateway.translate import Inputs, Translation, Verdict, translate
from drumroll.domain.ingress import Part
from drumroll.objects.meta import Key, Obj, is_deleting, uid_of
from drumroll.proxy.gateway_world import GatewayWorld

log = logging.getLogger("drumroll.proxy")


class Gateways:
    """Mutable holder of the pure values; `translation` is the last one."""

    def __init__(self, world: GatewayWorld, edges: Edges) -> None:
        self.translation = Translation()
        self.copying = Copying(self.translation)
        self.proofs = Proofs()
        self.admission = Admission()
        self._world = world
        self._edges = edges
        self._clusters: Mapping[str, str] = {}
        self._split_routes: list[Obj] = []
        self._parts: Mapping[Key, Part] = {}
        self._shared_tables: Collection[str] = ()

    def watch(self, changed: Callable[[Obj | None, Obj | None], None]) -> None:
        """Subscribe to everything that a translation depends on."""
        for informer in self._world.all:
            informer.subscribe(changed)

    def gateways(self) -> list[Obj]:
        """The Gateways that are ours."""
        classes = our_classes(self._world.classes.items())
        return [
            gateway
            for gateway in self._world.gateways.items()
            if (gateway.get("spec") or {}).get("gatewayClassName") in classes and not is_deleting(gateway)
        ]

    def splits(self) -> list[Obj]:
        """The TrafficSplits."""
        return _live(self._world.splits)

    def routes(self) -> list[Obj]:
        """All routes, with their kinds; TrafficSplits as the routes that they amount to."""
        return [*_live(self._world.http_routes), *_live(self._world.grpc_routes), *self._split_routes]

    def secrets(self) -> set[Key]:
        """The Secrets that Gateways name."""
        return {key for gateway in self.gateways() for key in secrets_of(gateway)}

    def translate(self, services: Mapping[Key, Obj], usable: frozenset[Key]) -> Translation:
        """Read everything anew."""
        self._split_routes = [r for split in self.splits() for r in splits.routes_of(split, services)]
        routes = {uid_of(route): route for route in self.routes()}
        tables = frozenset(self.proofs.offers) | {trial.table for trial in self.admission.trials}
        self.admission = admission.look(self.admission, routes, tables)
        namespaces = {n["metadata"]["name"]: n["metadata"].get("labels") or {} for n in self._world.namespaces.items()}
        translation = translate(
            Inputs(
                self._edges.gateway_ports(),
                tuple(self.gateways()),
                tuple(routes.values()),
                tuple(self._world.grants.items()),
                services,
                namespaces,
                usable,
                admission.stand_ins(self.admission, routes),
                self.admission.refusals,
                has_callers=bool(self._edges.host_namespace),
            )
        )
        wishes = [read(one) for one in _live(self._world.comparisons)]
        self.copying = with_copies(translation, wishes, services)
        self.translation = self.copying.translation
        return self.translation

    def offered(self, configuration: Configuration, versions: Mapping[str, Mapping[str, str]]) -> bool:
        """This is what Envoy is to hold now; True when a trial has ended by it and another look is due."""
        tables = versions.get(types.ROUTES, {})
        self._parts, self._shared_tables = configuration.parts, configuration.shared_tables
        claims = proofs.claims_of_ingresses(configuration.parts)
        self._clusters = versions.get(types.CLUSTER, {})
        offers = {
            name: self._offer(name, resource, tables[name], claims if name in configuration.shared_tables else {})
            for name, resource in configuration.resources[types.ROUTES].items()
        }
        self.proofs = proofs.forget_clusters(proofs.offer(self.proofs, offers), self._clusters)
        before = self.admission
        for name, one in self.proofs.held.items():
            if one.served and one is self.proofs.offers[name][-1]:
                self.admission = admission.accept(self.admission, name, one.served)
        gone = [trial for trial in self.admission.trials if trial.table not in offers]
        if gone:
            self.admission = admission.look(self.admission, {uid_of(r): r for r in self.routes()}, frozenset(offers))
        return self.admission.trials != before.trials

    def consumers(self) -> set[str]:
        """The namespaces whose requests have routes of their own."""
        return {one.namespace for table in self.translation.tables.values() for one in table.consumers}

    def _offer(self, name: str, resource: Obj, version: str, claims: Mapping[str, Claim]) -> Offer:
        table = self.translation.tables.get(name)
        if table is None and not claims:
            return proofs.find(self.proofs, name, version) or Offer(version, {}, cluster_names(resource))
        owners = table.owners() if table else ()
        served = {uid: obj for uid in owners if (obj := self.translation.served.get(uid)) is not None}
        own = proofs.claims_of(table) if table else {}
        return Offer(version, {**own, **claims}, cluster_names(resource), served)

    def accepted(self, type_url: str, versions: Mapping[str, str]) -> bool:
        """Envoy holds these versions; True when more can be offered now."""
        if type_url == types.CLUSTER:
            self.proofs = proofs.hold_clusters(self.proofs, versions)
        if type_url != types.ROUTES:
            return False
        trials = self.admission.trials
        for table, version in versions.items():
            found = proofs.find(self.proofs, table, version)
            if found is not None and found.served:
                self.admission = admission.accept(self.admission, table, found.served)
        self.proofs = proofs.hold(self.proofs, versions)
        return self.admission.trials != trials

    def flown(self, type_url: str, versions: Mapping[str, str], is_sent: bool) -> None:
        """These versions are on their way to Envoy, or it has answered that it does not take them."""
        if type_url == types.ROUTES:
            self.proofs = proofs.send(self.proofs, versions) if is_sent else proofs.land(self.proofs, versions)
        elif type_url == types.CLUSTER and is_sent:
            self.proofs = proofs.send_clusters(self.proofs, versions)

    def refused(self, type_url: str, name: str, version: str, words: str) -> bool:
        """Envoy refused a resource; True when something else can be offered in its place."""
        found = proofs.find(self.proofs, name, version) if type_url == types.ROUTES else None
        if found is None:
            return False
        before = self.admission
        self.admission = admission.refuse(self.admission, name, found.served, words)
        return self.admission is not before

    def holds(self, tables: Iterable[str]) -> bool:
        """True when Envoy holds the newest version of each of these tables."""
        held, offers = self.proofs.held, self.proofs.offers
        return all(name in offers and held.get(name) is offers[name][-1] for name in tables)

    def forget(self) -> None:
        """Envoy is another one: what the last one had acknowledged proves nothing."""
        self.proofs = Proofs(self.proofs.offers)

    def is_acknowledged(self, verdict: Verdict) -> bool:
        """True when Envoy holds what the verdict's route asks for at this parent."""
        return self._is_held(verdict.owner.uid, verdict.tables, verdict.clusters)

    def part_of(self, ingress: Key) -> Part | None:
        """What that Ingress has of the rules; None for nothing."""
        return self._parts.get(ingress)

    def is_part_acknowledged(self, ingress: Key) -> bool:
        """True when Envoy holds what the Ingress has of the rules in every table from which it answers."""
        part = self._parts.get(ingress)
        if part is None:
            return False
        known = (self.proofs.held, self.proofs.flights)  # a port that cannot be had has an unused table
        used = [table for table in self._shared_tables if any(table in those for those in known)]
        return self._is_held(proofs.name_of(ingress), used, part.clusters)

    def _is_held(self, uid: str, tables: Iterable[str], clusters: Iterable[str]) -> bool:
        claims = {
            table: claim
            for table in tables
            if self.proofs.offers.get(table) and (claim := self.proofs.offers[table][-1].claims.get(uid)) is not None
        }
        wanted = {name: self._clusters.get(name, proofs.ANY_VERSION) for name in clusters}
        return proofs.is_acknowledged(self.proofs, Need(uid, claims, wanted))


def _live(informer: Informer) -> list[Obj]:
    kind = informer.kind
    return [
        {**route, "kind": kind.name, "apiVersion": kind.api_version}
        for route in informer.items()
        if not is_deleting(route)
    ]
