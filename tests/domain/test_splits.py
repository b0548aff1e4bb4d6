"""TrafficSplits: which weights come of integers and quantities, which ports, and what is wrong with the others."""

import pytest

from drumroll.domain.gateway.listeners import Ports
from drumroll.domain.gateway.translate import Inputs, translate
from drumroll.domain.splits import faults_of, routes_of, shares_of
from drumroll.objects.meta import key_of


def service(name, *ports):
    listed = [{"name": n, "port": p, "protocol": "TCP"} for n, p in ports or (("http", 80),)]
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {"clusterIP": "10.96.0.9", "ports": listed}}


def split(*backends, root="web", **spec):
    listed = [{"service": name, "weight": weight} for name, weight in backends]
    meta = {"namespace": "shop", "name": "s", "uid": "u1", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {
        "kind": "TrafficSplit", "metadata": meta, "spec": {"service": root, "backends": listed, **spec},
    }  # fmt: skip


def known(*services):
    return {key_of(one): one for one in services}


SERVICES = known(service("web"), service("a"), service("b"))


@pytest.mark.parametrize(
    ("weights", "whole"),
    [
        ((80, 20), [80, 20]),
        (("800m", "200m"), [8, 2]),
        (("500m", 1), [5, 10]),
        (("1", "1"), [1, 1]),
        ((1, 0), [1, 0]),
        (("1m", "999m"), [1, 999]),
        ((3_000_000, 1_000_000), [1_000_000, 333_333]),
        (("1k", "1"), [1000, 1]),
    ],
)
def test_weights_keep_their_proportions(weights, whole):
    (route,) = routes_of(split(*zip("ab", weights, strict=True)), SERVICES)
    assert [one["weight"] for one in route["spec"]["rules"][0]["backendRefs"]] == whole
    assert route["spec"]["parentRefs"] == [{"group": "", "kind": "Service", "name": "web", "port": 80}]


@pytest.mark.parametrize(
    ("ports", "chosen"),
    [
        ((("http", 80), ("admin", 90)), 80),
        ((("web", 8080),), 8080),
        ((("http", 8080), ("admin", 90)), 8080),
        ((("x", 1), ("y", 2)), 80),
    ],
)
def test_a_backends_port_is_that_of_the_number_the_name_or_the_only_one(ports, chosen):
    (route,) = routes_of(split(("a", 1)), known(service("web"), service("a", *ports)))
    assert route["spec"]["rules"][0]["backendRefs"][0]["port"] == chosen


def test_every_port_of_the_root_is_split():
    services = known(service("web", ("http", 80), ("admin", 90)), service("a", ("http", 80), ("admin", 90)))
    assert [r["metadata"]["uid"] for r in routes_of(split(("a", 1)), services)] == ["u1/80", "u1/90"]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (split(("a", 1), root="gone"), "spec.service: service 'gone' does not exist"),
        (split(("gone", 1)), "spec.backends[0].service: service 'gone' does not exist"),
        (split(("a", "much")), "spec.backends[0].weight: 'much' is no quantity"),
        (split(("a", -1)), "spec.backends[0].weight: -1 is less than 0"),
        (split(("a", 1), matches=[{"kind": "HTTPRouteGroup", "name": "x"}]), "spec.matches: HTTPRouteGroups are not"),
    ],
)
def test_what_has_no_effect_is_told(made, told):
    assert [fault for fault in faults_of(made, SERVICES) if fault.startswith(told)]
    assert routes_of(made, SERVICES) == [] or "gone" in told


def test_an_ingress_learns_of_the_shares():
    ports = Ports("127.0.0.1", 80, 443, 0)
    found = translate(Inputs(ports, routes=tuple(routes_of(split(("a", 3), ("b", 1)), SERVICES)), services=SERVICES))
    assert shares_of(found.tables) == {"shop/web/http": (("shop/a/http", 3), ("shop/b/http", 1))}
