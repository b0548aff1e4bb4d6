"""What Envoy must have acknowledged for a route to count as acknowledged, and what it has.

A route is acknowledged when Envoy holds, in every table that the route is in, exactly the rules that its present
generation asks for, and all the clusters that they name. A later version of a table proves the same as long as the
route's own part of it is the same; an earlier one proves nothing. While Envoy has not answered to a version that was
sent, it may hold that one or the one before: then only what both of them have is proven.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from drumroll.domain.gateway.model import Table
from drumroll.domain.ingress import Part
from drumroll.objects.meta import Key, Obj

REMEMBERED = 16
"""Versions of a table that Envoy may still answer for."""

ANY_VERSION = "keep"
"""A cluster that is to stay as Envoy has it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A route's part of a table: its generation and a digest of its rules with their hosts."""

    generation: int
    digest: int


@dataclass(frozen=True, slots=True)
class Offer:
    """One version of a table: whose rules are in it, which clusters it names, and the objects it was made of."""

    version: str
    claims: Mapping[str, Claim] = field(default_factory=dict)
    clusters: frozenset[str] = frozenset()
    served: Mapping[str, Obj] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Need:
    """What must be acknowledged for one parent of a route: its claim in each table, versions of clusters by name."""

    uid: str
    claims: Mapping[str, Claim]
    clusters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proofs:
    """What was offered by table, oldest first, what Envoy holds of it, and what was sent and not yet answered."""

    offers: Mapping[str, tuple[Offer, ...]] = field(default_factory=dict)
    held: Mapping[str, Offer] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)
    flights: Mapping[str, str] = field(default_factory=dict)


def claims_of(table: Table) -> dict[str, Claim]:
    """The claims of all routes in a table by uid."""
    parts: dict[str, list[object]] = {}
    groups = [(host.domain, host.rules) for host in table.hosts]
    groups += [(f"from {consumer.namespace}", consumer.rules) for consumer in table.consumers]
    for name, rules in groups:
        for rule in rules:
            parts.setdefault(rule.owner.uid, []).append((name, rule))
    owners = table.owners()
    return {uid: Claim(owners[uid].generation, hash(tuple(part))) for uid, part in parts.items()}


def claims_of_ingresses(parts: Mapping[Key, Part]) -> dict[str, Claim]:
    """The claims of Ingresses, by the names that `name_of` gives them."""
    return {name_of(key): Claim(0, hash(part)) for key, part in parts.items()}


def name_of(ingress: Key) -> str:
    """What an Ingress's claims are called, beside the uids of routes."""
    return f"Ingress {ingress}"


def offer(proofs: Proofs, tables: Mapping[str, Offer]) -> Proofs:
    """These are the tables now; those that are no more are forgotten.

    A version that Envoy holds already may have got new claims: another generation may ask for the same.
    """
    offers, held = {}, {}
    for name, new in tables.items():
        known = proofs.offers.get(name, ())
        offers[name] = (*(one for one in known if one.version != new.version), new)[-REMEMBERED:]
        before = proofs.held.get(name)
        if before is not None:
            held[name] = new if before.version == new.version else before
    return replace(proofs, offers=offers, held=held, flights=_without(proofs.flights, proofs.flights.keys() - tables))


def send(proofs: Proofs, versions: Mapping[str, str]) -> Proofs:
    """These versions of tables are on their way to Envoy."""
    return replace(proofs, flights={**proofs.flights, **versions})


def land(proofs: Proofs, tables: Iterable[str]) -> Proofs:
    """Envoy has answered, and did not take what was sent of these tables."""
    return replace(proofs, flights=_without(proofs.flights, frozenset(tables)))


def _without(mapping: Mapping[str, str], names: Collection[str]) -> Mapping[str, str]:
    return {name: value for name, value in mapping.items() if name not in names}


def find(proofs: Proofs, table: str, version: str) -> Offer | None:
    """The offer of that version, if it is remembered."""
    return next((one for one in proofs.offers.get(table, ()) if one.version == version), None)


def hold(proofs: Proofs, versions: Mapping[str, str]) -> Proofs:
    """Envoy holds these versions of tables. One that we do not know proves nothing for anybody."""
    held = {name: find(proofs, name, version) or Offer(version) for name, version in versions.items()}
    offers = dict(proofs.offers)
    for name, one in held.items():
        if one in offers.get(name, ()):  # earlier ones are past
            offers[name] = offers[name][offers[name].index(one) :]
    return replace(land(proofs, versions), offers=offers, held={**proofs.held, **held})


def send_clusters(proofs: Proofs, versions: Mapping[str, str]) -> Proofs:
    """These versions of clusters are on their way: others of them prove nothing any more."""
    outdated = {name for name, version in versions.items() if proofs.clusters.get(name, version) != version}
    return replace(proofs, clusters=_without(proofs.clusters, outdated)) if outdated else proofs


def hold_clusters(proofs: Proofs, versions: Mapping[str, str]) -> Proofs:
    """Envoy holds these versions of clusters."""
    return replace(proofs, clusters={**proofs.clusters, **versions})


def forget_clusters(proofs: Proofs, wanted: Iterable[str]) -> Proofs:
    """Clusters that are not `wanted` are on their way out, and prove nothing when they come back."""
    gone = proofs.clusters.keys() - frozenset(wanted)
    return replace(proofs, clusters=_without(proofs.clusters, gone)) if gone else proofs


def is_acknowledged(proofs: Proofs, need: Need) -> bool:
    """True when Envoy holds all of it. A route that is in no table has nothing that could be acknowledged."""
    if not need.claims:
        return False
    for table, claim in need.claims.items():
        possible = [proofs.held.get(table)]
        if table in proofs.flights:
            possible.append(find(proofs, table, proofs.flights[table]))
        if any(one is None or one.claims.get(need.uid) != claim for one in possible):
            return False
    return all(
        name in proofs.clusters and version in {ANY_VERSION, proofs.clusters[name]}
        for name, version in need.clusters.items()
    )


def has_unknown(proofs: Proofs) -> bool:
    """True while Envoy holds a version of one of our tables that we have not offered: of an earlier control plane."""
    return any(name in proofs.offers and find(proofs, name, one.version) is None for name, one in proofs.held.items())


def named(proofs: Proofs) -> frozenset[str]:
    """Every cluster that a table in Envoy names, or may name as soon as it takes what is on the way."""
    held = (one.clusters for one in proofs.held.values())
    offered = (one.clusters for offers in proofs.offers.values() for one in offers)
    return frozenset().union(*held, *offered)
