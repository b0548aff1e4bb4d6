"""Gateways, what hangs on them and between Services, references across namespaces, and what everybody is told."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.envoy.gateway_routes import table_configuration
from drumroll.domain.envoy.types import ROUTES
from drumroll.domain.gateway.listeners import our_classes, secrets_of
from drumroll.domain.gateway.statuses import Listening, class_status, gateway_status, route_parents
from drumroll.domain.gateway.translate import Refusal
from drumroll.objects.meta import Key
from tests.domain.gateways import (
    PORTS,
    Request,
    backend,
    gateway,
    listener,
    meta,
    path,
    route,
    rule,
    served,
    service,
    translated,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = datetime(2026, 1, 3, tzinfo=UTC)
GROUP = "gateway.networking.k8s.io"
SECRET = Key("default", "pair")


def https(name="tls", port=443, secret="pair", **more):
    return listener(name, port, "HTTPS", tls={"certificateRefs": [{"name": secret}]}, **more)


LISTENERS = {
    "one alone": ([listener()], {"http": None}),
    "two ports": ([listener("a", 80), listener("b", 8081)], {"a": None, "b": None}),
    "two hosts of a port": (
        [listener("a", hostname="a.test"), listener("b", hostname="b.test")],
        {"a": None, "b": None},
    ),
    "a host twice": (
        [listener("a", hostname="a.test"), listener("b", hostname="A.test"), listener("c", hostname="c.test")],
        {"a": "HostnameConflict", "b": "HostnameConflict", "c": None},
    ),
    "nobody's host twice": ([listener("a"), listener("b")], {"a": "HostnameConflict", "b": "HostnameConflict"}),
    "two protocols of a port": (
        [listener("a", 8081), https("b", 8081)],
        {"a": "ProtocolConflict", "b": "ProtocolConflict"},
    ),
    "a protocol that is not known": (
        [listener("a", 53, "UDP"), listener("b", 53)],
        {"a": "UnsupportedProtocol", "b": None},
    ),
    "TLS passed through": ([listener("a", 443, "TLS")], {"a": "UnsupportedProtocol"}),
    "HTTPS not ended here": ([listener("a", 443, "HTTPS", tls={"mode": "Passthrough"})], {"a": "UnsupportedValue"}),
    "HTTPS on the plain port": ([https("a", 80)], {"a": "ProtocolConflict"}),
    "HTTP on the TLS port": ([listener("a", 443)], {"a": "ProtocolConflict"}),
    "HTTPS": ([https()], {"tls": None}),
    "HTTPS without a reference": ([listener("a", 443, "HTTPS")], {"a": "InvalidCertificateRef"}),
    "HTTPS with a secret that is not there": ([https(secret="none")], {"tls": "InvalidCertificateRef"}),
    "a certificate of another kind": (
        [listener("a", 443, "HTTPS", tls={"certificateRefs": [{"name": "pair", "kind": "ConfigMap"}]})],
        {"a": "InvalidCertificateRef"},
    ),
    "a certificate elsewhere": (
        [listener("a", 443, "HTTPS", tls={"certificateRefs": [{"name": "pair", "namespace": "b"}]})],
        {"a": "RefNotPermitted"},
    ),
    "kinds of routes that are not known": (
        [listener(allowedRoutes={"kinds": [{"kind": "TCPRoute"}, {"kind": "HTTPRoute"}]})],
        {"http": "InvalidRouteKinds"},
    ),
}


@pytest.mark.parametrize("name", LISTENERS)
def test_listeners(name):
    listeners, expected = LISTENERS[name]
    found = translated(gateways=[gateway(*listeners)], usable=frozenset({SECRET})).gateways[0]
    faults = {one.name: one.conflict or one.rejected or one.unresolved for one in found.listeners}
    assert {name: fault and fault.reason for name, fault in faults.items()} == expected


BETWEEN = {
    "one name over HTTP": (listener(), listener(), None),
    "one name over TLS": (https(), https(), "HostnameConflict"),
    "two names over TLS": (https(hostname="a.test"), https(hostname="b.test"), None),
    "two protocols": (listener(port=9000), https(port=9000), "ProtocolConflict"),
    "two ports": (listener(port=9000), https(port=9001), None),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_what_an_older_gateway_has_stays_its_own(name):
    first, second, reason = BETWEEN[name]
    gateways = [gateway(second, name="a", n=9), gateway(first, name="z", n=1)]
    older, younger = translated(gateways=gateways, usable=frozenset({SECRET})).gateways
    assert (older.key.name, older.listeners[0].conflict) == ("z", None)
    assert (younger.listeners[0].conflict and younger.listeners[0].conflict.reason) == reason


ADDRESSES = [
    ([], None, None),
    ([{"value": "127.0.0.1"}], None, None),
    ([{"type": "IPAddress", "value": "10.0.0.1"}], None, "AddressNotUsable"),
    ([{"type": "Hostname", "value": "a.test"}], "UnsupportedAddress", None),
]


@pytest.mark.parametrize(("addresses", "rejected", "unplaced"), ADDRESSES)
def test_addresses(addresses, rejected, unplaced):
    found = translated(route(rule()), gateways=[gateway(addresses=addresses)])
    one = found.gateways[0]
    assert (one.rejected and one.rejected.reason, one.unplaced and one.unplaced.reason) == (rejected, unplaced)
    assert bool(found.tables) == (not rejected and not unplaced)


def test_parameters_that_nobody_reads_are_refused():
    spec = {"parametersRef": {"group": "x.y", "kind": "Parameters", "name": "none"}}
    found = translated(route(rule()), gateways=[gateway(infrastructure=spec)])
    assert (found.gateways[0].rejected and found.gateways[0].rejected.reason) == "InvalidParameters"
    assert not found.tables


def parent(name="front", **more):
    return {"name": name, "namespace": "default", **more}


TEAM = {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}
ATTACHED = {
    "the gateway": (parent(), listener(), {}, None),
    "a section": (parent(sectionName="http"), listener(), {}, None),
    "another section": (parent(sectionName="x"), listener(), {}, "NoMatchingParent"),
    "a port": (parent(port=80), listener(), {}, None),
    "another port": (parent(port=81), listener(), {}, "NoMatchingParent"),
    "a section at another port": (parent(sectionName="http", port=81), listener(), {}, "NoMatchingParent"),
    "another namespace": (parent(), listener(), {"namespace": "b"}, "NotAllowedByListeners"),
    "every namespace": (parent(), listener(allowedRoutes={"namespaces": {"from": "All"}}), {"namespace": "b"}, None),
    "no namespace": (parent(), listener(allowedRoutes={"namespaces": {"from": "None"}}), {}, "NotAllowedByListeners"),
    "a chosen namespace": (parent(), listener(allowedRoutes={"namespaces": TEAM}), {"namespace": "a"}, None),
    "one not chosen": (
        parent(),
        listener(allowedRoutes={"namespaces": TEAM}),
        {"namespace": "b"},
        "NotAllowedByListeners",
    ),
    "no selector": (parent(), listener(allowedRoutes={"namespaces": {"from": "Selector"}}), {"namespace": "b"}, None),
    "a kind": (parent(), listener(allowedRoutes={"kinds": [{"kind": "HTTPRoute"}]}), {}, None),
    "another kind": (parent(), listener(allowedRoutes={"kinds": [{"kind": "GRPCRoute"}]}), {}, "NotAllowedByListeners"),
    "a name": (parent(), listener(hostname="*.test"), {"hosts": ["a.test"]}, None),
    "another name": (parent(), listener(hostname="a.test"), {"hosts": ["b.test"]}, "NoMatchingListenerHostname"),
    "a wildcard": (parent(), listener(hostname="a.test"), {"hosts": ["*.test"]}, None),
}


@pytest.mark.parametrize("name", ATTACHED)
def test_attachment(name):
    reference, one, more, reason = ATTACHED[name]
    found = translated(
        route(rule(), parents=[reference], **more),
        gateways=[gateway(one)],
        namespaces={"default": {}, "a": {"team": "a"}, "b": {"team": "b"}},
    )
    verdict = found.verdicts[0]
    assert (verdict.refused and verdict.refused.reason) == reason
    assert found.attached == ({} if reason else {(Key("default", "front"), one["name"]): 1})


@pytest.mark.parametrize(
    "reference", [parent("other"), {"name": "front", "namespace": "b"}, parent(kind="Ship", group="x.y")]
)
def test_foreign_parents_are_left_alone(reference):
    assert translated(route(rule(), parents=[reference])).verdicts == ()


KINDS = {
    "at once": (["a.test"], ["a.test"], "HostnameConflict"),
    "below a wildcard": (["*.test"], ["a.test"], "HostnameConflict"),
    "everybody": ([], ["a.test"], "HostnameConflict"),
    "apart": (["a.test"], ["b.test"], None),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kinds", [("HTTPRoute", "GRPCRoute"), ("GRPCRoute", "HTTPRoute")])
def test_a_name_has_routes_of_one_kind(name, kinds):
    older, younger, reason = KINDS[name]
    found = translated(
        route(rule(), name="z", hosts=older, kind=kinds[0], n=1),
        route(rule(), name="a", hosts=younger, kind=kinds[1], n=2),
    )
    refused = {one.owner.key.name: one.refused and one.refused.reason for one in found.verdicts}
    assert refused == {"z": None, "a": reason}


def grant(of="b", kind="HTTPRoute", to="Service", name=None, at="default"):
    entry = {"group": "", "kind": to} | ({"name": name} if name else {})
    spec = {"from": [{"group": GROUP, "kind": kind, "namespace": of}], "to": [entry]}
    return {"metadata": {"namespace": at, "name": "g"}, "spec": spec}


GRANTS = {
    "none": ([], 500),
    "for all": ([grant()], "one"),
    "for this one": ([grant(name="one")], "one"),
    "for another one": ([grant(name="two")], 500),
    "for another kind": ([grant(kind="GRPCRoute")], 500),
    "for another namespace": ([grant(of="c")], 500),
    "to another kind": ([grant(to="Secret")], 500),
    "in the wrong namespace": ([grant(at="b")], 500),
    "one of several": ([grant(of="c"), grant()], "one"),
}


@pytest.mark.parametrize("name", GRANTS)
def test_grants(name):
    grants, expected = GRANTS[name]
    one = listener(allowedRoutes={"namespaces": {"from": "All"}})
    asked = route(rule(backendRefs=[backend(namespace="default")]), namespace="b")
    found = translated(asked, gateways=[gateway(one)], grants=grants)
    assert {"nowhere:1": 500}.get(answer := served(found, Request()), answer) == expected
    assert [fault.reason for fault in found.verdicts[0].faults] == ([] if expected == "one" else ["RefNotPermitted"])


def test_a_certificate_elsewhere_needs_a_grant():
    one = listener("a", 443, "HTTPS", tls={"certificateRefs": [{"name": "pair", "namespace": "b"}]})
    allowed = grant("default", "Gateway", "Secret", at="b")
    found = translated(gateways=[gateway(one)], grants=[allowed], usable=frozenset({Key("b", "pair")}))
    assert found.gateways[0].listeners[0].secrets == (Key("b", "pair"),)


def mesh(name="one", namespace=None, **more):
    return {"group": "", "kind": "Service", "name": name, **({"namespace": namespace} if namespace else {}), **more}


MESH = {
    "a service": (mesh(), "default", None),
    "its port": (mesh(port=80), "default", None),
    "the group's name in words": ({**mesh(), "group": "core"}, "default", None),
    "another port": (mesh(port=81), "default", "NoMatchingParent"),
    "no such service": (mesh("nobody"), "default", "NoMatchingParent"),
    "a service without an address": (mesh("bare"), "default", "NoMatchingParent"),
    "a service of others": (mesh(namespace="default"), "b", None),
    "a service of others, which is not there": (mesh("nobody", namespace="default"), "b", "NoMatchingParent"),
}


@pytest.mark.parametrize("name", MESH)
def test_routes_of_services(name):
    reference, namespace, reason = MESH[name]
    services = [service("one"), service("two"), service("bare", clusterIP="None")]
    asked = route(rule(to="two"), parents=[reference], namespace=namespace, hosts=["ignored.test"])
    found = translated(asked, gateways=[], services=services)
    assert (found.verdicts[0].refused and found.verdicts[0].refused.reason) == reason
    assert set(found.tables) == (set() if reason else {"default/one/http"})


def test_a_backend_may_have_its_group_in_words():
    asked = route(rule(backends=[{**backend("two"), "group": "core"}]), parents=[mesh()])
    found = translated(asked, gateways=[], services=[service("one"), service("two")])
    assert found.verdicts[0].faults == ()


def test_several_routes_of_a_service_and_no_rule_for_some_requests():
    routes = [
        route(rule(path("/a"), to="two"), name="a", parents=[mesh()]),
        route(rule({"method": "PUT"}, to="three"), name="b", parents=[mesh()], n=1),
    ]
    found = translated(*routes, gateways=[])
    table = "default/one/http"
    asked = [Request("/a"), Request(method="PUT"), Request("/b")]
    assert [served(found, one, table) for one in asked] == ["two", "three", 404]


def test_of_what_envoy_refuses_the_last_good_form_is_served_and_the_route_told():
    bad, good = route(rule(to="two"), generation=2), route(rule(to="one"))
    refused = {"default/r": Refusal(2, "too large")}
    found = translated(bad, stand_ins={"default/r": good}, refusals=refused)
    assert served(found, Request()) == "one"
    assert found.verdicts[0].refused.message == "Envoy refuses it: too large"
    assert (found.verdicts[0].owner.generation, found.verdicts[0].tables) == (2, frozenset())
    assert served(translated(bad, stand_ins={"default/r": None}), Request()) == 404


def test_a_route_whose_hosts_all_belong_to_other_listeners_is_not_waited_for():
    """Nothing of it is in any table, so nothing can be acknowledged, and its status says that it is not served."""
    asked = route(rule(), hosts=["a.test"], parents=[parent(sectionName="http")])
    found = translated(asked, gateways=[gateway(listener(), listener("own", hostname="a.test"))])
    assert (found.verdicts[0].refused, found.verdicts[0].tables) == (None, frozenset())
    conditions = route_parents(asked, [(found.verdicts[0], False)], NOW)[0]["conditions"]
    assert told(conditions)["drumroll.dev/Acknowledged"] == ("False", "NotServed")


def told(conditions):
    return {one["type"]: (one["status"], one["reason"]) for one in conditions}


GATEWAYS = {
    "served": ([listener()], Listening(frozenset({8080})), ("True", "Accepted"), ("True", "Programmed")),
    "not yet": ([listener()], Listening(), ("True", "Accepted"), ("False", "Pending")),
    "a port that is taken": (
        [listener()],
        Listening(refused={8080: "in use"}),
        ("True", "Accepted"),
        ("False", "Invalid"),
    ),
    "nothing of it": ([listener("a", 1, "UDP")], Listening(), ("False", "ListenersNotValid"), ("False", "Invalid")),
    "a part of it": (
        [listener(), listener("b", 1, "UDP")],
        Listening(frozenset({8080})),
        ("True", "ListenersNotValid"),
        ("True", "Programmed"),
    ),
}


@pytest.mark.parametrize("name", GATEWAYS)
def test_what_a_gateway_is_told(name):
    listeners, envoy, accepted, programmed = GATEWAYS[name]
    obj = gateway(*listeners)
    found = translated(gateways=[obj]).gateways[0]
    status = gateway_status(obj, found, {(found.key, "http"): 3}, envoy, "127.0.0.1", NOW)
    assert told(status["conditions"]) == {"Accepted": accepted, "Programmed": programmed}
    assert [one["attachedRoutes"] for one in status["listeners"]][:1] == [3 if listeners[0]["name"] == "http" else 0]
    assert bool(status["addresses"]) == (programmed[0] == "True")
    assert (
        gateway_status({**obj, "status": status}, found, {(found.key, "http"): 3}, envoy, "127.0.0.1", LATER) == status
    )


OVERLAPS = {
    "a name and a wildcard": ({"a": "a.test", "wide": "*.test", "apex": "test"}, {"a": "wide", "wide": "a"}),
    "everybody and a name": ({"all": None, "a": "a.test", "b": "b.test"}, {"all": "a, b", "a": "all", "b": "all"}),
    "a wildcard in a wildcard": ({"deep": "*.a.test", "wide": "*.test"}, {"deep": "wide", "wide": "deep"}),
    "names apart": ({"a": "a.test", "b": "b.test", "c": "*.c.test"}, {}),
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_tls_listeners_whose_hosts_overlap_are_told(name):
    hosts, expected = OVERLAPS[name]
    listeners = [https(one, **({"hostname": host} if host else {})) for one, host in hosts.items()]
    obj = gateway(*listeners, https("apart", 9443), listener("plain", 8081))
    found = translated(gateways=[obj], usable=frozenset({SECRET})).gateways[0]
    told_of = {
        one["name"]: next((c for c in one["conditions"] if c["type"] == "OverlappingTLSConfig"), None)
        for one in gateway_status(obj, found, {}, Listening(), "127.0.0.1", NOW)["listeners"]
    }
    rivals = {one: c["message"].rpartition(": ")[2] for one, c in told_of.items() if c}
    assert rivals == expected
    assert {(c["status"], c["reason"]) for c in told_of.values() if c} <= {("True", "OverlappingHostnames")}


def test_conditions_of_others_stay():
    foreign = {"type": "x.y/Seen", "status": "True", "reason": "Seen", "message": "", "lastTransitionTime": "t"}
    obj = gateway(listener())
    obj["status"] = {"conditions": [foreign], "listeners": [{"name": "http", "conditions": [foreign]}]}
    found = translated(gateways=[obj]).gateways[0]
    status = gateway_status(obj, found, {}, Listening(frozenset({8080})), "127.0.0.1", NOW)
    assert foreign in status["conditions"]
    assert foreign in status["listeners"][0]["conditions"]
    owner = route(rule())
    verdict = translated(owner).verdicts[0]
    mine = route_parents(owner, [(verdict, True)], NOW)[0]
    mine["conditions"].append(foreign)
    owner["status"] = {"parents": [mine]}
    assert foreign in route_parents(owner, [(verdict, True)], LATER)[0]["conditions"]


def test_a_route_is_told_about_each_parent_and_others_words_stay():
    obj = route(rule(to="nobody"), rule(path("x")), parents=[parent(), parent(sectionName="x")])
    foreign = {"controllerName": "x.y/z", "parentRef": {"name": "front"}, "conditions": []}
    obj["status"] = {"parents": [foreign]}
    verdicts = translated(obj).verdicts
    parents = route_parents(obj, [(one, True) for one in verdicts], NOW)
    assert parents[0] == foreign
    assert told(parents[1]["conditions"]) == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("False", "BackendNotFound"),
        "PartiallyInvalid": ("True", "UnsupportedValue"),
        "drumroll.dev/Acknowledged": ("True", "Acknowledged"),
    }
    assert told(parents[2]["conditions"])["Accepted"] == ("False", "NoMatchingParent")
    assert told(parents[2]["conditions"])["drumroll.dev/Acknowledged"] == ("False", "NotServed")
    again = route_parents({**obj, "status": {"parents": parents}}, [(one, True) for one in verdicts], LATER)
    assert again == parents


def test_times_of_conditions_are_those_of_their_changes():
    obj = route(rule())
    verdict = translated(obj).verdicts[0]
    obj["status"] = {"parents": route_parents(obj, [(verdict, False)], NOW)}
    conditions = {one["type"]: one for one in route_parents(obj, [(verdict, True)], LATER)[0]["conditions"]}
    assert conditions["drumroll.dev/Acknowledged"]["lastTransitionTime"] == "2026-01-03T00:00:00Z"
    assert conditions["Accepted"]["lastTransitionTime"] == "2026-01-02T00:00:00Z"


def test_classes():
    ours = {"metadata": meta("mine"), "spec": {"controllerName": "drumroll.dev/gateway"}}
    theirs = {"metadata": meta("theirs"), "spec": {"controllerName": "x.y/z"}}
    assert our_classes([ours, theirs]) == {"drumroll", "mine"}
    assert told(class_status(ours, NOW)["conditions"]) == {"Accepted": ("True", "Accepted")}


FIELDS = [
    *("listeners", "parentRefs", "rules", "matches", "backendRefs", "filters", "name", "kind", "group", "port"),
    *("path", "value", "type", "headers", "hostnames", "allowedRoutes", "namespaces", "tls", "certificateRefs"),
    *("timeouts", "request", "retry", "codes", "sessionPersistence", "requestMirror", "backendRef", "from", "to"),
]
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)),
    max_leaves=12,
)


def broken(whole, data):
    """The object with junk in the place of one of its parts."""
    if isinstance(whole, dict) and whole and data.draw(st.integers(0, 4)):
        name = data.draw(st.sampled_from(sorted(whole)))
        return {**whole, name: broken(whole[name], data)}
    if isinstance(whole, list) and whole and data.draw(st.integers(0, 4)):
        return [broken(whole[0], data), *whole[1:]]
    return data.draw(JUNK)


@given(st.data())
def test_nothing_that_is_of_no_shape_spoils_the_others(data):
    whole = route(
        rule(
            {**path("/x"), "headers": [{"name": "a", "value": "b"}]},
            filters=[{"type": "RequestMirror", "requestMirror": {"backendRef": backend("two")}}],
            timeouts={"request": "1s"},
            retry={"codes": [503]},
            sessionPersistence={"type": "Cookie"},
        ),
        name="broken",
        hosts=["b.test"],
    )
    whole["spec"] = broken(whole["spec"], data)
    other = gateway(https(port=9443), name="other", n=1)
    other["spec"] = broken(other["spec"], data)
    from drumroll.proxy.encode import encode

    allowed = {"metadata": {"namespace": "default", "name": "g"}, "spec": broken(grant()["spec"], data)}
    found = translated(route(rule(), hosts=["a.test"]), whole, gateways=[gateway(), other], grants=[allowed])
    assert served(found, Request(host="a.test")) == "one"
    for one, obj in zip(found.gateways, [gateway(), other], strict=True):
        gateway_status(obj, one, found.attached, Listening(), "127.0.0.1", NOW)
    secrets_of(other)
    for table in found.tables.values():
        encode(ROUTES, table_configuration(table, PORTS.published))
