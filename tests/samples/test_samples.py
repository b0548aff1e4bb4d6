"""The sample services do what the lab asks of them."""

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import time

import pytest

from tests.samples.programs import AUTH, SAMPLES, await_refusal, configuration, program, unique_address


def get(address, port, path, headers=(), method="GET", body=None):
    connection = http.client.HTTPConnection(address, port, timeout=5)
    connection.request(method, path, body, dict(headers))
    response = connection.getresponse()
    return response.status, response.read(), response.headers


@pytest.fixture
def shop(tmp_path):
    """Storefront, stockmanager and zipkin: their addresses."""
    front, stock, zipkin = (unique_address(offset) for offset in range(3))
    env = {
        "DRUMROLL_ROOT": str(configuration(tmp_path)),
        "STOCKMANAGER_SERVICE_HOST": stock,
        "STOCKMANAGER_SERVICE_PORT": "8081",
        "ZIPKIN_SERVICE_HOST": zipkin,
        "ZIPKIN_SERVICE_PORT": "9411",
        "VERSION": "0.0.2",
        "HOSTNAME": "storefront-abc-12345",
    }
    with (
        program("zipkin", zipkin, 9411, **env),
        program("stockmanager", stock, 8081, **env),
        program("storefront", front, 8080, **env),
    ):
        yield front, stock, zipkin


def test_copies_of_shared_files_are_equal():
    for name in ("serving.py", "service.py", "tracing.py"):
        texts = {path.read_text() for path in SAMPLES.glob(f"*/{name}")}
        assert len(texts) == 1, f"the copies of {name} differ"


def test_status_is_what_the_lab_prints(shop):
    for path in ("/status", "/sf/status"):
        status, body, headers = get(shop[0], 8080, path)
        assert (status, body) == (200, b'{"name":"My Shop","alive":true,"version":"0.0.2"}')
        assert (headers["X-Service-Version"], headers["X-Pod"]) == ("0.0.2", "storefront-abc-12345")


def test_stocklevel_is_what_the_lab_prints(shop):
    status, body, _ = get(shop[0], 8080, "/store/stocklevel", AUTH)
    assert status == 200
    assert body == (
        b'[{"itemCount":4980,"itemName":"rivet"},{"itemCount":4,"itemName":"chair"},'
        b'{"itemCount":981,"itemName":"door"},{"itemCount":25,"itemName":"window"},{"itemCount":20,"itemName":"handle"}]'
    )


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic amFjazp3cm9uZw=="}])
def test_strangers_get_401(shop, headers):
    status, _, answered = get(shop[0], 8080, "/store/stocklevel", headers)
    assert status == 401
    assert answered["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"requestedItem": "chair", "reservedCount": 3}, 200),
        ({"requestedItem": "chair", "reservedCount": 5}, 409),
        ({"requestedItem": "chair", "reservedCount": 1}, 406),
        ({"requestedItem": "no such thing?", "reservedCount": 2}, 404),
        ({"requestedItem": "chair"}, 400),
        ("chair", 400),
    ],
)
def test_reservations(shop, wish, status):
    before = json.loads(get(shop[0], 8080, "/store/stocklevel", AUTH)[1])
    assert get(shop[0], 8080, "/store/reserveStock", AUTH, "POST", json.dumps(wish))[0] == status
    after = json.loads(get(shop[0], 8080, "/store/stocklevel", AUTH)[1])
    taken = 3 if status == 200 else 0
    assert after[1]["itemCount"] == before[1]["itemCount"] - taken


def test_stock_is_kept_over_a_restart(tmp_path):
    address, root = unique_address(), configuration(tmp_path)
    for expected in (4, 77):
        with program("stockmanager", address, 8081, DRUMROLL_ROOT=str(root)):
            chair = json.loads(get(address, 8081, "/stocklevel/chair", AUTH)[1])
            assert chair == {"itemCount": expected, "itemName": "chair"}
            assert get(address, 8081, "/stocklevel/chair/77", AUTH, "PUT")[0] == 200


@pytest.mark.skipif(not shutil.which("json_pp") or not shutil.which("curl"), reason="needs curl and json_pp")
@pytest.mark.parametrize("grep", [r'json_pp | grep "\"outcome\" : \"UP\""', r'grep "\"status\":\"UP\""'])
def test_the_labs_readiness_probes_pass(shop, grep):
    for address, port in ((shop[0], 9080), (shop[1], 9081)):
        command = f"curl -s http://{address}:{port}/health/ready | {grep}"
        assert subprocess.run(["/bin/bash", "-c", command], timeout=10, check=False).returncode == 0


def test_metrics_count_requests(shop):
    get(shop[0], 8080, "/status")
    text = get(shop[0], 9080, "/metrics")[1].decode()
    assert 'storefront_requests_total{method="GET",code="200"}' in text


def test_a_trace_crosses_both_services(shop):
    trace = "00000000000000aa"
    get(shop[0], 8080, "/store/stocklevel", {**AUTH, "x-b3-traceid": trace, "x-b3-spanid": "00000000000000ab"})
    deadline, spans = time.monotonic() + 10, []
    while len(spans) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
        status, body, _ = get(shop[2], 9411, f"/api/v2/trace/{trace}")
        spans = json.loads(body) if status == 200 else []
    assert [span["localEndpoint"]["serviceName"] for span in spans] == ["storefront", "storefront", "stockmanager"]
    assert [span["parentId"] for span in spans] == ["00000000000000ab", spans[0]["id"], spans[1]["id"]]
    page = get(shop[2], 9411, f"/zipkin/traces/{trace}")[1].decode()
    assert "storefront" in page
    assert "stockmanager" in page


def test_a_missing_collector_delays_nothing(tmp_path):
    address = unique_address()
    with program("storefront", address, 8080, DRUMROLL_ROOT=str(tmp_path), ZIPKIN_SERVICE_HOST="192.0.2.1"):
        began = time.monotonic()
        for _ in range(50):
            assert get(address, 8080, "/status")[0] == 200
        assert time.monotonic() - began < 2


def test_sigterm_finishes_what_has_begun(tmp_path):
    address = unique_address()
    with program("storefront", address, 8080, DRUMROLL_ROOT=str(tmp_path)) as process:
        with socket.create_connection((address, 8080), timeout=5) as sock:
            sock.sendall(b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
            get(address, 8080, "/status")  # the server has read the first half by now
            process.send_signal(signal.SIGTERM)
            await_refusal(address, 8080)
            sock.sendall(b"cd")
            answer = sock.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"Connection: close" in answer
        assert process.wait(timeout=5) == 0


def test_the_rude_one_ends_at_once():
    address = unique_address()
    with program("rude", address, 8080) as process, socket.create_connection((address, 8080), timeout=5) as sock:
        sock.sendall(b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=5)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100) == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST /status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", b"200"),
        (b"GET /status HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /nothing HTTP/1.1\r\n\r\n", b"404"),
    ],
)
def test_bad_input_gets_an_answer(rude, sent, status):
    with socket.create_connection((rude, 8080), timeout=5) as sock:
        sock.sendall(sent)
        assert sock.recv(65536).split(b" ")[1] == status


@pytest.fixture(scope="module")
def rude():
    address = unique_address(3)
    with program("rude", address, 8080):
        yield address
