"""Routes of the Gateway API: what is matched, in which order, and what happens to a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.envoy import types
from drumroll.domain.envoy.gateway_routes import NOWHERE, cluster_names, table_configuration
from drumroll.domain.gateway.durations import seconds_of
from drumroll.domain.gateway.hostnames import is_covered, meeting, narrowest
from drumroll.domain.gateway.statuses import FEATURES
from drumroll.objects.meta import Key
from tests.domain.gateways import (
    PORTS,
    SERVICES,
    Request,
    answer,
    backend,
    gateway,
    listener,
    path,
    rewritten,
    route,
    rule,
    served,
    service,
    translated,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0), ("1s", 1), ("250ms", 0.25), ("1m", 60), ("1m30s", 90), ("1h", 3600), ("1h1m1s1ms", 3661.001),
        ("10s500ms", 10.5), ("99999h", 359996400),
    ],
)  # fmt: skip
def test_durations(text, seconds):
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "1", "s", "1.5s", "-1s", "1d", "1s ", "1 s", "100000s", "1s1s1s1s1s"])
def test_no_durations(text):
    with pytest.raises(ValueError, match="is no duration"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("listener_host", "route_host", "met"),
    [
        ("*", "a.test", "a.test"),
        ("*", "*.test", "*.test"),
        ("a.test", "a.test", "a.test"),
        ("a.test", "b.test", ""),
        ("a.test", "*.test", "a.test"),
        ("a.b.test", "*.test", "a.b.test"),
        ("test", "*.test", ""),
        ("*.test", "a.test", "a.test"),
        ("*.test", "a.b.test", "a.b.test"),
        ("*.test", "test", ""),
        ("*.test", "atest", ""),
        ("*.test", "*.test", "*.test"),
        ("*.test", "*.b.test", "*.b.test"),
        ("*.b.test", "*.test", "*.b.test"),
        ("*.b.test", "*.c.test", ""),
        ("*.b.test", "a.test", ""),
        ("a.test", "A.test", ""),  # the caller has lowered names
    ],
)
def test_names_of_listeners_and_routes_meet(listener_host, route_host, met):
    assert meeting(listener_host, route_host) == met


@given(st.lists(st.sampled_from(["*", "a", "b", "test"]), min_size=1, max_size=3), st.sampled_from(["x", "a", "b"]))
def test_a_name_covers_itself_and_whatever_is_below(labels, label):
    name = ".".join(part for part in labels if part != "*")
    if name:
        assert is_covered(name, name)
        assert is_covered(f"{label}.{name}", f"*.{name}")
        assert not is_covered(name, f"*.{name}")
        assert narrowest(f"{label}.{name}", ["*", f"*.{name}"]) == f"*.{name}"


MATCHES = {
    "everything": ({}, ["/", "/x", "/x/y"], []),
    "a prefix": (path("/a"), ["/a", "/a/", "/a/b"], ["/", "/ab", "/A", "/b/a"]),
    "a prefix with a slash at its end": (path("/a/"), ["/a", "/a/", "/a/b"], ["/ab"]),
    "an exact path": (path("/a", "Exact"), ["/a"], ["/a/", "/a/b", "/A"]),
    "an exact path with a slash": (path("/a/", "Exact"), ["/a/"], ["/a"]),
    "an expression over all of the path": (
        path("/a/[0-9]+", "RegularExpression"),
        ["/a/1"],
        ["/a/x", "/a/1/b", "/x/a/1"],
    ),
    "the root, exactly": (path("/", "Exact"), ["/"], ["/x"]),
    "special characters of expressions": (path("/a.b", "Exact"), ["/a.b"], ["/aXb"]),
}


@pytest.mark.parametrize("name", MATCHES)
def test_paths(name):
    match, yes, no = MATCHES[name]
    found = translated(route(rule(match)))
    assert {text: served(found, Request(text)) for text in yes} == dict.fromkeys(yes, "one")
    assert {text: served(found, Request(text)) for text in no} == dict.fromkeys(no, 404)


def header(name, value, kind="Exact"):
    return {"name": name, "value": value, "type": kind}


REQUESTS = [
    ({"method": "POST"}, Request(method="POST"), True),
    ({"method": "POST"}, Request(method="GET"), False),
    ({"headers": [header("X-A", "1")]}, Request(headers={"x-a": "1"}), True),
    ({"headers": [header("X-A", "1")]}, Request(headers={"x-a": "12"}), False),
    ({"headers": [header("X-A", "1")]}, Request(), False),
    ({"headers": [header("x-a", "1+", "RegularExpression")]}, Request(headers={"X-A": "11"}), True),
    ({"headers": [header("x-a", "1+", "RegularExpression")]}, Request(headers={"X-A": "12"}), False),
    ({"headers": [header("x-a", "1"), header("x-b", "2")]}, Request(headers={"x-a": "1", "x-b": "2"}), True),
    ({"headers": [header("x-a", "1"), header("x-b", "2")]}, Request(headers={"x-a": "1"}), False),
    ({"headers": [header("x-a", "1"), header("X-A", "2")]}, Request(headers={"x-a": "1"}), True),
    ({"queryParams": [header("v", "1")]}, Request(query={"v": "1"}), True),
    ({"queryParams": [header("v", "1")]}, Request(query={"V": "1"}), False),
    ({"queryParams": [header("v", "1")]}, Request(), False),
    ({"queryParams": [header("v", "a.c", "RegularExpression")]}, Request(query={"v": "abc"}), True),
    ({"queryParams": [header("v", "a.c", "RegularExpression")]}, Request(query={"v": "abcd"}), False),
    ({**path("/a"), "method": "PUT"}, Request("/a/b", method="PUT"), True),
    ({**path("/a"), "method": "PUT"}, Request("/b", method="PUT"), False),
    (
        {**path("/a"), "method": "PUT", "headers": [header("x", "y")]},
        Request("/a", method="PUT", headers={"x": "y"}),
        True,
    ),
]


@pytest.mark.parametrize(("match", "request_", "is_so"), REQUESTS)
def test_methods_headers_and_parameters(match, request_, is_so):
    assert served(translated(route(rule(match))), request_) == ("one" if is_so else 404)


def call(service="", method="", kind="Exact", **more):
    named = {name: value for name, value in (("service", service), ("method", method)) if value}
    return {"method": {"type": kind, **named}, **more} if named else dict(more)


CALLS = [
    (call("a.B", "Get"), "/a.B/Get", True),
    (call("a.B", "Get"), "/a.B/Put", False),
    (call("a.B", "Get"), "/aXB/Get", False),
    (call("a.B"), "/a.B/Put", True),
    (call("a.B"), "/a.BC/Put", False),
    (call(method="Get"), "/x.Y/Get", True),
    (call(method="Get"), "/x.Y/Put", False),
    (call(), "/x.Y/Get", True),
    (call("a\\..*", "G.t", "RegularExpression"), "/a.Z/Got", True),
    (call("a\\..*", "G.t", "RegularExpression"), "/b.Z/Got", False),
    (call("a|b", kind="RegularExpression"), "/b/X", True),
    (call("a|b", kind="RegularExpression"), "/bc/X", False),
    (call(method="G.*", kind="RegularExpression"), "/s/Get", True),
    (call(method="G.*", kind="RegularExpression"), "/s/t/Get", False),
]


@pytest.mark.parametrize(("match", "text", "is_so"), CALLS)
def test_calls(match, text, is_so):
    found = translated(route(rule(match), kind="GRPCRoute"))
    assert served(found, Request(text, method="POST")) == ("one" if is_so else 404)


def test_calls_need_http2_and_headers_may_choose():
    match = call("a.B", headers=[header("x-v", "2")])
    found = translated(route(rule(match, to="two"), rule(call("a.B")), kind="GRPCRoute"))
    assert served(found, Request("/a.B/Get", headers={"x-v": "2"})) == "two"
    assert served(found, Request("/a.B/Get")) == "one"
    assert {target.http2 for target in found.targets} == {True}


def test_calls_without_a_backend_are_unavailable():
    lost = {"backendRefs": [backend("nobody")]}
    found = translated(
        route(rule(call("a.B", "None"), backendRefs=[]), {**rule(call("a.B", "Lost")), **lost}, kind="GRPCRoute")
    )
    assert served(found, Request("/a.B/None", method="POST")) == 503
    missing = answer(found, Request("/a.B/Lost", method="POST"))["route"]
    assert missing["cluster_not_found_response_code"] == "SERVICE_UNAVAILABLE"


PRECEDENCE = {
    "an exact path before a longer prefix": (path("/a", "Exact"), path("/a"), "/a"),
    "an exact path before an expression": (path("/a/b", "Exact"), path("/a/.*", "RegularExpression"), "/a/b"),
    "an expression before a prefix": (path("/a/.*", "RegularExpression"), path("/a/b"), "/a/b"),
    "the longer prefix": (path("/a/b"), path("/a"), "/a/b/c"),
    "a method before none": ({"method": "GET"}, {}, "/"),
    "a method before headers": ({"method": "GET"}, {"headers": [header("x", "1"), header("y", "1")]}, "/"),
    "more headers": ({"headers": [header("x", "1"), header("y", "1")]}, {"headers": [header("x", "1")]}, "/"),
    "headers before parameters": (
        {"headers": [header("x", "1")]},
        {"queryParams": [header("q", "1"), header("r", "1")]},
        "/",
    ),
    "more parameters": (
        {"queryParams": [header("q", "1"), header("r", "1")]},
        {"queryParams": [header("q", "1")]},
        "/",
    ),
    "a longer path before a method": (path("/a/b"), {**path("/a"), "method": "GET"}, "/a/b"),
    "a longer path before headers": (path("/a/b"), {**path("/a"), "headers": [header("x", "1")]}, "/a/b"),
}


@pytest.mark.parametrize("name", PRECEDENCE)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_the_standards_order(name, turned, apart):
    """Whichever comes first, in one route or in two, of which the older one has the lesser match."""
    winner, loser, text = PRECEDENCE[name]
    rules = [rule(winner, to="one"), rule(loser, to="two")]
    rules = rules[::-1] if turned else rules
    routes = [route(one, name=f"r{n}", n=n) for n, one in enumerate(rules)] if apart else [route(*rules)]
    request = Request(text, headers={"x": "1", "y": "1"}, query={"q": "1", "r": "1"})
    assert served(translated(*routes), request) == "one"


TIES = {
    "the older route": (route(rule(to="one"), name="z", n=1), route(rule(to="two"), name="a", n=2)),
    "then the first by name": (route(rule(to="one"), name="a", n=1), route(rule(to="two"), name="b", n=1)),
    "then the first by namespace": (
        route(rule(backendRefs=[backend(namespace="default")]), name="z", namespace="aaa", n=1),
        route(rule(to="two"), name="a", namespace="default", n=1),
    ),
}
ANYBODY = {"allowedRoutes": {"namespaces": {"from": "All"}}}
GRANT = {
    "metadata": {"namespace": "default", "name": "g"},
    "spec": {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "aaa"}],
        "to": [{"group": "", "kind": "Service"}],
    },
}


@pytest.mark.parametrize("name", TIES)
@pytest.mark.parametrize("turned", [False, True])
def test_ties(name, turned):
    routes = TIES[name][::-1] if turned else TIES[name]
    found = translated(*routes, gateways=[gateway(listener(**ANYBODY))], grants=[GRANT])
    assert served(found, Request()) == "one"


def test_of_equal_rules_in_a_route_the_first_one_wins():
    assert served(translated(route(rule(path("/a")), rule(path("/a"), to="two"))), Request("/a")) == "one"
    assert served(translated(route(rule(path("/b"), path("/a")), rule(path("/a"), to="two"))), Request("/a")) == "one"


HOSTS = [
    (["a.test"], "a.test", "one"),
    (["a.test"], "b.test", 404),
    (["*.test"], "b.test", "one"),
    (["*.test"], "b.c.test", "one"),
    (["*.test"], "test", 404),
    ([], "who.example", "one"),
    (["a.test", "b.test"], "b.test", "one"),
]


@pytest.mark.parametrize(("hosts", "host", "expected"), HOSTS)
def test_hosts(hosts, host, expected):
    assert served(translated(route(rule(), hosts=hosts)), Request(host=host)) == expected


MOST_SPECIFIC = [("a.test", "one"), ("b.test", "two"), ("x.b.test", "three"), ("other.example", 404)]


@pytest.mark.parametrize(("host", "expected"), MOST_SPECIFIC)
def test_the_most_specific_host_wins(host, expected):
    found = translated(
        route(rule(to="two"), name="wide", hosts=["*.test"]),
        route(rule(to="one"), name="exact", hosts=["a.test"], n=5),
        route(rule(to="three"), name="deep", hosts=["*.b.test"], n=5),
    )
    assert served(found, Request(host=host)) == expected


ISOLATION = [
    ("a.test", "one"), ("b.test", "two"), ("other.example", "three"), ("x.deep.test", 404), ("deep.test", "two"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "expected"), ISOLATION)
def test_a_request_belongs_to_the_most_specific_listener(host, expected):
    listeners = [
        listener("all"), listener("wide", hostname="*.test"), listener("exact", hostname="a.test"),
        listener("empty", hostname="*.deep.test"),
    ]  # fmt: skip

    def parents(name):
        return [{"name": "front", "sectionName": name}]

    found = translated(
        route(rule(to="three"), name="all", parents=parents("all")),
        route(rule(to="two"), name="wide", parents=parents("wide")),
        route(rule(to="one"), name="exact", parents=parents("exact")),
        gateways=[gateway(*listeners)],
    )
    assert served(found, Request(host=host)) == expected


MISDIRECTED = [
    ("a.test", "a.test", "one"),
    ("a.test", "b.test", 421),
    ("a.test", "c.deep.test", 421),
    ("a.test", "x.example", 421),
    ("b.test", "b.test", 404),
    ("*.deep.test", "x.example", 421),
    ("*.deep.test", "c.deep.test", "two"),
    ("*.deep.test", "d.deep.test", 421),
    ("*", "a.test", 421),
    ("*", "x.example", "three"),
]


@pytest.mark.parametrize(("connection", "host", "expected"), MISDIRECTED)
def test_a_request_on_another_hosts_tls_connection_is_misdirected(connection, host, expected):
    tls = {"certificateRefs": [{"name": "pair"}]}
    hosts = {"a": "a.test", "b": "b.test", "deep": "*.deep.test", "d": "d.deep.test", "all": None}
    listeners = [
        listener(name, 9443, "HTTPS", tls=tls, **({"hostname": host} if host else {})) for name, host in hosts.items()
    ]

    def parents(name):
        return [{"name": "front", "sectionName": name}]

    found = translated(
        route(rule(to="one"), name="a", parents=parents("a")),
        route(rule(to="two"), name="deep", parents=parents("deep")),
        route(rule(to="three"), name="all", parents=parents("all")),
        gateways=[gateway(*listeners)],
        usable=frozenset({Key("default", "pair")}),
    )
    assert served(found, Request(host=host), f"gateway/9443/{connection}") == expected


def test_features_are_in_order():
    assert list(FEATURES) == sorted(FEATURES)


REWRITES = [
    ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
    ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
    ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
    ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
    ("/foo", "/foo", "/xyz", "/xyz"),
    ("/foo/", "/foo", "/xyz", "/xyz/"),
    ("/foo/bar", "/foo", "", "/bar"),
    ("/foo/", "/foo", "", "/"),
    ("/foo", "/foo", "", "/"),
    ("/foo/", "/foo", "/", "/"),
    ("/foo", "/foo", "/", "/"),
    ("/foo/a.b", "/foo", "/x\\1", "/x\\1/a.b"),
    ("/a.b/c", "/a.b", "/x", "/x/c"),
    ("/bar", "/", "/xyz", "/xyz/bar"),
    ("/", "/", "/xyz", "/xyz/"),
    ("/foo//bar", "/foo", "/xyz", "/xyz//bar"),
]


def rewrite(kind, value, host=None):
    field = "replaceFullPath" if kind == "ReplaceFullPath" else "replacePrefixMatch"
    named = {"hostname": host} if host else {}
    return {"type": "URLRewrite", "urlRewrite": {**named, "path": {"type": kind, field: value}}}


@pytest.mark.parametrize(("text", "prefix", "value", "expected"), REWRITES)
def test_prefixes_are_replaced_as_in_the_standards_table(text, prefix, value, expected):
    found = translated(route(rule(path(prefix), filters=[rewrite("ReplacePrefixMatch", value)])))
    assert rewritten(answer(found, Request(text))["route"], text) == expected


@pytest.mark.parametrize(("text", "value"), [("/a", "/b"), ("/a/b/c", "/"), ("/", "/x.y"), ("/a", "/\\1")])
def test_a_full_path_is_replaced(text, value):
    found = translated(route(rule(filters=[rewrite("ReplaceFullPath", value, "in.test")])))
    action = answer(found, Request(text))["route"]
    assert rewritten(action, text) == value
    assert action["host_rewrite_literal"] == "in.test"


REDIRECTS = [
    ({}, {"response_code": "FOUND", "port_redirect": 8080}),
    ({"statusCode": 301}, {"response_code": "MOVED_PERMANENTLY", "port_redirect": 8080}),
    ({"statusCode": 303}, {"response_code": "SEE_OTHER", "port_redirect": 8080}),
    ({"statusCode": 307}, {"response_code": "TEMPORARY_REDIRECT", "port_redirect": 8080}),
    ({"statusCode": 308}, {"response_code": "PERMANENT_REDIRECT", "port_redirect": 8080}),
    ({"scheme": "https"}, {"response_code": "FOUND", "scheme_redirect": "https", "port_redirect": 8443}),
    ({"scheme": "https", "port": 443}, {"response_code": "FOUND", "scheme_redirect": "https", "port_redirect": 8443}),
    ({"scheme": "https", "port": 9443}, {"response_code": "FOUND", "scheme_redirect": "https", "port_redirect": 9443}),
    ({"scheme": "http"}, {"response_code": "FOUND", "scheme_redirect": "http", "port_redirect": 8080}),
    ({"hostname": "b.test"}, {"response_code": "FOUND", "host_redirect": "b.test", "port_redirect": 8080}),
    ({"port": 8888}, {"response_code": "FOUND", "port_redirect": 8888}),
    (
        {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"}},
        {"response_code": "FOUND", "port_redirect": 8080, "path_redirect": "/new"},
    ),
]


@pytest.mark.parametrize(("spec", "expected"), REDIRECTS)
def test_redirects(spec, expected):
    entry = {"filters": [{"type": "RequestRedirect", "requestRedirect": spec}]}
    assert answer(translated(route(entry)), Request())["redirect"] == expected


def test_a_redirects_prefix_is_replaced():
    spec = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}
    entry = {"matches": [path("/old")], "filters": [{"type": "RequestRedirect", "requestRedirect": spec}]}
    assert rewritten(answer(translated(route(entry)), Request("/old/x"))["redirect"], "/old/x") == "/new/x"


WEIGHTS = [
    ([backend()], "one"),
    ([backend(weight=9), backend("two", weight=1)], "one:9 two:1"),
    ([backend(weight=0), backend("two", weight=3)], "two:3"),
    ([backend(weight=0), backend("two", weight=0)], 500),
    ([backend(weight=0)], 500),
    ([], 500),
    ([backend(), backend("nobody")], "one:1 nowhere:1"),
    ([backend("nobody")], "nowhere:1"),
    ([backend(), backend("two", port=81)], "one:1 nowhere:1"),
    ([backend(), backend("two", kind="Bucket", group="x.y")], "one:1 nowhere:1"),
    ([backend(), backend("two", namespace="elsewhere")], "one:1 nowhere:1"),
    ([backend(weight=1_000_000), backend("two", weight=1_000_000)], "one:1000000 two:1000000"),
]


@pytest.mark.parametrize(("backends", "expected"), WEIGHTS)
def test_weights(backends, expected):
    found = translated(route({"backendRefs": backends}))
    assert served(found, Request()) == expected
    if "nowhere" in str(expected):
        assert answer(found, Request())["route"]["cluster_not_found_response_code"] == "INTERNAL_SERVER_ERROR"
        assert found.verdicts[0].faults


TIMES = [
    ({}, "0s", None, "connect-failure,refused-stream,reset-before-request,reset", 2),
    (
        {"timeouts": {"request": "1s500ms"}},
        "1.5s",
        None,
        "connect-failure,refused-stream,reset-before-request,reset",
        2,
    ),
    ({"timeouts": {"request": "0s"}}, "0s", None, "connect-failure,refused-stream,reset-before-request,reset", 2),
    ({"timeouts": {"backendRequest": "2s"}}, "0s", "2s", "connect-failure,refused-stream,reset-before-request", 2),
    (
        {"timeouts": {"request": "9s", "backendRequest": "2s"}, "retry": {"codes": [500, 503], "attempts": 4}},
        *("9s", "2s", "connect-failure,refused-stream,reset-before-request,reset,retriable-status-codes", 4),
    ),
    (
        {"retry": {"attempts": 0}},
        "0s",
        None,
        "connect-failure,refused-stream,reset-before-request,reset,retriable-status-codes",
        0,
    ),
]


@pytest.mark.parametrize(("spec", "whole", "each", "retry_on", "attempts"), TIMES)
def test_times_and_retries(spec, whole, each, retry_on, attempts):
    action = answer(translated(route(rule(**spec))), Request())["route"]
    policy = action["retry_policy"]
    assert (action["timeout"], policy.get("per_try_timeout")) == (whole, each)
    assert (policy["retry_on"], policy["num_retries"]) == (retry_on, attempts)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_what_may_have_been_done_is_never_asked_for_again(method):
    action = answer(translated(route(rule(retry={"codes": [503]}))), Request(method=method))["route"]
    assert "reset" not in action["retry_policy"]["retry_on"].split(",")


MIRRORS = [
    ({}, {"numerator": 100, "denominator": "HUNDRED"}),
    ({"percent": 0}, {"numerator": 0, "denominator": "HUNDRED"}),
    ({"percent": 42}, {"numerator": 42, "denominator": "HUNDRED"}),
    ({"fraction": {"numerator": 1}}, {"numerator": 1, "denominator": "HUNDRED"}),
    ({"fraction": {"numerator": 1, "denominator": 1000}}, {"numerator": 1000, "denominator": "MILLION"}),
    ({"fraction": {"numerator": 1, "denominator": 3}}, {"numerator": 333333, "denominator": "MILLION"}),
]


@pytest.mark.parametrize(("share", "expected"), MIRRORS)
def test_mirrors(share, expected):
    filters = [mirror(name, **share) for name in ("two", "three")]
    policies = answer(translated(route(rule(filters=filters))), Request())["route"]["request_mirror_policies"]
    assert [policy["cluster"] for policy in policies] == ["default/two/http", "default/three/http"]
    assert {str(policy["runtime_fraction"]["default_value"]) for policy in policies} == {str(expected)}


def modifier(**changes):
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": changes}


def mirror(name="one", **share):
    return {"type": "RequestMirror", "requestMirror": {"backendRef": backend(name), **share}}


DROPPED = {
    "an expression that is none": (rule(path("/(", "RegularExpression")), "no regular expression"),
    "an expression that RE2 lacks": (rule(path("/(?=x)", "RegularExpression")), "not supported"),
    "too many repetitions": (rule(path("/a{2,1001}", "RegularExpression")), "1000 repetitions"),
    "an escape that RE2 lacks": (rule(path("/a\\Z", "RegularExpression")), "not supported"),
    "a path with a query": (rule(path("/a?b")), "queryParams"),
    "a header's name in a match": (rule({"headers": [header("x y", "1")]}), "is no header name"),
    "a header's expression": (rule({"headers": [header("x", "(", "RegularExpression")]}), "header x"),
    "a parameter's expression": (rule({"queryParams": [header("x", "(", "RegularExpression")]}), "query parameter x"),
    "a path without a slash": (rule(path("x")), "does not start with a slash"),
    "a path type": (rule(path("/", "Suffix")), "is not known"),
    "a method": (rule({"method": "FETCH"}), "is not known"),
    "a filter": (rule(filters=[{"type": "Teleport"}]), "is not known"),
    "a header's name": (
        rule(filters=[modifier(remove=[":path"])]),
        "is no header name",
    ),
    "the host header": (
        rule(filters=[modifier(set=[{"name": "Host", "value": "x"}])]),
        "URLRewrite",
    ),
    "a status": (rule(filters=[{"type": "RequestRedirect", "requestRedirect": {"statusCode": 200}}]), "statusCode 200"),
    "a scheme": (rule(filters=[{"type": "RequestRedirect", "requestRedirect": {"scheme": "ftp"}}]), "scheme"),
    "a redirect with a rewrite": (
        rule(filters=[{"type": "RequestRedirect", "requestRedirect": {}}, rewrite("ReplaceFullPath", "/x")]),
        "exclude each other",
    ),
    "a prefix's change without a prefix": (
        rule(path("/x", "Exact"), filters=[rewrite("ReplacePrefixMatch", "/y")]), "needs matches of type PathPrefix"
    ),
    "a mirror's share": (
        rule(filters=[mirror(percent=101)]), "101 of"
    ),
    "two shares of a mirror": (
        rule(filters=[mirror(percent=1, fraction={"numerator": 1})]),
        "not both",
    ),
    "a weight": (rule(backendRefs=[backend(weight=1_000_001)]), "weight"),
    "a backend's redirect": (
        rule(backendRefs=[backend(filters=[{"type": "RequestRedirect", "requestRedirect": {}}])]), "belongs to the rule"
    ),
    "a duration": (rule(timeouts={"request": "1 s"}), "is no duration"),
    "an attempt longer than all": (rule(timeouts={"request": "1s", "backendRequest": "2s"}), "is longer than"),
    "a code": (rule(retry={"codes": [200]}), "between 400 and 599"),
    "a cookie's name": (rule(sessionPersistence={"sessionName": "a b"}), "is no name"),
    "an idle time-out": (rule(sessionPersistence={"idleTimeout": "1h"}), "idleTimeout"),
    "the end of a session cookie": (rule(sessionPersistence={"absoluteTimeout": "1h"}), "lifetimeType Permanent"),
    "the end of a session by a header": (
        rule(sessionPersistence={"type": "Header", "absoluteTimeout": "1h", "cookieConfig": {
            "lifetimeType": "Permanent"}}), "not supported for a header"
    ),
    "two ways to stay": (
        rule(to="sticky", sessionPersistence={}), "with sessionAffinity ClientIP exclude each other"
    ),
    "a permanent cookie without an end": (
        rule(sessionPersistence={"cookieConfig": {"lifetimeType": "Permanent"}}), "absoluteTimeout"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DROPPED)
def test_a_rule_that_cannot_be_served_is_left_out_and_the_others_are_not(name):
    wrong, words = DROPPED[name]
    services = (*SERVICES, service("sticky", sessionAffinity="ClientIP"))
    found = translated(route(wrong, rule(path("/good"), to="two")), services=services)
    assert served(found, Request("/good/x")) == "two"
    verdict = found.verdicts[0]
    assert verdict.refused is None
    assert words in verdict.dropped[0]
    assert verdict.dropped[0].startswith("rule 0: ")
    alone = translated(route(wrong), services=services)
    assert alone.verdicts[0].refused.reason == "UnsupportedValue"


def test_an_unknown_filter_of_others_is_never_skipped():
    filters = [{"type": "ExtensionRef", "extensionRef": {"group": "x.y", "kind": "Z", "name": "z"}}]
    found = translated(route(rule(path("/a"), filters=filters), rule(path("/b"))))
    assert (served(found, Request("/a")), served(found, Request("/b"))) == (500, "one")
    assert found.verdicts[0].faults[0].reason == "InvalidKind"


def test_a_session_is_pinned_to_the_backend_first_and_then_to_its_pod():
    spec = {"sessionName": "who", "absoluteTimeout": "1h", "cookieConfig": {"lifetimeType": "Permanent"}}
    found = translated(route(rule(backendRefs=[backend(weight=9), backend("two")], sessionPersistence=spec)))
    free = answer(found, Request())
    cookies = [
        one["response_headers_to_add"][0]["header"]["value"] for one in free["route"]["weighted_clusters"]["clusters"]
    ]
    assert cookies[1] == "who-backend=default.two.http; Path=/; Max-Age=3600; HttpOnly"
    for cookie in ("who-backend=default.two.http", "a=b; who-backend=default.two.http; c=d"):
        assert served(found, Request(headers={"cookie": cookie})) == "two"
    assert served(found, Request(headers={"cookie": "xwho-backend=default.two.http"})) == "one:9 two:1"
    assert served(found, Request(headers={"cookie": "who-backend=defaultXtwo.http"})) == "one:9 two:1"
    state = free["typed_per_filter_config"]["envoy.filters.http.stateful_session"]["stateful_session"]["session_state"]
    assert state["typed_config"]["cookie"] == {"name": "who", "path": "/", "ttl": "3600s"}


def test_a_browsers_question_meets_rules_that_name_a_method():
    policy = [{"type": "CORS", "cors": {"allowOrigins": ["https://a.test"]}}]
    match = {**path("/a"), "method": "PUT", "headers": [header("x-token", "1")]}
    found = translated(route(rule(match, filters=policy), rule(path("/"), to="two")))
    question = {"origin": "https://a.test", "access-control-request-method": "PUT"}
    assert served(found, Request("/a/b", method="OPTIONS", headers=question)) == "one"
    assert "typed_per_filter_config" in answer(found, Request("/a/b", method="OPTIONS", headers=question))
    assert served(found, Request("/a/b", method="OPTIONS")) == "two"
    assert served(found, Request("/a/b", method="PUT", headers={"x-token": "1"})) == "one"


def test_the_host_header_is_what_envoy_calls_authority():
    match = answer(translated(route(rule({"headers": [header("Host", ".*", "RegularExpression")]}))), Request())[
        "match"
    ]
    assert match["headers"][0]["name"] == ":authority"


def everything():
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "a", "value": "%1"}]}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": backend("three"), "percent": 5}},
        {"type": "CORS", "cors": {"allowOrigins": ["https://*.test"], "allowMethods": ["GET"], "maxAge": 60}},
        rewrite("ReplacePrefixMatch", "/x", "in.test"),
    ]
    return route(
        rule(
            {**path("/a"), "headers": [header("x", "1")], "queryParams": [header("q", "1")], "method": "GET"},
            filters=filters,
        ),
        rule(
            sessionPersistence={"type": "Header"},
            backendRefs=[backend(), backend("two")],
            retry={"codes": [503], "backoff": "1s"},
        ),
        rule(path("/c"), sessionPersistence={}, timeouts={"request": "1s"}),
        {"matches": [path("/r")], "filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]},
    )


def test_all_of_it_is_a_message_of_envoys():
    from drumroll.proxy.encode import encode

    for table in translated(everything()).tables.values():
        encode(types.ROUTES, table_configuration(table, PORTS.published))


def test_the_clusters_of_a_configuration_are_known():
    table = translated(everything()).tables["ingress/http"]
    assert cluster_names(table_configuration(table, PORTS.published)) == {
        "default/one/http", "default/two/http", "default/three/http",
    }  # fmt: skip
    assert NOWHERE.count("/") < 2  # else it would be taken for a Service's


@given(st.permutations(range(4)))
def test_the_order_of_objects_is_irrelevant(order):
    routes = [
        route(rule(path("/a")), name="a", n=1), route(rule(path("/a"), to="two"), name="b", n=1),
        route(rule(path("/a", "Exact"), to="three"), name="c"),
        route(rule({"method": "GET"}), name="d", hosts=["*.test"]),
    ]  # fmt: skip
    gateways = [gateway(listener(), listener("x", hostname="a.test")), gateway(name="second", n=3)]
    assert translated(*(routes[n] for n in order), gateways=gateways[:: 1 if order[0] else -1]) == translated(
        *routes, gateways=gateways
    )
