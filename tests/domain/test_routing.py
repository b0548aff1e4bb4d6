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


def test_a_port_is_served_as_what_it_speaks():
    """HTTP and unknown ports have routes (time-outs, retries); a declared TCP port has none."""
    ports = [{"name": "http", "port": 80}, {"name": "tcp-x", "port": 81}, {"name": "x", "port": 82}]
    found = configured(service("web", 1, ports=ports))
    assert set(found.resources[types.CLUSTER]) == {"default/web/http", "default/web/tcp-x", "default/web/x"}
    assert set(found.resources[types.ROUTES]) == {"default/web/http", "default/web/x"}


def test_client_affinity_makes_every_layer_sticky():
    for affinity, policy in (("ClientIP", "MAGLEV"), ("None", "ROUND_ROBIN")):
        found = configured(service("web", 1, ports=[{"name": "http", "port": 80}], sessionAffinity=affinity))
        assert found.resources[types.CLUSTER]["default/web/http"]["lb_policy"] == policy
        routes = found.resources[types.ROUTES]["default/web/http"]["virtual_hosts"][0]["routes"]
        assert all(("hash_policy" in route["route"]) == (affinity == "ClientIP") for route in routes)


def through_ingress(protocol, *, tls=(), certificates=()):
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": "a.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    meta = {"namespace": "default", "name": "i", "annotations": {}}
    if protocol:
        meta["annotations"]["nginx.ingress.kubernetes.io/backend-protocol"] = protocol
    known = {Key("default", name): Certificate("", f"chain of {name}", "k") for name in certificates}
    ingress = {"apiVersion": "networking.k8s.io/v1", "metadata": meta, "spec": {"rules": [rule], "tls": list(tls)}}
    web = service("web", 1)
    return configure(Inputs({key_of(web): web}, (ingress,), known, Certificate("", "own", "k"), EDGES))


@pytest.mark.parametrize(
    ("protocol", "names", "is_http2", "is_tls"),
    [
        pytest.param("", {"default/web/80"}, False, False, id="HTTP/1.1 unless somebody says otherwise"),
        pytest.param("GRPC", {"default/web/80"}, True, False, id="gRPC is HTTP/2"),
        pytest.param("HTTPS", {"default/web/80", "default/web/80/tls"}, False, True, id="HTTPS has its own cluster"),
        pytest.param("GRPCS", {"default/web/80", "default/web/80/tls"}, True, True, id="and so has gRPC over TLS"),
    ],
)
def test_an_ingress_speaks_to_its_backend_as_its_annotation_says(protocol, names, is_http2, is_tls):
    found = through_ingress(protocol)
    assert set(found.resources[types.CLUSTER]) == set(found.upstreams) == names
    used = found.resources[types.CLUSTER]["default/web/80/tls" if is_tls else "default/web/80"]
    shape = used["typed_extension_protocol_options"][types.HTTP_OPTIONS_KEY]["explicit_http_config"]
    assert ("http2_protocol_options" in shape) is is_http2
    assert ("transport_socket" in used) is is_tls
    (route,) = {str(r["route"]["cluster"]) for r in hosts_of(found)["a.test"] if "route" in r}
    assert route == used["name"]


def hosts_of(found):
    table = found.resources[types.ROUTES]["ingress/https"]
    return {host["name"]: host["routes"] for host in table["virtual_hosts"]}


def test_a_secret_without_a_usable_certificate_is_told_and_the_own_one_presented():
    tls = [{"hosts": ["a.test"], "secretName": "good"}, {"hosts": ["b.test"], "secretName": "bad"}, {}]
    found = through_ingress("", tls=tls, certificates=["good"])
    assert [(c.reason, "'bad'" in c.message) for c in found.complaints] == [("SecretUnusable", True)]
    chains = found.resources[types.LISTENER]["ingress/https"]["filter_chains"]
    assert [chain.get("filter_chain_match") for chain in chains] == [None, {"server_names": ["a.test"]}]
    assert "chain of good" in str(found.resources)


def test_what_is_wrong_with_an_ingress_is_told():
    assert [c.reason for c in through_ingress("", tls=[]).complaints] == []
    lost = {"metadata": {"namespace": "default", "name": "i"}, "spec": {"defaultBackend": {"service": {"name": "no"}}}}
    assert [c.reason for c in configured(ingresses=[lost]).complaints] == ["ServiceNotFound"]


def test_only_ports_below_1024_move():
    assert [EDGES.published(port) for port in (1, 1023, 1024, 8080)] == [20001, 21023, 1024, 8080]


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
