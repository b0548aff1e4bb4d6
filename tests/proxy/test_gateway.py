"""Gateways and routes through a real Envoy, one cluster for all of them; each test has routes and hosts of its own."""

import asyncio
import collections
import math
import ssl

import aiohttp
import pytest
import pytest_asyncio

from drumroll.domain.mesh.reading import QUERY, parse
from drumroll.objects.kinds import GATEWAY, GATEWAY_CLASS, HTTP_ROUTE, TRAFFIC_SPLIT
from drumroll.proxy.admin import get
from tests.proxy.cluster import eventually
from tests.proxy.gateways import (
    Front,
    acknowledged,
    backend,
    change,
    cluster_with_gateway,
    conditions,
    gateway,
    route,
    rule,
    told,
)
from tests.proxy.load import Load
from tests.proxy.quick import endpoint, shares
from tests.proxy.test_ingress import ingress, secret, tls_connection
from tests.proxy.test_ingress import rule as ingress_rule

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

QUANTILE = 3.29  # of the normal distribution: 99.9 % lie within
SURELY = 5.0  # one run in two million lies outside


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster():
    async with cluster_with_gateway() as found:
        yield found


async def test_the_class_and_the_gateway_are_accepted(cluster):
    async def programmed():
        found = (await cluster.client.get(GATEWAY, "default", "front")).get("status") or {}
        return conditions(found).get("Programmed", ("", ""))[0] == "True" and found

    status = await eventually(programmed)
    assert status["addresses"] == [{"type": "IPAddress", "value": cluster.network.listen}]
    assert conditions(status)["Accepted"] == ("True", "Accepted", 1)
    listener = status["listeners"][0]
    assert {kind["kind"] for kind in listener["supportedKinds"]} == {"HTTPRoute", "GRPCRoute"}
    assert {name: found[:2] for name, found in conditions(listener).items()} == {
        "Accepted": ("True", "Accepted"),
        "Conflicted": ("False", "NoConflicts"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
        "Programmed": ("True", "Programmed"),
    }

    async def accepted():
        found = await cluster.client.get(GATEWAY_CLASS, "", "drumroll")
        return conditions(found.get("status") or {}).get("Accepted", ("",))[0] == "True"

    await eventually(accepted)


async def test_measured_shares_are_those_asked_for(cluster):
    n, place = 10_000, (cluster.network.listen, cluster.network.http_port)
    async with endpoint(cluster, "stable", 210), endpoint(cluster, "canary", 211):
        for percent in (1, 5, 20, 50):
            name = f"share-{percent}"
            await route(cluster, name, rule(backend("stable", 100 - percent), backend("canary", percent)))
            await acknowledged(cluster, name)
            await Front(cluster, f"{name}.test").ask()
            share, misses = percent / 100, []
            for _ in range(2):  # one honest measurement in a thousand is outside
                answers = await shares(*place, f"{name}.test", n)
                assert answers["stable"] + answers["canary"] == n
                if abs(answers["canary"] - n * share) <= QUANTILE * math.sqrt(n * share * (1 - share)) + 1:
                    break
                misses.append(answers)
            assert len(misses) < 2, misses
            await cluster.client.delete(HTTP_ROUTE, "default", name)


async def test_rules_are_asked_in_the_standards_order(cluster):
    header = {"headers": [{"name": "X-Version", "value": "two"}]}
    await route(
        cluster,
        "order",
        rule(backend("one")),
        {"matches": [{"path": {"value": "/deep"}}, header], "backendRefs": [backend("two")]},
        {"matches": [{"path": {"value": "/deep/one", "type": "Exact"}}], "backendRefs": [backend("one")]},
        {
            "matches": [{"queryParams": [{"name": "v", "value": "t.o", "type": "RegularExpression"}]}],
            "backendRefs": [backend("two")],
        },
        {"matches": [{"method": "DELETE"}], "backendRefs": [backend("two")]},
    )
    await acknowledged(cluster, "order")
    front = Front(cluster, "order.test")
    assert await front.served("/x") == "one"
    assert await front.served("/deep/er") == "two"
    assert await front.served("/deeper") == "one"
    assert await front.served("/deep/one") == "one"
    assert await front.served("/x", headers={"x-version": "two"}) == "two"
    assert await front.served("/x?v=two") == "two"
    assert await front.served("/x?v=three") == "one"
    assert await front.served("/x", method="DELETE") == "two"


async def test_headers_paths_and_hosts_are_changed(cluster):
    changes = {
        "set": [{"name": "X-Set", "value": "100%"}],
        "add": [{"name": "X-Add", "value": "more"}],
        "remove": ["X-Gone"],
    }
    rewrite = {"hostname": "inside.test", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new/"}}
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": changes},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "X-Answer", "value": "yes"}]}},
        {"type": "URLRewrite", "urlRewrite": rewrite},
    ]
    own = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "X-Backend", "value": "b"}]}}]
    await route(cluster, "change", rule(backend("one", filters=own), path="/old", filters=filters))
    await acknowledged(cluster, "change")
    _, body, headers = await Front(cluster, "change.test").ask("/old/a?q=1", headers={"x-gone": "x", "x-set": "before"})
    seen = body["headers"]
    assert (body["path"], seen["host"], headers["x-answer"]) == ("/new/a", "inside.test", "yes")
    assert (seen["x-set"], seen["x-add"], seen["x-backend"]) == ("100%", "more", "b")
    assert "x-gone" not in seen
    assert (await Front(cluster, "change.test").ask("/old"))[1]["path"] == "/new"


async def test_redirects_say_where_to(cluster):
    secure = {"scheme": "https", "statusCode": 301}
    moved = {"hostname": "away.test", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    await route(
        cluster,
        "redirect",
        {"matches": [{"path": {"value": "/s"}}], "filters": [{"type": "RequestRedirect", "requestRedirect": secure}]},
        {"matches": [{"path": {"value": "/m"}}], "filters": [{"type": "RequestRedirect", "requestRedirect": moved}]},
    )
    await acknowledged(cluster, "redirect")
    front, network = Front(cluster, "redirect.test"), cluster.network
    status, _, headers = await front.ask("/s/x?y=1")
    assert (status, headers["location"]) == (301, f"https://redirect.test:{network.https_port}/s/x?y=1")
    status, _, headers = await front.ask("/m/x?y=1")
    assert (status, headers["location"]) == (302, f"http://away.test:{network.http_port}/x?y=1")


async def test_copies_are_sent_besides_and_marked(cluster):
    def mirror(name, **share):
        return {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": name, "port": 80}, **share}}

    await route(
        cluster,
        "mirror",
        rule(backend("one"), path="/all", filters=[mirror("two"), mirror("one", percent=0)]),
        rule(backend("one"), path="/half", filters=[mirror("two", fraction={"numerator": 1, "denominator": 2})]),
    )
    await route(cluster, "seen", rule(backend("two")))
    await acknowledged(cluster, "mirror")
    await acknowledged(cluster, "seen")
    assert await Front(cluster, "mirror.test").count(400, "/all/x") == {"one": 400}
    assert await Front(cluster, "mirror.test").count(400, "/half/x") == {"one": 400}

    async def copies():
        seen = (await Front(cluster, "seen.test").ask("/_seen"))[1]
        return seen if seen.get("/all/x") == 400 else None

    seen = await eventually(copies)
    assert abs(seen["/half/x"] - 200) <= SURELY * 10 + 1
    assert seen["marked"] == seen["/all/x"] + seen["/half/x"]


async def test_requests_are_counted_for_the_backend_that_answered_and_copies_are_not(cluster):
    copy = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "two", "port": 80}}}
    await route(
        cluster,
        "figures",
        rule(backend("one"), backend("two"), path="/split"),
        rule(backend("one"), path="/copied", filters=[copy]),
    )
    await acknowledged(cluster, "figures")

    def counted():
        reading = parse((get(cluster.run_folder / "envoy-admin.sock", QUERY) or b"").decode())
        found = collections.Counter()
        for answer, count in reading.answers.items():
            found[answer.target.cluster.split("/")[1] if answer.target.cluster else ""] += count
        return found

    before = counted()
    split = await Front(cluster, "figures.test").count(100, "/split")
    assert await Front(cluster, "figures.test").count(50, "/copied") == {"one": 50}
    wanted = {"one": split["one"] + 50, "two": split["two"]}

    def grown():
        after = counted()
        return {name: after[name] - before[name] for name in wanted} == wanted

    await eventually(grown)


async def test_times_are_bounded_and_answers_asked_for_again(cluster):
    await route(
        cluster,
        "time",
        rule(backend("one"), path="/whole", timeouts={"request": "200ms"}),
        rule(backend("one"), path="/each", timeouts={"backendRequest": "200ms"}),
        rule(backend("one"), path="/again", retry={"codes": [503], "attempts": 2, "backoff": "10ms"}),
        rule(backend("one"), path="/never"),
    )
    await acknowledged(cluster, "time")
    front = Front(cluster, "time.test")
    assert (await front.ask("/whole?ms=5000"))[0] == 504
    assert (await front.ask("/each?ms=5000"))[0] == 504
    assert await front.served("/whole") == "one"
    assert await front.served("/again/2?fail=2") == "one"
    assert (await front.ask("/again/3?fail=3"))[0] == 503
    assert (await front.ask("/never/1?fail=1"))[0] == 503


@pytest.mark.parametrize("kind", ["Cookie", "Header"])
async def test_a_client_stays_with_its_pod(cluster, kind):
    name = f"session-{kind.lower()}"
    third = await cluster.pod("two")
    persistence = {"sessionName": "who", "type": kind}
    await route(cluster, name, rule(backend("one"), backend("two"), sessionPersistence=persistence))
    await acknowledged(cluster, name)
    front, met = Front(cluster, f"{name}.test"), set()
    for _ in range(12):
        status, body, headers = await front.ask()
        assert status == 200
        if kind == "Cookie":
            again = {"cookie": "; ".join(c.split(";")[0] for c in headers.getall("set-cookie"))}
        else:
            again = {n: headers[n] for n in ("who", "who-backend")}
        assert {(await front.ask(headers=again))[1]["name"] for _ in range(8)} == {body["name"]}
        met.add(body["name"])
    assert len(met) > 1
    assert await cluster.terminate(third, "two") == "Idle"


async def test_a_permanent_cookie_ends_when_its_time_is_up_even_if_the_client_keeps_it(cluster):
    persistence = {
        "sessionName": "who", "absoluteTimeout": "1s", "cookieConfig": {"lifetimeType": "Permanent"}
    }  # fmt: skip
    await route(cluster, "session-end", rule(backend("one"), sessionPersistence=persistence))
    await acknowledged(cluster, "session-end")
    front = Front(cluster, "session-end.test")
    (cookie,) = (await front.ask())[2].getall("set-cookie")
    assert "Max-Age=1" in cookie
    again = {"cookie": cookie.split(";")[0]}
    assert "set-cookie" not in (await front.ask(headers=again))[2]

    async def begins_anew():
        return (await front.ask(headers=again))[2].getall("set-cookie", [])

    assert (await eventually(begins_anew))[0].split(";")[0] != again["cookie"]


async def test_what_is_missing_costs_only_its_share(cluster):
    await route(
        cluster,
        "missing",
        rule(backend("one"), backend("nobody"), path="/half"),
        rule(backend("one", 0), path="/zero"),
        rule(path="/nothing"),
        rule(
            backend("one"),
            path="/filter",
            filters=[{"type": "ExtensionRef", "extensionRef": {"group": "x.y", "kind": "Z", "name": "z"}}],
        ),
    )
    await acknowledged(cluster, "missing")
    front = Front(cluster, "missing.test")
    answers = await front.count(400, "/half")
    assert answers.keys() == {"one", "500"}
    assert abs(answers["500"] - 200) <= SURELY * 10 + 1
    assert [await front.served(path) for path in ("/zero", "/nothing", "/filter", "/else")] == [500, 500, 500, 404]
    assert (await told(cluster, "missing"))["ResolvedRefs"]["status"] == "False"


async def test_calls_between_services_are_routed_by_the_services_routes(cluster):
    ip = await cluster.service("mesh")
    await cluster.pod("mesh")
    parents = [{"group": "", "kind": "Service", "name": "mesh"}]
    canary = {"headers": [{"name": "x-canary", "value": "yes"}]}
    await route(cluster, "mesh", rule(backend("mesh")), parents=parents, hosts=[])
    await route(
        cluster, "mesh-canary", {"matches": [canary], "backendRefs": [backend("two")]}, parents=parents, hosts=[]
    )
    await acknowledged(cluster, "mesh")
    await acknowledged(cluster, "mesh-canary")
    front = Front(cluster, "mesh.default.svc.cluster.local")
    front.url = f"http://{ip}:20080"
    assert await front.served() == "mesh"
    assert await front.served(headers={"x-canary": "yes"}) == "two"
    for name in ("mesh", "mesh-canary"):
        await cluster.client.delete(HTTP_ROUTE, "default", name)

    async def plain():
        return await front.served(headers={"x-canary": "yes"}) == "mesh"

    await eventually(plain)


async def test_a_tls_listener_presents_its_secrets_certificate(cluster):
    certificate = await secret(cluster, "tls-one", "tls.test")
    tls = {"certificateRefs": [{"name": "tls-one"}]}
    listener = {"protocol": "HTTPS", "hostname": "tls.test", "tls": tls}
    await gateway(
        cluster, "secure", {"name": "shared", "port": 443, **listener}, {"name": "own", "port": 9443, **listener}
    )
    await route(cluster, "tls", rule(backend("two")), parents=[{"name": "secure"}])
    await acknowledged(cluster, "tls")
    for port in (cluster.network.https_port, 9443):
        with tls_connection(cluster, "tls.test", port) as opened:
            assert ssl.DER_cert_to_PEM_cert(opened.getpeercert(True)) == certificate
        front = Front(cluster, "tls.test")
        front.url = f"https://tls.test:{port}"
        assert await front.served_over_tls(cluster.network.listen, port) == "two"


async def test_two_gateways_have_their_own_routes_and_share_a_port(cluster):
    await gateway(
        cluster,
        "second",
        {"name": "shared", "protocol": "HTTP", "port": 80, "hostname": "*.second.test"},
        {"name": "own", "protocol": "HTTP", "port": 8888},
    )
    await route(cluster, "here", rule(backend("two")), parents=[{"name": "second"}], hosts=["a.second.test"])
    await route(cluster, "front-only", rule(backend("one")), hosts=["b.second.test"])
    await acknowledged(cluster, "here")
    assert await Front(cluster, "a.second.test").served() == "two"
    assert await Front(cluster, "a.second.test", 8888).served() == "two"
    assert await Front(cluster, "b.second.test").served() == 404  # a more specific listener has its requests
    status = (await cluster.client.get(GATEWAY, "default", "second"))["status"]
    assert {one["name"]: one["attachedRoutes"] for one in status["listeners"]} == {"shared": 1, "own": 1}


async def test_one_refused_route_harms_nobody_and_hears_why(cluster):
    """Ten routes at once, and an expression too large for Envoy in one of them."""
    large = {"path": {"type": "RegularExpression", "value": "/(((a{30}){30}){30})"}}
    await route(cluster, "kept", rule(backend("one")))
    await acknowledged(cluster, "kept")
    for n in range(10):
        matches = [large] if n == 6 else [{"path": {"value": "/"}}]
        await route(cluster, f"crowd-{n}", {"matches": matches, "backendRefs": [backend("one")]})

    async def refused():
        return (await told(cluster, "crowd-6")).get("Accepted", {}).get("status") == "False"

    await eventually(refused)
    for n in range(10):
        if n != 6:
            await acknowledged(cluster, f"crowd-{n}")
    assert (await told(cluster, "crowd-6"))["drumroll.dev/Acknowledged"]["status"] == "False"
    assert await Front(cluster, "kept.test").served() == await Front(cluster, "crowd-3.test").served() == "one"
    events = await eventually(lambda: cluster.events("ConfigurationRefused"))
    assert {event["involvedObject"]["name"] for event in events} == {"crowd-6"}


async def test_weights_that_go_and_come_and_a_deleted_route_lose_no_request(cluster):
    await cluster.service("bare", clusterIP="None")
    await cluster.pod("bare")
    both = [backend("one", 50), backend("bare", 50)]
    await route(cluster, "load", rule(*both), hosts=["load.test"])
    await route(cluster, "wide", rule(backend("one"), path="/"), hosts=["load.test"])
    await acknowledged(cluster, "load")
    url = f"http://{cluster.network.listen}:{cluster.network.http_port}/?ms=5"
    async with Load(url, headers={"Host": "load.test"}).running() as load:
        for weight in (0, 50, 0, 50):
            generation = await change(cluster, "load", rule(backend("one", 50), backend("bare", weight)))
            await acknowledged(cluster, "load", generation)
            await load.more(40)
        await cluster.client.delete(HTTP_ROUTE, "default", "load")
        await load.more(100)
        await route(cluster, "load", rule(*both), hosts=["load.test"])
        await acknowledged(cluster, "load")
        await cluster.client.delete(HTTP_ROUTE, "default", "load")
        await load.more(100)
    assert load.failures == []
    assert {name.split("-")[0] for name in load.answers} == {"one", "bare"}


async def test_acknowledged_speaks_of_one_generation_only(cluster):
    await route(cluster, "proof", rule(backend("one")))
    await acknowledged(cluster, "proof")
    for n in range(5):
        name = ("one", "two")[n % 2]
        generation = await change(cluster, "proof", rule(backend(name)))
        await acknowledged(cluster, "proof", generation)
        assert await Front(cluster, "proof.test").served() == name


async def test_a_traffic_split_shares_a_services_requests(cluster):
    """Inside the cluster and through an Ingress; the weights change, and Envoy's word for it is told."""
    address = await cluster.service("root", selector={"app": "nobody"})

    async def split(one, two):
        backends = [{"service": "one", "weight": one}, {"service": "two", "weight": two}]
        return {"spec": {"service": "root", "backends": backends}}

    meta = {"namespace": "default", "name": "root"}
    made = {"apiVersion": "split.smi-spec.io/v1alpha4", "kind": "TrafficSplit", "metadata": meta}
    await cluster.client.create({**made, **await split("900m", "100m")})
    await ingress(cluster, "root", ingress_rule("root.test", ("/", "Prefix", "root")))

    async def told_of(generation):
        async def look():
            found = await cluster.client.get(TRAFFIC_SPLIT, "default", "root")
            return (found["metadata"].get("annotations") or {}).get("drumroll.dev/Acknowledged") == str(generation)

        await eventually(look)

    async def served(count, url, **headers):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:

            async def once():
                async with session.get(url, headers=headers) as response:
                    return (await response.json())["name"].split("-")[0]

            found = await asyncio.gather(*(once() for _ in range(count)))
        return collections.Counter(found)

    await told_of(1)
    inside = await served(2000, f"http://{address}:20080/")
    assert abs(inside["two"] - 200) <= SURELY * math.sqrt(2000 * 0.1 * 0.9)
    await cluster.client.patch(TRAFFIC_SPLIT, "default", "root", await split(1, 3))
    await told_of(2)
    url = f"http://{cluster.network.listen}:{cluster.network.http_port}/"
    through = await served(2000, url, Host="root.test")
    assert abs(through["two"] - 1500) <= SURELY * math.sqrt(2000 * 0.75 * 0.25)


async def test_a_header_is_carried_deep_into_a_chain_and_only_where_it_was(cluster):
    """The first request has the header; a program passes on tracing headers and baggage, nothing else."""
    ip = await cluster.service("deep", selector={"app": "one"})
    parents = [{"group": "", "kind": "Service", "name": "deep"}]
    wanted = {"headers": [{"name": "X-Version", "value": "b & c"}]}
    rules = ({"matches": [wanted], "backendRefs": [backend("two")]}, rule(backend("one")))
    await route(cluster, "deep", *rules, parents=parents, hosts=[])
    await route(cluster, "entry", rule(backend("one")))
    await acknowledged(cluster, "deep")
    await acknowledged(cluster, "entry")
    front, deep = Front(cluster, "entry.test"), Front(cluster, "deep.default.svc.cluster.local")
    deep.url = f"http://{ip}:20080"

    async def passed_on(**headers):
        async def noted():
            return (await front.ask("/", headers=headers))[1]["headers"]

        if "x-version" in headers:
            await eventually(lambda: is_noted(noted))
        return {name: value for name, value in (await noted()).items() if name in {"baggage", "traceparent"}}

    async def is_noted(noted):
        return "x-version" in (await noted()).get("baggage", "")

    with_header = await passed_on(**{"x-version": "b & c", "baggage": "user=7", "traceparent": "00-1-2-01"})
    assert with_header == {"baggage": "user=7,x-version=b%20%26%20c", "traceparent": "00-1-2-01"}
    assert await deep.served(headers=with_header) == "two"
    assert await passed_on(baggage="user=7") == {"baggage": "user=7"}
    assert await passed_on() == {}
    assert await deep.served(headers={"baggage": "user=7"}) == "one"
    assert await deep.served() == "one"
    for name in ("deep", "entry"):
        await cluster.client.delete(HTTP_ROUTE, "default", name)


async def test_copies_can_be_refused_by_the_services_behind(cluster):
    """A copy reaches the shadow; what the shadow asks of a service with orders to lose is refused there."""
    note = {"drumroll.dev/refuse-copies": "true"}
    made = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "orders"}}
    made["metadata"]["annotations"] = note
    made["spec"] = {"selector": {"app": "orders"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    created = await cluster.client.create(made)
    await cluster.pod("orders")
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "two", "port": 80}}}
    await route(cluster, "shop", rule(backend("one"), path="/buy", filters=[mirror]))
    await route(cluster, "shadow", rule(backend("two")))
    await acknowledged(cluster, "shop")
    await acknowledged(cluster, "shadow")
    assert await Front(cluster, "shop.test").served("/buy/copied") == "one"

    async def arrived():
        return (await Front(cluster, "shadow.test").ask("/_seen"))[1].get("/buy/copied")

    await eventually(arrived)
    orders = Front(cluster, "orders")
    orders.url = f"http://{created['spec']['clusterIP']}:20080"

    async def is_served():
        return await orders.served() == "orders"

    await eventually(is_served)
    assert await orders.served(headers={"x-drumroll-mirror": "copy"}) == 403
    assert await orders.served(headers={"baggage": "user=7, drumroll-copy=1"}) == 403
    assert await orders.served(headers={"baggage": "user=7"}) == "orders"
    for name in ("shop", "shadow"):
        await cluster.client.delete(HTTP_ROUTE, "default", name)


async def test_browsers_of_other_origins_are_answered(cluster):
    policy = {
        "allowOrigins": ["https://*.shop.test"],
        "allowMethods": ["GET", "PUT"],
        "allowHeaders": ["x-token"],
        "allowCredentials": True,
        "maxAge": 600,
    }
    await route(cluster, "cors", rule(backend("one"), filters=[{"type": "CORS", "cors": policy}]))
    await acknowledged(cluster, "cors")
    front = Front(cluster, "cors.test")
    asking = {"origin": "https://a.shop.test", "access-control-request-method": "PUT"}
    status, _, headers = await front.ask(method="OPTIONS", headers=asking)
    assert (status, headers["access-control-allow-origin"]) == (200, "https://a.shop.test")
    assert (headers["access-control-allow-methods"], headers["access-control-max-age"]) == ("GET, PUT", "600")
    _, _, headers = await front.ask(headers={"origin": "https://a.shop.test"})
    assert headers["access-control-allow-credentials"] == "true"
    _, _, headers = await front.ask(headers={"origin": "https://shop.example"})
    assert "access-control-allow-origin" not in headers
