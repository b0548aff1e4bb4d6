"""What Ingresses ask for, and the routes that come of it: who wins a path, what is refused, what may be retried."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drumroll.domain.envoy.routes import edge_configuration, ingress_hosts, service_routes
from drumroll.domain.ingress import Backend, Host, Path, ingress_rules, is_ours
from drumroll.objects.meta import Key, key_of

NGINX = "nginx.ingress.kubernetes.io/"


def service(name="web", **spec):
    ports = [{"name": "http", "port": 80}, {"name": "grpc", "port": 90}]
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {"ports": ports, **spec}}


def entry(path="/", path_type="Prefix", name="web", port=80):
    wanted = {"number": port} if isinstance(port, int) else {"name": port}
    return {"path": path, "pathType": path_type, "backend": {"service": {"name": name, "port": wanted}}}


def ingress(*paths, name="i", age=1, host="a.test", notes=None, **spec):
    meta = {"namespace": "shop", "name": name, "creationTimestamp": f"2026-01-01T00:00:{age:02}Z"}
    annotations = {NGINX + key: value for key, value in (notes or {}).items()}
    rules = [{"host": host, "http": {"paths": list(paths)}}] if paths else []
    return {"metadata": {**meta, "annotations": annotations}, "spec": {"rules": rules, **spec}}


def rules_of(*ingresses, services=None):
    known = services if services is not None else [service(), service("other")]
    return ingress_rules(ingresses, {key_of(one): one for one in known})


def complaints(rules):
    return [(one.key.name, one.reason) for one in rules.complaints]


PATHS = [
    entry("/foo/bar/long", "Exact"),
    entry("/foo", "Exact"),
    entry("/foo/bar", "Prefix"),
    entry("/foo/b", "ImplementationSpecific"),
    entry("/foo", "Prefix"),
    entry("/", "Prefix"),
]


@given(st.permutations(PATHS))
def test_exact_paths_win_then_the_longest_in_whatever_order_they_are_written(paths):
    (host,) = rules_of(ingress(*paths)).hosts
    assert [(path.path, path.type) for path in host.paths] == [(one["path"], one["pathType"]) for one in PATHS]


def test_an_exact_path_that_is_a_pattern_wins_only_over_others_of_its_length():
    paths = [entry("/sf", "Exact"), entry("/sf/longer", "Prefix"), entry("/xy", "Prefix")]
    (host,) = rules_of(ingress(*paths, notes={"use-regex": "true"})).hosts
    assert [path.path for path in host.paths] == ["/sf/longer", "/sf", "/xy"]
    assert [path.pattern for path in host.paths] == ["(?i)(?:/sf/longer).*", "(?i)(?:/sf)", "(?i)(?:/xy).*"]


@given(st.permutations([1, 2]))
def test_of_two_that_claim_a_path_the_older_has_it_and_the_younger_hears_so(order):
    both = {1: ingress(entry(), name="old", age=1), 2: ingress(entry(name="other"), name="young", age=2)}
    rules = rules_of(*(both[one] for one in order))
    assert [path.cluster for path in rules.hosts[0].paths] == ["shop/web/http"]
    assert complaints(rules) == [("young", "PathTaken")]


def test_the_same_wish_twice_is_no_conflict():
    assert complaints(rules_of(ingress(entry(), age=1), ingress(entry("/"), name="j", age=2))) == []


def test_a_default_backend_takes_what_is_left_of_its_hosts_and_of_everybody():
    default = entry(name="other")["backend"]
    rules = rules_of(ingress(entry("/a"), defaultBackend=default))
    found = {host.name: [(path.path, path.cluster) for path in host.paths] for host in rules.hosts}
    assert found == {"": [("/", "shop/other/http")], "a.test": [("/a", "shop/web/http"), ("/", "shop/other/http")]}


def test_a_default_backend_gives_way_to_a_path_without_a_word():
    rules = rules_of(ingress(entry("/"), defaultBackend=entry(name="other")["backend"]))
    assert [path.cluster for path in rules.hosts[-1].paths] == ["shop/web/http"]
    assert complaints(rules) == []


@pytest.mark.parametrize(
    ("backend", "cluster", "reasons"),
    [
        pytest.param(entry(port=90), "shop/web/grpc", [], id="a port by its number"),
        pytest.param(entry(port="grpc"), "shop/web/grpc", [], id="a port by its name"),
        pytest.param(entry(port=91), None, ["PortNotFound"], id="no such number"),
        pytest.param(entry(port="none"), None, ["PortNotFound"], id="no such name"),
        pytest.param(entry(name="nobody"), None, ["ServiceNotFound"], id="no such service"),
    ],
)
def test_where_a_path_leads(backend, cluster, reasons):
    rules = rules_of(ingress(backend))
    assert rules.hosts[0].paths[0].cluster == cluster
    assert [reason for _, reason in complaints(rules)] == reasons
    assert {one.cluster for one in rules.backends} == ({cluster} if cluster else set())


@pytest.mark.parametrize(
    ("said", "tls", "http2", "cluster"),
    [
        ("HTTP", False, False, "shop/web/http"),
        ("https", True, False, "shop/web/http/tls"),
        ("GRPC", False, True, "shop/web/http"),
        ("GRPCS", True, True, "shop/web/http/tls"),
    ],
)
def test_what_a_backend_speaks(said, tls, http2, cluster):
    rules = rules_of(ingress(entry(), notes={"backend-protocol": said}))
    assert rules.backends == {Backend(Key("shop", "web"), "http", cluster, tls, http2)}


@pytest.mark.parametrize(
    ("notes", "redirect"),
    [
        ({}, True),
        ({"ssl-redirect": "true"}, True),
        ({"ssl-redirect": "false"}, False),
        ({"ssl-redirect": "false", "force-ssl-redirect": "true"}, True),
    ],
)
def test_who_is_redirected_to_https(notes, redirect):
    assert rules_of(ingress(entry(), notes=notes)).hosts[0].paths[0].redirect is redirect


def test_a_sticky_service_makes_its_paths_sticky():
    for affinity, sticky in (("ClientIP", True), ("None", False)):
        rules = rules_of(ingress(entry()), services=[service(sessionAffinity=affinity)])
        assert rules.hosts[0].paths[0].sticky is sticky


def test_a_bad_pattern_costs_its_own_path_only():
    rules = rules_of(ingress(entry("/("), entry("/ok"), notes={"use-regex": "true"}))
    assert [path.path for path in rules.hosts[0].paths] == ["/ok"]
    assert complaints(rules) == [("i", "InvalidPath")]


def test_annotations_that_have_no_effect_are_told():
    assert complaints(rules_of(ingress(entry(), notes={"limit-rps": "1", "rewrite-target": "/"}))) == [
        ("i", "AnnotationIgnored")
    ]


def test_annotations_of_others_are_not_our_business():
    foreign = ingress(entry())
    foreign["metadata"]["annotations"] = {"cert-manager.io/issuer": "x"}
    assert complaints(rules_of(foreign)) == []


@pytest.mark.parametrize(
    ("notes", "pattern", "rewrite"),
    [
        ({}, "", ""),
        ({"use-regex": "true"}, "(?i)(?:/sf(/|$)(.*)).*", ""),
        ({"rewrite-target": "/$2"}, "(?i)(?:/sf(/|$)(.*)).*", r"/\2"),
    ],
    ids=["a plain path", "a pattern", "a rewrite makes it a pattern too"],
)
def test_patterns_and_rewrites(notes, pattern, rewrite):
    path = rules_of(ingress(entry("/sf(/|$)(.*)"), notes=notes)).hosts[0].paths[0]
    assert (path.pattern, path.rewrite) == (pattern, rewrite)


def test_a_slash_at_the_end_of_a_prefix_says_nothing_and_of_an_exact_path_something():
    paths = rules_of(ingress(entry("/a/"), entry("/b/", "Exact"))).hosts[0].paths
    assert [path.path for path in paths] == ["/b/", "/a"]


def test_which_secret_a_host_presents():
    tls = [{"hosts": ["*.test", "B.test"], "secretName": "wild"}, {"hosts": ["none.test"]}]
    rules = rules_of(ingress(entry(), host="a.test", tls=tls), ingress(entry(), name="j", age=2, host="deep.a.test"))
    assert rules.secrets == {"*.test": Key("shop", "wild"), "b.test": Key("shop", "wild")}
    assert {host.name: host.tls for host in rules.hosts} == {"a.test": True, "deep.a.test": False}
    everywhere = rules_of(ingress(entry(), host="A.test", tls=[{"secretName": "s"}]))
    assert everywhere.secrets == {"a.test": Key("shop", "s")}
    assert [host.tls for host in everywhere.hosts] == [True]


@pytest.mark.parametrize(
    ("spec", "notes", "expected"),
    [
        pytest.param({}, {}, True, id="no class"),
        pytest.param({"ingressClassName": "nginx"}, {}, True, id="nginx"),
        pytest.param({"ingressClassName": "own"}, {}, True, id="a class of our controller"),
        pytest.param({"ingressClassName": "traefik"}, {}, False, id="a class of somebody else"),
        pytest.param({"ingressClassName": "nobody"}, {}, False, id="a class that does not exist"),
        pytest.param({}, {"kubernetes.io/ingress.class": "traefik"}, False, id="the old annotation"),
    ],
)
def test_which_ingresses_are_ours(spec, notes, expected):
    classes = [
        {"metadata": {"name": "own"}, "spec": {"controller": "drumroll.dev/ingress"}},
        {"metadata": {"name": "traefik"}, "spec": {"controller": "traefik.io/ingress-controller"}},
    ]
    assert is_ours({"metadata": {"annotations": notes}, "spec": spec}, classes) is expected


def actions(routes):
    return [next(key for key in ("route", "redirect", "direct_response") if key in route) for route in routes]


def host_routes(host, *, tls_port=None):
    table = edge_configuration("t", ingress_hosts([host], tls_port), 80)
    return {one["name"]: one["routes"] for one in table["virtual_hosts"]}


def test_only_what_has_no_body_and_changes_nothing_is_sent_again_after_a_reset():
    """A POST whose connection breaks may have been carried out: to send it again could order twice."""
    (host,) = service_routes("r", "c")["virtual_hosts"]
    bodiless, others = host["routes"]
    names = {one["name"]: one for one in bodiless["match"]["headers"]}
    assert names[":method"]["string_match"]["safe_regex"]["regex"] == "GET|HEAD"
    assert all(names[name]["invert_match"] for name in ("content-length", "transfer-encoding"))
    assert "reset" in bodiless["route"]["retry_policy"]["retry_on"].split(",")
    assert set(others["route"]["retry_policy"]["retry_on"].split(",")) == {
        "connect-failure", "refused-stream", "reset-before-request",
    }  # fmt: skip


def test_the_plain_port_redirects_where_there_is_a_certificate():
    host = Host("a.test", (Path("Prefix", "/", "c"), Path("Prefix", "/plain", "c", redirect=False)), tls=True)
    assert actions(host_routes(host, tls_port=8443)["a.test"]) == ["redirect", "route", "route", "direct_response"]
    assert host_routes(host, tls_port=8443)["a.test"][0]["redirect"]["port_redirect"] == 8443
    assert "port_redirect" not in host_routes(host, tls_port=443)["a.test"][0]["redirect"]
    assert "redirect" not in actions(host_routes(host)["a.test"])


def test_unknown_paths_hosts_and_services_are_told_apart():
    found = host_routes(Host("a.test", (Path("Exact", "/gone", None),), tls=False))
    statuses = {name: [route["direct_response"]["status"] for route in routes] for name, routes in found.items()}
    assert statuses == {"a.test": [503, 404], "nobody": [404]}
    assert set(host_routes(Host("", (), tls=False))) == {"*"}


def test_a_wildcard_host_takes_exactly_one_label():
    found = host_routes(Host("*.a.test", (Path("Prefix", "/", "c"),), tls=False))["*.a.test"]
    for route in found[:2]:
        assert route["match"]["headers"][0]["string_match"]["safe_regex"]["regex"] == r"[^.:]+\.a\.test(:\d+)?"


@pytest.mark.parametrize(
    ("path", "match"),
    [
        (Path("Exact", "/a", "c"), {"path": "/a"}),
        (Path("Prefix", "/a", "c"), {"path_separated_prefix": "/a"}),
        (Path("Prefix", "/", "c"), {"prefix": "/"}),
        (Path("ImplementationSpecific", "/a", "c"), {"prefix": "/a"}),
        (Path("Prefix", "/a", "c", pattern="/a.*"), {"safe_regex": {"regex": "/a.*"}}),
    ],
)
def test_how_a_path_matches(path, match):
    assert host_routes(Host("a.test", (path,), tls=False))["a.test"][1]["match"] == match


def canary(*paths, name="c", age=2, **notes):
    return ingress(*paths, name=name, age=age, notes={key.replace("_", "-"): value for key, value in notes.items()})


def destinations(*ingresses):
    """Each route of the host's paths that is not for reading requests only: what it asks for, and where it leads."""
    rules = rules_of(*ingresses)
    (host,) = ingress_hosts(rules.hosts, None)
    found = []
    for route in host["routes"][:-1]:
        headers = list(route["match"].get("headers", ()))
        if any(h["name"] == ":method" for h in headers):
            continue
        wanted = [f"{h['name']}~{next(iter(h['string_match'].values()))}" for h in headers]
        to = route.get("route", {})
        split = [(c["name"].split("/")[1], c["weight"]) for c in to.get("weighted_clusters", {}).get("clusters", ())]
        found.append((wanted, split or to.get("cluster", "503/503").split("/")[1]))
    return found, complaints(rules)


@pytest.mark.parametrize(
    ("notes", "wanted"),
    [
        ({}, [([], "web")]),
        ({"canary_weight": "0"}, [([], "web")]),
        ({"canary_weight": "20"}, [([], [("other", 20), ("web", 80)])]),
        ({"canary_weight": "100"}, [([], "other")]),
        ({"canary_weight": "3", "canary_weight_total": "1000"}, [([], [("other", 3), ("web", 997)])]),
        ({"canary_by_header": "x-beta"}, [(["x-beta~always"], "other"), (["x-beta~never"], "web"), ([], "web")]),
        ({"canary_by_header": "x-beta", "canary_by_header_value": "yes"}, [(["x-beta~yes"], "other"), ([], "web")]),
        (
            {"canary_by_header": "x-beta", "canary_by_header_pattern": "^a|b"},
            [(["x-beta~{'regex': '.*(?:^a|b).*'}"], "other"), ([], "web")],
        ),
    ],
)
def test_a_canary_takes_its_part_of_a_path(notes, wanted):
    found, told = destinations(ingress(entry("/")), canary(entry("/", name="other"), canary="true", **notes))
    assert found == wanted
    assert told == []


def test_a_header_decides_before_a_cookie_and_a_cookie_before_the_weight():
    notes = {"canary": "true", "canary_by_header": "x", "canary_by_cookie": "y", "canary_weight": "5"}
    found, _ = destinations(ingress(entry("/")), canary(entry("/", name="other"), **notes))
    assert [where for _, where in found] == ["other", "web", "other", "web", [("other", 5), ("web", 95)]]


@pytest.mark.parametrize(
    ("paths", "notes", "told"),
    [
        ([entry("/else", name="other")], {}, "NoMainIngress"),
        ([entry("/", "Exact", name="other")], {}, "NoMainIngress"),
        ([entry("/", name="other")], {"canary_weight": "many"}, "InvalidCanary"),
        ([entry("/", name="other")], {"canary_weight": "-1"}, "InvalidCanary"),
        ([entry("/", name="other")], {"canary_weight": "101"}, "InvalidCanary"),
        ([entry("/", name="other")], {"canary_by_header": "a b"}, "InvalidCanary"),
        ([entry("/", name="other")], {"canary_by_header_value": "a"}, "InvalidCanary"),
        ([entry("/", name="other")], {"canary_by_header": "a", "canary_by_header_pattern": "("}, "InvalidCanary"),
    ],
)
def test_what_is_wrong_with_a_canary_is_told(paths, notes, told):
    found, reasons = destinations(ingress(entry("/")), canary(*paths, canary="true", **notes))
    assert reasons == [("c", told)]
    assert found[-1][1] == ("other" if notes.get("canary_weight") == "101" else "web")


def test_an_older_canary_keeps_the_path_and_an_ingress_that_is_none_is_no_canary():
    first, second = (
        canary(entry("/", name="other"), canary="true", canary_weight="10"),
        canary(entry("/", name="web"), name="d", age=3, canary="true", canary_weight="90"),
    )
    found, told = destinations(second, ingress(entry("/")), first)
    assert found == [([], [("other", 10), ("web", 90)])]
    assert told == [("d", "PathTaken")]
    assert destinations(ingress(entry("/")), canary(entry("/", name="other"), canary="false"))[1] == [
        ("c", "PathTaken")
    ]


def test_an_ingress_has_its_paths_with_the_canaries_on_them():
    main, beside = ingress(entry("/"), entry("/a")), canary(entry("/a", name="other"), canary="true", canary_weight="5")
    (host,), parts = rules_of(main, beside).hosts, rules_of(main, beside).parts
    whole, one = parts[key_of(main)], parts[key_of(beside)]
    assert {path for _, path in whole.paths} == set(host.paths)
    assert [path.path for _, path in one.paths] == ["/a"]
    assert (whole.canaries, one.canaries) == ({key_of(beside)}, frozenset())
    assert json.loads(whole.text) == {"generation": 0, "canaries": ["shop/c"]}
    assert json.loads(one.text) == {"generation": 0, "canary": "true", "canary-weight": "5"}
    assert whole.clusters == {"shop/web/http", "shop/other/http"}
    later = rules_of(main, canary(entry("/a", name="other"), canary="true", canary_weight="6")).parts
    assert later[key_of(main)] != whole
    assert later[key_of(main)].text == whole.text


@pytest.mark.parametrize(
    ("made", "has_part"),
    [
        pytest.param(ingress(entry("/"), name="z", age=9), True, id="another's path, and it asks for the same"),
        pytest.param(ingress(entry("/", name="other"), name="z", age=9), False, id="another's path"),
        pytest.param(
            canary(entry("/x"), name="z", canary="true", canary_weight="1"), False, id="a canary of what is not there"
        ),
        pytest.param(canary(entry("/x"), name="z", canary="true"), True, id="one that takes nothing"),
        pytest.param(
            canary(entry("/x"), name="z", canary="true", canary_by_cookie="y"), False, id="one that takes by a cookie"
        ),
    ],
)
def test_an_ingress_without_effect_has_no_part(made, has_part):
    assert (Key("shop", "z") in rules_of(ingress(entry("/")), made).parts) is has_part


def test_a_canary_of_a_service_that_is_not_there_answers_503_for_its_share():
    found, told = destinations(ingress(entry("/")), canary(entry("/", name="gone"), canary="true", canary_weight="25"))
    assert [where for _, where in found] == ["503", "web"]
    assert told == [("c", "ServiceNotFound")]
