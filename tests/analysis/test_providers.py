"""Each provider against a real HTTP server that speaks its format: what is asked, what is read, what goes wrong."""

import asyncio
import base64
import json
import ssl
from datetime import timedelta
from ipaddress import IPv4Address

import orjson
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drumroll.domain.analysis.measurement import Taken, measurement
from drumroll.objects.clock import now
from drumroll.rollouts.providers.asking import service_address
from drumroll.rollouts.providers.registry import PROVIDERS, measure
from tests.analysis.bench import api, asked, read, secret, serving

pytestmark = pytest.mark.asyncio


def vector(*values):
    return {"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"n": str(index)}, "value": [1.0, value]} for index, value in enumerate(values)]}}  # fmt: skip


def scalar(value):
    return {"status": "success", "data": {"resultType": "scalar", "result": [1.0, value]}}


PROMETHEUS = [
    (vector("0.95"), "[0.95]", [0.95]),
    (vector("1", "0.5"), "[1,0.5]", [1.0, 0.5]),
    (vector(), "[]", []),
    (vector("1e-7", "12345678901"), "[0.0000001,12345678901]", [1e-7, 12345678901.0]),
    (vector("+Inf"), "[+Inf]", [float("inf")]),
    (scalar("3.5"), "3.5", 3.5),
]


@pytest.mark.parametrize(("body", "value", "result"), PROMETHEUS)
async def test_prometheus_reads_vectors_and_scalars(body, value, result) -> None:
    async with serving() as served, asked() as given:
        served.always(body)
        settings = {"address": served.url, "query": "sum(rate(x[1m]))", "headers": [{"key": "X-Org", "value": "a"}]}
        reading = await read("prometheus", settings, given)
        assert (reading.value, reading.result, reading.error) == (value, result, "")
        (request,) = served.requests
        assert (request.path, request.query["query"], request.headers["X-Org"]) == (
            "/api/v1/query",
            settings["query"],
            "a",
        )
        assert reading.about == {"ResolvedPrometheusQuery": settings["query"]}


async def test_prometheus_reads_nan_and_tells_warnings() -> None:
    async with serving() as served, asked() as given:
        served.always({**vector("NaN"), "warnings": ["one", "two"]})
        reading = await read("prometheus", {"address": served.url, "query": "x"}, given)
        assert (reading.value, reading.metadata) == ("[NaN]", {"warnings": '"one", "two"'})


async def test_prometheus_asks_for_ranges() -> None:
    async with serving() as served, asked() as given:
        result = [{"metric": {}, "values": [[1, "1"], [2, "2"]]}, {"metric": {}, "values": [[1, "3"]]}]
        served.always({"status": "success", "data": {"resultType": "matrix", "result": result}})
        wanted = {"start": 'now() - duration("5m")', "end": "now()", "step": "1m"}
        reading = await read("prometheus", {"address": served.url, "query": "x", "rangeQuery": wanted}, given)
        assert (reading.value, reading.result) == ("[1,2,3]", [1.0, 2.0, 3.0])
        query = served.requests[0].query
        assert served.requests[0].path == "/api/v1/query_range"
        assert float(query["end"]) - float(query["start"]) == pytest.approx(300, abs=0.01)
        assert query["step"] == "60"


PROMETHEUS_FAULTS = [
    ({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400, {}, "bad_data: parse error"),
    ("Not Found", 404, {}, "client_error: client error: 404"),
    ("oops", 503, {}, "server_error: server error: 503"),
    ("hello", 200, {}, "bad_response: this is no answer of a Prometheus"),
    ({"status": "success", "data": {"resultType": "string", "result": [1, "a"]}}, 200, {}, "type not supported"),
    (vector("x"), 200, {}, "bad_response: the samples are not as Prometheus has them"),
    (vector("1"), 200, {"timeout": -1}, "prometheus timeout should not be negative"),
    (vector("1"), 200, {"address": "nonsense"}, "prometheus address is not is url format"),
    (vector("1"), 200, {"rangeQuery": {"start": "now(", "end": "now()", "step": "1m"}}, "rangeQuery.start: unexpected"),
    (vector("1"), 200, {"rangeQuery": {"start": "1", "end": "now()", "step": "1m"}}, "rangeQuery.start must be a time"),
    (
        vector("1"),
        200,
        {"rangeQuery": {"start": "now()", "end": "now()", "step": "x"}},
        "rangeQuery.step: time: invalid",
    ),
    (vector("1"), 200, {"authentication": {"sigv4": {"region": "r"}}}, "authentication.sigv4 is not supported here"),
    (vector("1"), 200, {"caCert": "nonsense"}, "caCert is no PEM bundle of certificates"),
]


@pytest.mark.parametrize(("body", "status", "settings", "message"), PROMETHEUS_FAULTS)
async def test_prometheus_says_what_is_wrong(body, status, settings, message) -> None:
    async with serving() as served, asked() as given:
        served.always(body, status)
        reading = await read("prometheus", {"address": served.url, "query": "x", **settings}, given)
        assert message in reading.error


async def test_prometheus_proves_who_asks() -> None:
    async with serving() as served, serving() as issuer, asked() as given:
        served.always(vector("1"))
        issuer.always({"access_token": "t0k", "token_type": "bearer"})
        basic = {"basicAuth": {"username": "ann", "password": "pw"}}
        await read("prometheus", {"address": served.url, "query": "x", "authentication": basic}, given)
        assert served.requests[0].headers["Authorization"] == "Basic " + base64.b64encode(b"ann:pw").decode()
        oauth2 = {"tokenUrl": f"{issuer.url}/token", "clientId": "id", "clientSecret": "s", "scopes": ["a", "b"]}
        await read("prometheus", {"address": served.url, "query": "x", "authentication": {"oauth2": oauth2}}, given)
        assert served.requests[1].headers["Authorization"] == "Bearer t0k"
        assert issuer.bodies == ["grant_type=client_credentials&scope=a+b"]
        issuer.always("no", 401)
        again = await read(
            "prometheus", {"address": served.url, "query": "x", "authentication": {"oauth2": oauth2}}, given
        )
        assert "answered 401 and gave no access token" in again.error


async def test_without_an_address_the_mesh_is_asked_by_its_service() -> None:
    async with api() as client, asked(client) as given:
        reading = await read("prometheus", {"query": "x"}, given)
        assert "there is no Service prometheus in namespace drumroll-system" in reading.error
        assert "give that of your Prometheus" in reading.error


async def test_a_name_of_the_cluster_is_found_by_its_service() -> None:
    async with api() as client:
        spec = {"clusterIP": "10.96.0.77", "ports": [{"port": 9090}]}
        meta = {"name": "prom", "namespace": "default"}
        await client.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
        assert await service_address(client, "default", "prom") == "10.96.0.77"


async def test_what_does_not_answer_in_time_or_at_all_is_told() -> None:
    async with serving() as served, asked() as given:

        async def never(_: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        served.answer = never
        reading = await read("web", {"url": served.url, "timeoutSeconds": 0.2}, given)
        assert reading.error == f"GET {served.url}: no answer within 0.2 s"
    async with asked() as given:
        reading = await read("web", {"url": served.url}, given)
        assert reading.error.startswith(f"GET {served.url}: ")


WEB = [
    ({"jsonPath": "{$.data.ok}"}, {"data": {"ok": True}}, "true", True),
    ({"jsonPath": "{$.data}"}, {"data": {"ok": True, "n": 3}}, '{"ok":true,"n":3}', {"ok": True, "n": 3.0}),
    ({"jsonPath": "{$.list[1].v}"}, {"list": [{"v": 1}, {"v": "b"}]}, '"b"', "b"),
    ({"jsonPath": "{.n}"}, {"n": 5}, "5", 5.0),
    ({}, {"n": None}, '{"n":null}', {"n": None}),
    ({}, "plain text", "plain text", "plain text"),
]


@pytest.mark.parametrize(("settings", "body", "value", "result"), WEB)
async def test_web_reads_the_part_that_is_named(settings, body, value, result) -> None:
    async with serving() as served, asked() as given:
        served.always(body)
        reading = await read("web", {"url": f"{served.url}/m?x=1", **settings}, given)
        assert (reading.error, reading.value, reading.result) == ("", value, result)
        assert (served.requests[0].method, served.requests[0].path_qs) == ("GET", "/m?x=1")


def self_signed(folder):
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now() - timedelta(1)).not_valid_after(now() + timedelta(1))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    basic = x509.BasicConstraints(ca=True, path_length=None)
    certificate = builder.add_extension(alternative, False).add_extension(basic, True).sign(key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(pem + key.private_bytes(*plain))
    return folder / "both.pem", pem.decode()


async def test_trust_is_asked_for_unless_it_is_given_or_waived(tmp_path) -> None:
    both, pem = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    async with serving(ssl_context=context) as served, asked() as given:
        served.always(vector("1"))
        settings = {"address": served.url, "query": "x"}
        assert "certificate verify failed" in (await read("prometheus", settings, given)).error.lower()
        assert (await read("prometheus", {**settings, "insecure": True}, given)).value == "[1]"
        assert (await read("prometheus", {**settings, "caCert": pem}, given)).value == "[1]"
        assert (await read("web", {"url": served.url, "insecure": True}, given)).error == ""


async def test_web_sends_what_it_is_told() -> None:
    async with serving() as served, asked() as given:
        served.always({"ok": 1})
        plain = {"url": served.url, "method": "POST", "body": "a=1", "headers": [{"key": "X-A", "value": "b"}]}
        await read("web", plain, given)
        await read("web", {"url": served.url, "method": "PUT", "jsonBody": {"a": [1]}}, given)
        assert [request.method for request in served.requests] == ["POST", "PUT"]
        assert (served.bodies[0], json.loads(served.bodies[1])) == ("a=1", {"a": [1]})
        assert served.requests[0].headers["X-A"] == "b"
        assert served.requests[1].headers["Content-Type"] == "application/json"


WEB_FAULTS = [
    ({}, "gone", 404, "received non 2xx response code: 404 gone"),
    ({"jsonPath": "{$.a}"}, "text", 200, "Could not parse JSON body"),
    ({"jsonPath": "{$.a}"}, {"b": 1}, 200, "result of web metric produced no value"),
    ({"jsonPath": "{$.a[}"}, {"a": 1}, 200, "Could not find JSONPath in body"),
    ({"method": "DELETE"}, {}, 200, "method must be one of GET, POST, PUT, not DELETE"),
    ({"body": "x"}, {}, 200, "Body/JSONBody can only be used with POST or PUT"),
    ({"method": "POST", "body": "x", "jsonBody": {}}, {}, 200, "use either Body or JSONBody"),
]


@pytest.mark.parametrize(("settings", "body", "status", "message"), WEB_FAULTS)
async def test_web_says_what_is_wrong(settings, body, status, message) -> None:
    async with serving() as served, asked() as given:
        served.always(body, status)
        assert message in (await read("web", {"url": served.url, **settings}, given)).error


DATADOG = [
    ({"query": "avg:x{*}"}, {"series": [{"pointlist": [[1, 0.1], [2, 0.25]]}]}, "0.25", 0.25, {}),
    ({"query": "avg:x{*}"}, {"series": []}, '{"pointlist":[]}', None, {}),
    ({"apiVersion": "v2", "query": "x"}, {"data": {"attributes": {"columns": [
        {"type": "number", "values": [7.5]}]}}}, "7.5", 7.5, {}),
    ({"apiVersion": "v2", "query": "x"}, {"data": {"attributes": {"columns": [
        {"type": "number", "values": [None]}]}}}, "", None, {}),
    ({"apiVersion": "v2", "query": "x by {p}"}, {"data": {"attributes": {"columns": [
        {"type": "group", "values": [["/a"], ["/b"]]}, {"type": "number", "values": [0.1, 0.5]}]}}}, "[0.1,0.5]",
        [0.1, 0.5], {"groups": '[{"name":"/b","value":0.5},{"name":"/a","value":0.1}]'}),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "body", "value", "result", "metadata"), DATADOG)
async def test_datadog_reads_both_versions(settings, body, value, result, metadata) -> None:
    async with serving() as served, api() as client, asked(client) as given:
        served.always(body)
        keys = {"address": served.url, "api-key": "k1", "app-key": "k2"}
        await client.create(secret("mine", **keys))
        reference = {"secretRef": {"name": "mine", "namespaced": True}}
        reading = await read("datadog", {**settings, **reference, "interval": "10m"}, given)
        assert (reading.error, reading.value, reading.result, reading.metadata) == ("", value, result, metadata)
        (request,) = served.requests
        assert (request.headers["DD-API-KEY"], request.headers["DD-APPLICATION-KEY"]) == ("k1", "k2")
        if settings.get("apiVersion") == "v2":
            wanted = json.loads(served.bodies[0])["data"]["attributes"]
            assert request.path == "/api/v2/query/scalar"
            assert wanted["to"] - wanted["from"] == 600_000
            assert wanted["queries"][0]["aggregator"] == "last"
        else:
            assert request.path == "/api/v1/query"
            assert int(request.query["to"]) - int(request.query["from"]) == 600


async def test_datadog_says_what_is_wrong() -> None:
    async with serving() as served, api() as client, asked(client) as given:
        assert "Secret datadog not found in namespace drumroll-system or" in (await read("datadog", {}, given)).error
        keys = {"address": served.url, "api-key": "k1", "app-key": "k2"}
        await client.create(secret("mine", **keys))
        base = {"query": "x", "secretRef": {"name": "mine", "namespaced": True}}
        served.always("forbidden", 403)
        assert "authentication error response code: 403" in (await read("datadog", base, given)).error
        served.always({"status": "error", "error": "bad query"})
        assert (await read("datadog", base, given)).error == "There were errors in your query: bad query"
        many = {**base, "apiVersion": "v2", "query": "", "queries": {"a": "x", "b": "y"}}
        assert "needs a formula" in (await read("datadog", many, given)).error
        assert given.secrets == {"k1", "k2"}


async def test_newrelic_reads_results() -> None:
    async with serving() as served, api() as client, asked(client) as given:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "drumroll-system"}})
        keys = {"personal-api-key": "k1", "account-id": "12", "base-url-nerdgraph": served.url}
        await client.create(secret("newrelic", "drumroll-system", **keys))
        served.always({"data": {"actor": {"account": {"nrql": {"results": [{"successRate": 0.99}]}}}}})
        reading = await read("newRelic", {"query": "SELECT 1"}, given)
        assert (reading.error, reading.value, reading.result) == ("", '{"successRate":0.99}', {"successRate": 0.99})
        variables = json.loads(served.bodies[0])["variables"]
        assert (variables["accountId"], variables["query"]) == (12, "SELECT 1")
        assert served.requests[0].headers["API-Key"] == "k1"
        served.always({"errors": [{"message": "NRQL Syntax Error"}]})
        assert (await read("newRelic", {"query": "SELECT"}, given)).error == "NRQL Syntax Error"
        served.always({"data": {"actor": {"account": {"nrql": {"results": []}}}}})
        assert (await read("newRelic", {"query": "x"}, given)).error == "no results returned from NRQL query"


async def test_graphite_reads_points() -> None:
    async with serving() as served, asked() as given:
        served.always([{"target": "t", "datapoints": [[1.5, 100], [None, 160], ["2", 220]]}])
        query = "target=summarize(\n  asPercent(a,b),\n  '5min')&from=-5min"
        reading = await read("graphite", {"address": f"{served.url}/g/", "query": query}, given)
        assert (reading.error, reading.value, reading.result) == ("", "[1.500000,2.000000]", [1.5, 2.0])
        request = served.requests[0]
        assert (request.path, request.query["format"], request.query["from"]) == ("/g/render", "json", "-5min")
        assert request.query["target"] == "summarize( asPercent(a,b), '5min')"
        served.always([])
        assert (await read("graphite", {"address": served.url, "query": query}, given)).error == "no values found"
        assert "is not a valid URL" in (await read("graphite", {"query": query}, given)).error


FLUX = (
    "#datatype,string,long,dateTime:RFC3339,double\r\n#group,false,false,false,false\r\n#default,_result,,,\r\n"
    ",result,table,_time,_value\r\n,,0,2026-01-01T00:00:00Z,0.5\r\n,,0,2026-01-01T00:01:00Z,0.75\r\n\r\n"
    "#datatype,string,long,boolean\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n,,1,true\r\n"
)


async def test_influxdb_reads_flux() -> None:
    async with serving() as served, api() as client, asked(client) as given:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "drumroll-system"}})
        keys = {"address": served.url, "authToken": "t0k", "org": "my org"}
        await client.create(secret("influxdb", "drumroll-system", **keys))
        served.always(FLUX)
        reading = await read("influxdb", {"query": "from(bucket: 1)"}, given)
        assert (reading.error, reading.result, reading.value) == ("", [0.5, 0.75, True], "[0.5 0.75 True]")
        assert served.requests[0].query["org"] == "my org"
        assert served.requests[0].headers["Authorization"] == "Token t0k"
        served.always("#datatype,string,string\n,error,reference\n,failed to parse query,897\n")
        assert (await read("influxdb", {"query": "x"}, given)).error == "failed to parse query"
        served.always("")
        assert (await read("influxdb", {"query": "x"}, given)).error == "no results returned from flux query"


async def test_skywalking_reads_graphql() -> None:
    async with serving() as served, asked() as given:
        served.always({"data": {"service": {"values": [{"v": 3}]}}})
        settings = {"address": served.url, "interval": "3m", "query": "query q($duration: Duration!) {}"}
        reading = await read("skywalking", settings, given)
        assert (reading.error, reading.result) == ("", {"service": {"values": [{"v": 3}]}})
        duration = json.loads(served.bodies[0])["variables"]["duration"]
        assert (served.requests[0].path, duration["step"]) == ("/graphql", "MINUTE")
        assert duration["start"] == (now() - timedelta(minutes=3)).strftime("%Y-%m-%d %H%M") or duration["end"]
        served.always({"errors": [{"message": "bad"}]})
        assert 'graphql: [{"message": "bad"}]' in (await read("skywalking", settings, given)).error


@pytest.mark.parametrize("name", ["job", "kayenta", "wavefront", "cloudWatch"])
async def test_what_is_not_supported_says_what_is(name) -> None:
    async with asked() as given:
        reading = await read(name, {"x": 1}, given)
        assert reading.error.startswith(f"provider {name} is not supported: ")
        assert all(provider in reading.error for provider in PROVIDERS)
        unknown = await read("plugin", {"acme/metric": {}}, given)
        assert unknown.error.startswith("there is no metric plugin acme/metric here")


HOSTILE = {
    "lists deeper than anybody reads": b"[" * 200_000,
    "objects deeper than anybody reads": b'{"a":' * 200_000,
    "a number beyond floats": b"1" + b"0" * 400,
    "a sample beyond floats": json.dumps(vector(10**400)).encode(),
    "half a surrogate pair": b'{"a":"\\ud800","status":"error","errorType":"\\ud800","error":"\\udfff"}',
    "a huge text": b"x" * 5_000_000,
    "a huge error": json.dumps({"status": "error", "error": "x" * 3_000_000}).encode(),
    "huge warnings": json.dumps({**vector(), "warnings": ["w" * 100_000] * 30}).encode(),
    "warnings that are none": json.dumps({**vector(), "warnings": 5}).encode(),
    "bytes of any kind": bytes(range(256)),
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in HOSTILE.items()])
async def test_whatever_is_answered_becomes_a_measurement_that_a_status_can_hold(body) -> None:
    async with api() as client, serving() as served, asked(client) as given:

        async def give(_: web.Request) -> web.Response:
            return web.Response(body=body, content_type="application/json")

        served.answer = give
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argo-rollouts"}})
        await client.create(secret("p", "argo-rollouts", address=served.url, authToken="t", org="o"))
        asks = [
            {"prometheus": {"address": served.url, "query": "x"}},
            {"web": {"url": served.url}},
            {"web": {"url": served.url, "jsonPath": "{$.a}"}},
            {"graphite": {"address": served.url, "query": "x"}},
            {"influxdb": {"query": "x", "profile": "p"}},
            {"skywalking": {"address": served.url, "query": "x", "interval": "1m"}},
        ]
        for provider in asks:
            reading = await measure({"name": "m", "provider": provider}, given)
            metric = {"name": "m", "provider": provider, "successCondition": "asFloat(result) < 5"}
            taken = measurement(metric, Taken(reading, now(), now()))
            assert len(orjson.dumps(taken)) < 5_000, provider
            assert taken["phase"] == "Error" or not reading.error, provider
