"""Headers that routes deep in a chain of services ask for, carried there by the mesh.

A route of a Service may match a header that only the first request has. Programs that pass on tracing headers pass on
W3C baggage too; so the mesh notes such headers in the baggage of every request that has them, and a Service's rule that
asks for the header also takes the note. Source: https://www.w3.org/TR/baggage/.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from drumroll.domain.gateway.model import NamedMatch, Rule, Table

BAGGAGE = "baggage"
_NEVER = frozenset(
    {BAGGAGE, "host", "cookie", "authorization", "proxy-authorization", "content-type", "content-length"}
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def with_carried(tables: Mapping[str, Table]) -> dict[str, Table]:
    """The tables, told which headers to note, and those of Services with rules for the notes."""
    names = tuple(sorted({name for table in tables.values() for name in _asked(table)}))
    if not names:
        return dict(tables)
    return {name: replace(_with_notes(table), carried=names) for name, table in tables.items()}


def _asked(table: Table) -> set[str]:
    if table.port:
        return set()
    return {name.lower() for rule in table.rules() for name in _names(rule)}


def _names(rule: Rule) -> tuple[str, ...]:
    """The headers that a rule asks for, when a note can stand for all of them."""
    headers = rule.match.headers
    if any(h.regex or h.name.lower() in _NEVER or not _TOKEN.fullmatch(h.name) for h in headers):
        return ()
    return tuple(h.name for h in headers)


def _with_notes(table: Table) -> Table:
    if table.port:
        return table
    hosts = tuple(replace(host, rules=_both(host.rules)) for host in table.hosts)
    consumers = tuple(replace(consumer, rules=_both(consumer.rules)) for consumer in table.consumers)
    return replace(table, hosts=hosts, consumers=consumers)


def _both(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(one for rule in rules for one in (rule, *_noted(rule)))


def _noted(rule: Rule) -> tuple[Rule, ...]:
    if not _names(rule):
        return ()
    notes = tuple(NamedMatch(BAGGAGE, pattern_of(h.name, h.value), regex=True) for h in rule.match.headers)
    return (replace(rule, match=replace(rule.match, headers=notes)),)


def pattern_of(name: str, value: str) -> str:
    """An expression for a whole baggage header in which `name` has that value."""
    return rf"(?i:(?:.*,)?\s*{re.escape(name.lower())}\s*=\s*){re.escape(quote(value, safe='-._~'))}\s*(?:[,;].*)?"
