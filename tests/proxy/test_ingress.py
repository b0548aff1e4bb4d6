"""Ingress through a real Envoy: hosts, paths in their order, rewrites, TLS by SNI, HTTP/2, redirects."""

import asyncio
import base64
import datetime
import http.client
import socket
import ssl
import subprocess

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drumroll.objects.kinds import INGRESS, SECRET
from tests.proxy.cluster import eventually

pytestmark = pytest.mark.asyncio

NGINX = "nginx.ingress.kubernetes.io/"


def rule(host, *paths):
    """A rule; each path is (path, type, service)."""
    backends = [
        {"path": path, "pathType": kind, "backend": {"service": {"name": service, "port": {"number": 80}}}}
        for path, kind, service in paths
    ]
    return {**({"host": host} if host else {}), "http": {"paths": backends}}


async def ingress(cluster, name, *rules, tls=None, notes=None, **spec):
    await cluster.client.create(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"namespace": "default", "name": name, "annotations": notes or {}},
            "spec": {"rules": list(rules), **({"tls": tls} if tls else {}), **spec},
        }
    )


async def secret(cluster, name, host, *, renew=False):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    data = {"tls.crt": made.public_bytes(serialization.Encoding.PEM), "tls.key": key.private_bytes(*form)}
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    if renew:
        await cluster.client.patch(SECRET, "default", name, {"data": encoded})
        return data["tls.crt"].decode()
    await cluster.client.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"namespace": "default", "name": name},
            "data": encoded,
        }
    )
    return data["tls.crt"].decode()


async def shops(cluster, *names):
    for name in names:
        await cluster.service(name)
        await cluster.pod(name)


async def ask(cluster, host, path, *, scheme="http", **options):
    port = cluster.network.http_port if scheme == "http" else cluster.network.https_port
    url = f"{scheme}://{cluster.network.listen}:{port}{path}"
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers={"Host": host}, ssl=False, allow_redirects=False, **options) as response,
        ):
            is_json = response.content_type == "application/json"
            return response.status, await (response.json() if is_json else response.text()), response.headers
    except (aiohttp.ClientError, OSError):
        return None


async def settled(cluster, host, path, status=200, **options):
    async def there():
        found = await ask(cluster, host, path, **options)
        return found and found[0] == status and found

    return await eventually(there)


async def test_hosts_and_paths_win_in_the_originals_order(cluster):
    await shops(cluster, "one", "two")
    await ingress(
        cluster,
        "shop",
        rule("a.example", ("/", "Prefix", "one"), ("/deep", "Prefix", "two"), ("/deep/exact", "Exact", "one")),
        rule("*.wild.example", ("/", "Prefix", "two")),
        rule("b.example", ("/only", "Exact", "one")),
    )
    await settled(cluster, "a.example", "/")

    async def served(host, path):
        found = await ask(cluster, host, path)
        return found[1]["name"].split("-")[0] if found[0] == 200 else found[0]

    expected = {
        ("a.example", "/"): "one",
        ("a.example", "/deep"): "two",
        ("a.example", "/deep/"): "two",
        ("a.example", "/deep/er?x=1"): "two",
        ("a.example", "/deeper"): "one",
        ("a.example", "/deep/exact"): "one",
        ("a.example", "/deep/exact/"): "two",
        ("A.Example:8080", "/"): "one",
        ("x.wild.example", "/"): "two",
        ("x.y.wild.example", "/"): 404,
        ("wild.example", "/"): 404,
        ("b.example", "/only"): "one",
        ("b.example", "/only/"): 404,
        ("b.example", "/"): 404,
        ("nobody.example", "/"): 404,
    }
    assert {question: await served(*question) for question in expected} == expected


async def test_a_rewrite_with_groups_reaches_the_program(cluster):
    await shops(cluster, "sf")
    notes = {NGINX + "rewrite-target": "/$2"}
    await ingress(cluster, "sf", rule("", ("/sf(/|$)(.*)", "ImplementationSpecific", "sf")), notes=notes)
    await settled(cluster, "x", "/sf/status")
    seen = {path: (await ask(cluster, "x", path))[1]["path"] for path in ("/sf/status", "/sf", "/sf/a/b", "/SF/x")}
    assert seen == {"/sf/status": "/status", "/sf": "/", "/sf/a/b": "/a/b", "/SF/x": "/x"}
    assert (await ask(cluster, "x", "/sfx"))[0] == 404


async def test_the_client_is_named_to_the_program(cluster):
    await shops(cluster, "one")
    await ingress(cluster, "one", rule("a.example", ("/", "Prefix", "one")))
    await settled(cluster, "a.example", "/")
    headers = (await ask(cluster, "a.example", "/"))[1]["headers"]
    assert headers["host"] == headers["x-forwarded-host"] == "a.example"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-for"]
    assert headers["x-real-ip"].startswith("127.")
    assert headers["x-request-id"]


def tls_connection(cluster, host, port=None):
    """A TLS connection to the Ingress on which nothing was said yet."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    place = (cluster.network.listen, port or cluster.network.https_port)
    return context.wrap_socket(socket.create_connection(place, timeout=5), server_hostname=host)


def get(connection, host):
    """The status of one request, on a connection that is kept."""
    connection.sendall(f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    assert answer.getheader("connection") != "close"
    return answer.status


async def test_tls_presents_each_hosts_certificate_and_speaks_http2(cluster):
    await shops(cluster, "one")
    certificate = await secret(cluster, "a-tls", "a.example")
    entry = [{"hosts": ["a.example"], "secretName": "a-tls"}]
    await ingress(cluster, "one", rule("a.example", ("/", "Prefix", "one")), tls=entry)
    place = (cluster.network.listen, cluster.network.https_port)
    await settled(cluster, "a.example", "/", 308)

    def presented(host):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(place) as plain, context.wrap_socket(plain, server_hostname=host) as secured:
            return ssl.DER_cert_to_PEM_cert(secured.getpeercert(True)), secured.selected_alpn_protocol()

    assert presented("a.example") == (certificate, "h2")
    assert presented("other.example")[0] != certificate
    command = [
        *("curl", "-sk", "-i", "--http2", "--resolve", f"a.example:{place[1]}:{place[0]}"),
        f"https://a.example:{place[1]}/x",
    ]
    output = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    assert output.startswith("HTTP/2 200")
    assert "strict-transport-security: max-age=15724800; includeSubDomains" in output


async def test_a_renewed_certificate_leaves_open_connections_alone(cluster):
    await shops(cluster, "one")
    await secret(cluster, "a-tls", "a.example")
    entry = [{"hosts": ["a.example"], "secretName": "a-tls"}]
    await ingress(cluster, "one", rule("a.example", ("/", "Prefix", "one")), tls=entry)
    await settled(cluster, "a.example", "/", 308)
    with tls_connection(cluster, "a.example") as opened:
        assert get(opened, "a.example") == 200
        renewed = await secret(cluster, "a-tls", "a.example", renew=True)

        def is_presented():
            with tls_connection(cluster, "a.example") as fresh:
                return ssl.DER_cert_to_PEM_cert(fresh.getpeercert(True)) == renewed

        await eventually(is_presented)
        assert get(opened, "a.example") == 200  # an Envoy that says goodbye would have closed it in between


async def test_a_certificate_that_went_is_presented_again_when_it_is_back(cluster):
    await shops(cluster, "one")
    await secret(cluster, "a-tls", "a.example")
    entry = [{"hosts": ["a.example"], "secretName": "a-tls"}]
    await ingress(cluster, "one", rule("a.example", ("/", "Prefix", "one")), tls=entry)
    await settled(cluster, "a.example", "/", 308)

    def presented():
        with tls_connection(cluster, "a.example") as fresh:
            return ssl.DER_cert_to_PEM_cert(fresh.getpeercert(True))

    first = presented()
    await cluster.client.delete(SECRET, "default", "a-tls")
    await eventually(lambda: presented() != first)
    second = await secret(cluster, "a-tls", "a.example")
    await eventually(lambda: presented() == second)


async def test_http_is_sent_to_https_when_the_host_has_a_certificate(cluster):
    await shops(cluster, "one")
    await secret(cluster, "a-tls", "a.example")
    entry = [{"hosts": ["a.example", "c.example"], "secretName": "a-tls"}]
    await ingress(cluster, "one", rule("a.example", ("/", "Prefix", "one")), tls=entry)
    notes = {NGINX + "ssl-redirect": "false"}
    await ingress(cluster, "two", rule("c.example", ("/", "Prefix", "one")), tls=entry, notes=notes)
    _, _, headers = await settled(cluster, "a.example", "/x?y=1", 308)
    assert headers["location"] == f"https://a.example:{cluster.network.https_port}/x?y=1"
    await settled(cluster, "c.example", "/")


async def test_faults_are_told_and_harm_nobody(cluster):
    await shops(cluster, "one")
    await ingress(cluster, "nowhere", rule("a.example", ("/", "Prefix", "missing")))
    notes = {NGINX + "use-regex": "true", NGINX + "whitelist-source-range": "10.0.0.0/8"}
    await ingress(cluster, "odd", rule("b.example", ("/(?=x)", "ImplementationSpecific", "one")), notes=notes)
    entry = [{"hosts": ["c.example"], "secretName": "missing"}]
    await ingress(cluster, "bare", rule("c.example", ("/", "Prefix", "one")), tls=entry)
    await settled(cluster, "a.example", "/", 503)
    await settled(cluster, "c.example", "/", scheme="https")
    for reason, name in {
        "ServiceNotFound": "nowhere",
        "InvalidPath": "odd",
        "AnnotationIgnored": "odd",
        "SecretUnusable": "bare",
    }.items():
        events = await eventually(lambda reason=reason: cluster.events(reason))
        assert {event["involvedObject"]["name"] for event in events} == {name}


async def test_a_default_backend_answers_for_everybody_else(cluster):
    await shops(cluster, "one", "two")
    backend = {"service": {"name": "two", "port": {"name": "http"}}}
    await ingress(cluster, "one", rule("a.example", ("/x", "Prefix", "one")), defaultBackend=backend)
    assert (await settled(cluster, "who.example", "/"))[1]["name"].startswith("two")
    assert (await ask(cluster, "a.example", "/y"))[1]["name"].startswith("two")
    assert (await ask(cluster, "a.example", "/x"))[1]["name"].startswith("one")


async def test_foreign_classes_are_left_alone_and_ours_get_an_address(cluster):
    await shops(cluster, "one")
    await ingress(cluster, "foreign", rule("b.example", ("/", "Prefix", "one")), ingressClassName="traefik")
    await ingress(cluster, "ours", rule("a.example", ("/", "Prefix", "one")), ingressClassName="nginx")
    await settled(cluster, "a.example", "/")
    assert (await ask(cluster, "b.example", "/"))[0] == 404

    async def address():
        found = await cluster.client.get(INGRESS, "default", "ours")
        return (found.get("status") or {}).get("loadBalancer", {}).get("ingress")

    assert await eventually(address) == [{"ip": cluster.network.listen}]


async def test_a_websocket_passes_the_ingress(cluster):
    await shops(cluster, "one")
    await ingress(cluster, "one", rule("", ("/", "Prefix", "one")))
    await settled(cluster, "x", "/")
    url = f"http://{cluster.network.listen}:{cluster.network.http_port}/ws"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as chat:
        await chat.send_str("hi")
        assert (await chat.receive_str()) == "one-1 hi"


async def test_a_canary_gets_the_share_that_its_weight_says(cluster):
    await shops(cluster, "stable", "fresh")
    await ingress(cluster, "main", rule("a.example", ("/", "Prefix", "stable")))
    notes = {
        NGINX + "canary": "true", NGINX + "canary-weight": "20", NGINX + "canary-by-header": "x-beta",
        NGINX + "canary-by-cookie": "beta",
    }  # fmt: skip
    await ingress(cluster, "beta", rule("a.example", ("/", "Prefix", "fresh")), notes=notes)
    await settled(cluster, "a.example", "/")
    url = f"http://{cluster.network.listen}:{cluster.network.http_port}/"

    async def served(session, **headers):
        async with session.get(url, headers={"Host": "a.example", **headers}) as response:
            return (await response.json())["name"].split("-")[0]

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:

        async def has_a_canary():
            return await served(session, **{"x-beta": "always"}) == "fresh"

        await eventually(has_a_canary)
        assert await served(session, Cookie="a=1; beta=always") == "fresh"
        assert await served(session, Cookie="beta=never") == "stable"
        assert await served(session, Cookie="beta=always", **{"x-beta": "never"}) == "stable"
        found = await asyncio.gather(*(served(session) for _ in range(3000)))
    # 20 % of 3,000: 600, and 99.9 % of all samples lie within 3.29 standard deviations (21.9) of it
    assert abs(found.count("fresh") - 600) <= 72
