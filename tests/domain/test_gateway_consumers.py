"""Routes of a Service's callers: who they are for, what the others get, and which references need no grant."""

import re

import pytest

from drumroll.domain.configuration import Edges, Inputs
from drumroll.domain.envoy import types
from drumroll.domain.envoy.gateway_routes import cluster_names
from drumroll.domain.envoy.listeners import Certificate
from drumroll.domain.gateway.proofs import claims_of
from drumroll.domain.routing import REFUSE_COPIES, configure
from drumroll.objects.meta import key_of
from tests.domain.gateways import (
    SERVICES,
    Request,
    backend,
    first_route,
    path,
    route,
    rule,
    service,
    translated,
)
from tests.domain.test_gateway_parents import mesh

TABLE = "default/one/http"
CALLERS = {"b": ["10.244.0.7", "10.244.0.8"], "c": ["10.244.0.9"]}
FROM_B, FROM_C, FROM_DEFAULT = "10.244.0.8", "10.244.0.9", "10.244.0.2"
PARENT = [mesh("one", namespace="default")]
LINES = [service("here", "b")]


def configured(*routes, callers=None, services=(*SERVICES, *LINES), **more):
    found = {key_of(one): one for one in services}
    gateways = translated(*routes, gateways=[], services=services, **more)
    inputs = Inputs(found, (), {}, Certificate("", "c", "k"), Edges("127.0.0.1", 8080, 8443, 0, "/ns"), gateways)
    inputs = Inputs(**{name: getattr(inputs, name) for name in inputs.__slots__} | {"callers": callers or CALLERS})
    return configure(inputs).resources[types.ROUTES][TABLE]


def served(table, source, request=None):
    """The Service that answers a request from that address, or the status."""
    (host,) = table["virtual_hosts"]
    patterns = [(one, one["match"].get("filter_state")) for one in host["routes"]]
    routes = [one for one, state in patterns if not state or re.fullmatch(pattern(state), source)]
    found = first_route(routes, request or Request())
    return found["direct_response"]["status"] if "direct_response" in found else found["route"]["cluster"]


def pattern(state):
    return state[0]["string_match"]["safe_regex"]["regex"]


def consumer(*rules, namespace="b", **more):
    return route(*rules, parents=PARENT, namespace=namespace, **more)


TO_TWO = rule(path("/"), backendRefs=[backend("two", namespace="default")])
TO_HERE = rule(path("/here"), backendRefs=[backend("here")])
OF_ALL = route(rule(to="three"), parents=[mesh("one")], name="all")
BOTH = (consumer(TO_TWO), OF_ALL)
CASES = [
    pytest.param([consumer(TO_TWO)], FROM_B, "/", "default/two/http", id="the callers of the route's namespace"),
    pytest.param([consumer(TO_TWO)], FROM_DEFAULT, "/", TABLE, id="others reach the service's own pods"),
    pytest.param([consumer(TO_TWO)], FROM_C, "/", TABLE, id="callers of a third namespace too"),
    pytest.param(BOTH, FROM_B, "/", "default/two/http", id="the callers' route is asked in place of the service's"),
    pytest.param(BOTH, FROM_DEFAULT, "/", "default/three/http", id="others go by the service's route"),
    pytest.param([consumer(TO_HERE), OF_ALL], FROM_B, "/x", 404, id="what no rule of theirs matches is not found"),
    pytest.param([consumer(TO_HERE), consumer(TO_TWO, name="s")], FROM_B, "/here", "b/here/http", id="two of one"),
    pytest.param([consumer(TO_HERE), consumer(TO_TWO, name="s")], FROM_B, "/x", "default/two/http", id="are merged"),
    pytest.param([consumer(TO_TWO), consumer(TO_HERE, namespace="c")], FROM_C, "/x", 404, id="each has their own"),
]


@pytest.mark.parametrize(("routes", "source", "asked", "expected"), CASES)
def test_who_gets_what(routes, source, asked, expected):
    assert served(configured(*routes), source, Request(asked)) == expected


def test_while_nobody_calls_from_there_nothing_changes():
    assert configured(consumer(TO_TWO), callers={"b": []}) == configured()


def test_a_pod_that_comes_changes_the_table_and_not_what_is_acknowledged():
    found = translated(consumer(TO_TWO), gateways=[])
    assert set(claims_of(found.tables[TABLE])) == {"b/r"}
    assert found.verdicts[0].tables == {TABLE}
    assert configured(consumer(TO_TWO)) != configured(consumer(TO_TWO), callers={"b": ["10.244.0.7"]})


def test_every_cluster_is_known_and_copies_are_refused_to_all():
    shy = service("one")
    shy["metadata"]["annotations"] = {REFUSE_COPIES: "true"}
    found = configured(*BOTH, services=(shy, *SERVICES[1:]))
    assert cluster_names(found) == {"default/two/http", "default/three/http"}
    copy = Request(headers={"x-drumroll-mirror": "copy"})
    assert {served(found, source, copy) for source in (FROM_B, FROM_DEFAULT)} == {403}


def test_a_route_of_a_service_needs_no_grant_and_one_of_a_gateway_does():
    both = route(TO_TWO, namespace="b", parents=[*PARENT, {"name": "front", "namespace": "default"}])
    listener = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
    front = {
        "kind": "Gateway",
        "metadata": {"namespace": "default", "name": "front"},
        "spec": {"listeners": [listener]},
    }
    by_service, by_gateway = translated(both, gateways=[front]).verdicts
    assert by_service.faults == ()
    assert [fault.reason for fault in by_gateway.faults] == ["RefNotPermitted"]


def test_where_addresses_do_not_tell_pods_apart_the_route_is_refused():
    verdict, other = translated(consumer(TO_TWO), OF_ALL, gateways=[], has_callers=False).verdicts
    assert (verdict.refused.reason, other.refused) == ("UnsupportedValue", None)
    assert "needs container isolation" in verdict.refused.message
