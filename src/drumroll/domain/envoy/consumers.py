"""Routes for the callers of one namespace: a Service's table asks them first, by the address that a request comes from.

The address is that of the connection, whatever x-forwarded-for says: a filter before HTTP notes it, and routes match
the note. So a pod that comes or goes in the callers' namespace changes routes, and closes nobody's connection.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from drumroll.domain.envoy import types
from drumroll.domain.envoy.gateway_routes import Surroundings, routes_of
from drumroll.domain.envoy.routes import not_found
from drumroll.domain.gateway.model import Consumer, Table
from drumroll.objects.meta import Obj

Callers = Mapping[str, Sequence[str]]
"""The pods' addresses by namespace."""


def with_consumers(made: Obj, table: Table, callers: Callers, published: Callable[[int], int]) -> Obj:
    """A Service's route configuration, in which the table's consumers have rules of their own.

    What none of a consumer's rules matches gets a 404, as with the Service's own.
    """
    around = Surroundings(table.scheme, table.port, published)
    first = [
        route
        for consumer in table.consumers
        if callers.get(consumer.namespace)
        for route in _routes(consumer, callers[consumer.namespace], around)
    ]
    if not first:
        return made
    hosts = [{**host, "routes": [*first, *host["routes"]]} for host in made["virtual_hosts"]]
    return {**made, "virtual_hosts": hosts, "most_specific_header_mutations_wins": True}


def _routes(consumer: Consumer, addresses: Sequence[str], around: Surroundings) -> Iterable[Obj]:
    pattern = "|".join(re.escape(address) for address in addresses)
    source = {"key": types.SOURCE_KEY, "string_match": {"safe_regex": {"regex": pattern}}}
    routes = [route for rule in consumer.rules for route in routes_of(rule.match, rule.action, around)]
    for route in (*routes, not_found()):
        yield {**route, "match": {**route["match"], "filter_state": [source]}}
