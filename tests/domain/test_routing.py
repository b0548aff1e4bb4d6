"""What Envoy should serve: equal worlds give equal configurations, and rules are read as the originals read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.dns import dns_table
from drumroll.domain.endpoint_life import Address
from drumroll.domain.envoy import types
from drumroll.domain.envoy.listeners import Certificate
from drumroll.domain.ingress import full_pattern, pattern_fault, substitution
from drumroll.domain.routing import Edges, Inputs, configure, published_ports, slice_endpoints
from drumroll.objects.meta import Key, key_of

EDGES = Edges("127.0.0.1", 8080, 8443, 20000, "/run/host.netns")


def service(name, n, *, kind="ClusterIP", ip=None, ports=None, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "default", "name": name, "creationTimestamp": f"2026-01-01T00:00:0{n}Z"},
        "spec": {"type": kind, "clusterIP": ip or f"10.96.0.{n}", "ports": ports or [{"port": 80}], **spec},
    }


def configured(*services, ingresses=()):
    found = {key_of(s): s for s in services}
    return configure(Inputs(found, tuple(ingresses), {}, Certificate("", "c", "k"), EDGES))


def test_only_services_with_an_address_are_proxied():
    found = configured(
        service("web", 1), service("headless", 2, ip="None"), service("external", 3, kind="ExternalName", ip="")
    )
    assert set(found.resources[types.CLUSTER]) == {"default/web/80"}
    assert set(found.owners) == {"service/10.96.0.1:20080"}


def test_an_ingress_may_use_a_headless_service():
    backend = {"service": {"name": "db", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    ingress = {"metadata": {"namespace": "default", "name": "i"}, "spec": {"rules": [{"http": {"paths": paths}}]}}
    found = configured(service("db", 1, ip="None"), service("other", 2, ip="None"), ingresses=[ingress])
    assert set(found.resources[types.CLUSTER]) == {"default/db/80"}
    assert set(found.owners) == {"ingress/http", "ingress/https"}


def test_a_load_balancer_listens_on_the_host_in_the_hosts_namespace():
    found = configured(service("web", 1, kind="LoadBalancer", ports=[{"port": 8000, "nodePort": 30001}]))
    listeners = found.resources[types.LISTENER]
    assert set(listeners) == {"service/10.96.0.1:8000", "host/127.0.0.1:8000", "host/127.0.0.1:30001"}
    sockets = {name: found["address"]["socket_address"] for name, found in listeners.items()}
    assert sockets["host/127.0.0.1:8000"]["network_namespace_filepath"] == "/run/host.netns"
    assert "network_namespace_filepath" not in sockets["service/10.96.0.1:8000"]


def test_of_two_that_want_a_port_the_older_has_it_and_the_younger_hears_so():
    young, old = (service(n, a, kind="LoadBalancer", ports=[{"port": 8000}]) for n, a in (("a", 2), ("b", 1)))
    found = configured(young, old)
    assert found.owners["host/127.0.0.1:8000"].key == Key("default", "b")
    assert [(c.key.name, c.reason) for c in found.complaints] == [("a", "PortTaken")]


@given(st.permutations([service("a", 1), service("b", 2, kind="LoadBalancer"), service("c", 3, kind="NodePort")]))
def test_the_order_of_input_is_irrelevant(services):
    expected = configured(service("a", 1), service("b", 2, kind="LoadBalancer"), service("c", 3, kind="NodePort"))
    assert configured(*services) == expected


def test_a_port_that_cannot_be_served_is_told():
    found = configured(service("dns", 1, ports=[{"port": 53, "protocol": "UDP"}]))
    assert [c.reason for c in found.complaints] == ["ProtocolNotSupported"]
    assert not found.owners


def test_moved_ports_are_named():
    assert published_ports(service("web", 1, ports=[{"port": 80}, {"port": 8080}]), EDGES) == "80=20080"
    assert published_ports(service("web", 1, ports=[{"port": 80}]), Edges("127.0.0.1", 80, 443)) == ""


@pytest.mark.parametrize(
    ("target", "groups", "expected"),
    [("/$2", 2, r"/\2"), ("/", 0, "/"), ("$1", 1, r"/\1"), ("/$3", 2, "/"), ("/a\\b", 0, r"/a\\b")],
)
def test_rewrite_targets(target, groups, expected):
    assert substitution(target, groups) == expected


@pytest.mark.parametrize("path", ["/(?=x)", "/(?!x)", "/(?<=x)", r"/(a)\1", "/(", "/a++"])
def test_patterns_that_envoy_would_refuse(path):
    assert pattern_fault(full_pattern(path))


@pytest.mark.parametrize("path", ["/sf(/|$)(.*)", "/", "/a+b", "/(?:x|y)", "/(?P<n>x)"])
def test_patterns_that_envoy_takes(path):
    assert not pattern_fault(full_pattern(path))


def test_absent_conditions_count_as_ready():
    piece = {
        "ports": [{"name": "", "port": 1}, {"name": "b", "port": 2}],
        "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"], "conditions": {"ready": False}}],
    }
    one, two = (e for e, _ in slice_endpoints([piece], ""))
    assert (one.address, one.ready, one.serving, one.terminating) == (Address("10.0.0.1", 1), True, True, False)
    assert (two.ready, two.serving) == (False, False)


def test_dns_records_of_every_kind_of_service():
    piece = {
        "ports": [{"name": "db", "port": 5432, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": ["10.244.0.1"], "hostname": "db-0"},
            {"addresses": ["10.244.0.2"], "conditions": {"ready": False}},
        ],
    }
    services = [
        service("web", 1, ports=[{"name": "http", "port": 80}]),
        service("db", 2, ip="None"),
        service("out", 3, kind="ExternalName", ip="", externalName="example.com."),
    ]
    table = dns_table(services, {Key("default", "db"): [piece]})
    zone = "default.svc.cluster.local"
    assert table.a == {
        f"web.{zone}": ["10.96.0.1"],
        f"db.{zone}": ["10.244.0.1"],
        f"db-0.db.{zone}": ["10.244.0.1"],
    }
    assert table.srv == {
        f"_http._tcp.web.{zone}": [(80, f"web.{zone}")],
        f"_db._tcp.db.{zone}": [(5432, f"db-0.db.{zone}")],
    }
    assert table.cname == {f"out.{zone}": "example.com"}
    assert table.ptr["1.0.96.10.in-addr.arpa"] == f"web.{zone}"
