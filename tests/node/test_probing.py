"""Single probes against real servers (semantics 4.1)."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import pytest_asyncio

from drumroll.domain.probe import Verdict
from drumroll.node.lifecycle import run_hook
from drumroll.node.probing import ProbeError, ProbeTarget, find_port, probe_once
from drumroll.node.runtime import ContainerError, ExecResult

pytestmark = pytest.mark.asyncio
S, F = Verdict.SUCCESS, Verdict.FAILURE


class Server:
    """Answers every request with `answer` and keeps what it was asked."""

    def __init__(self):
        self.answer = "200 OK"
        self.headers = ""
        self.body = b"hello"
        self.asked = []
        self.delay = 0.0
        self.port = 0

    async def handle(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head.decode())
            await asyncio.sleep(self.delay)
            path = head.split()[1]
            answer, headers = ("200 OK", "") if path == b"/there" else (self.answer, self.headers)
            writer.write(f"HTTP/1.1 {answer}\r\n{headers}Connection: close\r\n\r\n".encode() + self.body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest_asyncio.fixture
async def server():
    made = Server()
    listening = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Commands:
    """A runtime that only runs commands."""

    def __init__(self, result):
        self._result = result

    async def exec(self, container_id, argv, timeout):
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def target(runtime=None):
    return ProbeTarget(runtime, "id", "127.0.0.1", {"name": "web", "ports": [{"name": "http", "containerPort": 8080}]})


def get(port, **more):
    return {"httpGet": {"path": "/health", "port": port, **more}}


@pytest.mark.parametrize(
    ("answer", "verdict", "output"),
    [
        ("200 OK", S, "hello"),
        ("204 No Content", S, ""),
        ("302 Found", S, "hello"),
        ("399 Odd", S, "hello"),
        ("400 Bad", F, "HTTP probe failed with statuscode: 400"),
        ("404 Not Found", F, "HTTP probe failed with statuscode: 404"),
        ("503 Unavailable", F, "HTTP probe failed with statuscode: 503"),
    ],
)
async def test_http_status(server, answer, verdict, output):
    server.answer = answer
    if answer.startswith("204"):
        server.body = b""
    result = await probe_once(get(server.port), target(), 2)
    assert (result.verdict, result.output, result.warning) == (verdict, output, False)


async def test_a_redirect_on_the_same_host_is_followed(server):
    server.answer, server.headers = "302 Found", "Location: /there\r\n"
    result = await probe_once(get(server.port), target(), 2)
    assert (result.verdict, result.warning, len(server.asked)) == (S, False, 2)


async def test_a_redirect_elsewhere_is_a_success_with_a_warning(server):
    server.answer, server.headers = "302 Found", "Location: http://example.com/\r\n"
    result = await probe_once(get(server.port), target(), 2)
    assert (result.verdict, result.warning, len(server.asked)) == (S, True, 1)
    assert result.output.startswith("Probe terminated redirects")


async def test_endless_redirects_fail(server):
    server.answer, server.headers = "302 Found", "Location: /health\r\n"
    result = await probe_once(get(server.port), target(), 2)
    assert result.verdict is F
    assert "stopped after 10 redirects" in result.output


async def test_what_a_probe_sends(server):
    headers = [{"name": "X-Colour", "value": "red"}, {"name": "User-Agent", "value": "mine"}]
    await probe_once(get(server.port), target(), 2)
    await probe_once(get(server.port, httpHeaders=headers), target(), 2)
    plain, named = (dict(line.split(": ", 1) for line in text.splitlines()[1:-1]) for text in server.asked)
    assert server.asked[0].startswith("GET /health HTTP/1.1")
    assert (plain["User-Agent"], plain["Accept"]) == ("kube-probe/1.36", "*/*")
    assert (named["User-Agent"], named["X-Colour"]) == ("mine", "red")


async def test_at_most_ten_kibibytes_are_read(server):
    server.body = b"x" * 50_000
    assert len((await probe_once(get(server.port), target(), 2)).output) == 10240


async def test_a_slow_answer_is_a_failure(server):
    server.delay = 5
    result = await probe_once(get(server.port), target(), 0.2)
    assert result.verdict is F
    assert result.output == (
        f'Get "http://127.0.0.1:{server.port}/health": context deadline exceeded '
        "(Client.Timeout exceeded while awaiting headers)"
    )


@pytest.mark.parametrize("kind", ["httpGet", "tcpSocket"])
async def test_a_refused_connection_in_the_originals_words(kind):
    port = free_port()
    result = await probe_once({kind: {"port": port}}, target(), 1)
    dial = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    expected = dial if kind == "tcpSocket" else f'Get "http://127.0.0.1:{port}/": {dial}'
    assert (result.verdict, result.output) == (F, expected)


async def test_a_server_that_hangs_up_is_a_failure():
    async def hang_up(reader, writer):
        writer.close()

    listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    result = await probe_once(get(port), target(), 2)
    listening.close()
    assert result.verdict is F
    assert f'Get "http://127.0.0.1:{port}/health": ' in result.output


async def test_tcp(server):
    assert (await probe_once({"tcpSocket": {"port": server.port}}, target(), 1)).verdict is S


async def test_https_is_not_verified(server, tmp_path):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=9)).not_valid_after(now - timedelta(days=1))
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("10.0.0.1"))])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = tmp_path / "both.pem"
    plain = serialization.NoEncryption()
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    result = await probe_once(get(port, scheme="HTTPS"), target(), 2)
    listening.close()
    assert (result.verdict, result.output) == (S, "hello")


@pytest.mark.parametrize(
    ("outcome", "verdict", "output"),
    [
        (ExecResult(0, "fine"), S, "fine"),
        (ExecResult(1, "bad"), F, "bad"),
        (TimeoutError(), F, "command timed out: \"sh -c 'x y'\" timed out after 1s"),
    ],
    ids=["zero", "one", "timeout"],
)
async def test_exec(outcome, verdict, output):
    result = await probe_once({"exec": {"command": ["sh", "-c", "x y"]}}, target(Commands(outcome)), 1)
    assert (result.verdict, result.output) == (verdict, output)


async def test_what_the_prober_cannot_do_is_an_error_and_no_verdict():
    broken = target(Commands(ContainerError("ExecError", "no such command")))
    with pytest.raises(ProbeError, match="no such command"):
        await probe_once({"exec": {"command": ["x"]}}, broken, 1)
    with pytest.raises(ProbeError, match="couldn't find port: admin"):
        await probe_once(get("admin"), target(), 1)


async def test_ports_by_name():
    assert find_port("http", target().container) == 8080
    assert find_port("9090", target().container) == 9090


async def test_hooks(server):
    assert await run_hook(get(server.port), target(), 1) is None
    assert await run_hook({"sleep": {"seconds": 0}}, target(), 1) is None
    assert "did not finish within 0.1s" in str(await run_hook({"sleep": {"seconds": 5}}, target(), 0.1))
    assert await run_hook({"exec": {"command": ["x"]}}, target(Commands(ExecResult(1, "bad"))), 1) == "bad"
    server.answer = "500 Oops"
    assert "500" in str(await run_hook(get(server.port), target(), 1))


async def test_grpc_health():
    import grpc

    answers = {b"": b"\x08\x01", b"\x0a\x03bad": b"\x08\x02"}

    async def check(request, context):
        return answers[request]

    handler = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
    )
    grpc_server = grpc.aio.server()
    grpc_server.add_generic_rpc_handlers((handler,))
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    await grpc_server.start()
    try:
        assert (await probe_once({"grpc": {"port": port}}, target(), 2)).verdict is S
        bad = await probe_once({"grpc": {"port": port, "service": "bad"}}, target(), 2)
        assert (bad.verdict, bad.output) == (F, 'service unhealthy (responded with "NOT_SERVING")')
    finally:
        await grpc_server.stop(None)
