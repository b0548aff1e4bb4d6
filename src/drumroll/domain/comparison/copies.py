"""Where copies go: which rules of a route send them, through which listener of Envoy's own they pass, and to whom."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from drumroll.domain.comparison.spec import Wish
from drumroll.domain.gateway.model import Mirror, Rule, Table
from drumroll.domain.gateway.references import Fault, References, Referrer, Target
from drumroll.domain.gateway.translate import Translation
from drumroll.objects.kinds import HTTP_ROUTE
from drumroll.objects.meta import Key, Obj


@dataclass(frozen=True, slots=True)
class Copies:
    """The way of a comparison's copies: through the listener `name` to the cluster of its `target`."""

    wish: Wish
    target: Target

    @property
    def name(self) -> str:
        """The name of the listener, its cluster and its routes."""
        return f"copies:{self.wish.key}"

    @property
    def socket(self) -> str:
        """The name of the listener's socket: short, since its path must be."""
        return f"copies-{self.wish.uid[:8]}"


@dataclass(frozen=True, slots=True)
class Copying:
    """All of them together, and by Comparison why one does not run."""

    translation: Translation
    copies: tuple[Copies, ...] = ()
    lacks: Mapping[Key, str] = field(default_factory=dict)

    def tables_of(self, copies: Copies) -> frozenset[str]:
        """The route tables that must be in Envoy for these copies to be sent and seen."""
        mark = str(copies.wish.key)
        tables = self.translation.tables.items()
        return frozenset({copies.name, *(name for name, table in tables if _sends(table, mark))})


def with_copies(translation: Translation, wishes: Iterable[Wish], services: Mapping[Key, Obj]) -> Copying:
    """The translation with copies sent as the comparisons wish. Of two at one rule the first by name has it."""
    lacks: dict[Key, str] = {}
    found: list[Copies] = []
    tables = dict(translation.tables)
    for wish in sorted(wishes, key=lambda one: one.key):
        target = _target(wish, services)
        if wish.faults or isinstance(target, str):
            lacks[wish.key] = "; ".join(wish.faults) or str(target)
            continue
        copies = Copies(wish, target)
        changed = {name: _with_mirrors(table, copies) for name, table in tables.items()}
        if all(changed[name] == table for name, table in tables.items()):
            lacks[wish.key] = _why_not(tables, wish)
            continue
        tables = changed
        found.append(copies)
    targets = translation.targets | {copies.target for copies in found}
    return Copying(replace(translation, tables=tables, targets=targets), tuple(found), lacks)


def _target(wish: Wish, services: Mapping[Key, Obj]) -> Target | str:
    service = services.get(Key(wish.key.namespace, wish.shadow))
    ports = ((service or {}).get("spec") or {}).get("ports") or ()
    if not ports:
        return f"service {wish.shadow!r} does not exist, or has no port"
    reference = {"name": wish.shadow, "port": ports[0]["port"]}
    found = References(services, ()).find(Referrer(HTTP_ROUTE.name, wish.key.namespace), reference)
    return found.message if isinstance(found, Fault) else found


def _is_meant(rule: Rule, wish: Wish) -> bool:
    owner = rule.owner
    is_route = owner.kind == HTTP_ROUTE.name and owner.key == Key(wish.key.namespace, wish.route)
    return is_route and any(backend.name == wish.primary and backend.cluster for backend in rule.action.backends)


def _sends(table: Table, mark: str) -> bool:
    rules = (rule for host in table.hosts for rule in host.rules)
    return any(mirror.mark == mark for rule in rules for mirror in rule.action.mirrors)


def _with_mirrors(table: Table, copies: Copies) -> Table:
    mirror = Mirror(copies.name, copies.wish.percent, mark=str(copies.wish.key))

    def changed(rule: Rule) -> Rule:
        if not _is_meant(rule, copies.wish) or rule.action.is_paired:
            return rule
        return replace(rule, action=replace(rule.action, mirrors=(*rule.action.mirrors, mirror), is_paired=True))

    hosts = tuple(replace(host, rules=tuple(changed(rule) for rule in host.rules)) for host in table.hosts)
    return replace(table, hosts=hosts)


def _why_not(tables: Mapping[str, Table], wish: Wish) -> str:
    rules = [rule for table in tables.values() for host in table.hosts for rule in host.rules]
    if any(_is_meant(rule, wish) for rule in rules):
        return f"another Comparison has the rules of HTTPRoute {wish.route!r} already"
    return f"no rule of an HTTPRoute {wish.route!r} that is served sends to service {wish.primary!r}"
