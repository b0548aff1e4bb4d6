"""The mesh's own figures: two revisions of a program, 2,000 requests, and what queries say of them."""

import http.client
import json
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.e2e import shop
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import container_refusal
from tests.e2e.traffic import HOST

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REQUESTS, CLIENTS = 2000, 8
ADDRESS = "http://prometheus.drumroll-system.svc.cluster.local:9090"
PROGRAM = """
import itertools, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERROR_EVERY, DELAY = int(os.environ["ERROR_EVERY"]), float(os.environ["DELAY"])
count = itertools.count(1)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        status = 200
        if self.path == "/":
            time.sleep(DELAY)
            status = 500 if next(count) % ERROR_EVERY == 0 else 200
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.send_header("X-Version", os.environ["VERSION"])
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass

class Server(ThreadingHTTPServer):
    request_queue_size = 128

Server((os.environ.get("HOST", ""), 8080), Handler).serve_forever()
"""
DOCKERFILE = """
FROM host
WORKDIR /app
COPY program.py /app/
ENTRYPOINT ["/usr/bin/python3", "-u", "/app/program.py"]
"""


@pytest.fixture
def isolation() -> str:
    """One is enough here: tests of the proxy run in the other."""
    return "loopback" if container_refusal() else "container"


def deployment(version: str, error_every: int, delay: float) -> dict[str, Any]:
    made = shop.deployment(f"shop-{version}", "counted:1", 1, {"app": "shop", "version": version})
    (container,) = made["spec"]["template"]["spec"]["containers"]
    values = {"VERSION": version, "ERROR_EVERY": str(error_every), "DELAY": str(delay)}
    container["env"] = [{"name": name, "value": value} for name, value in values.items()]
    container["ports"] = [{"name": "http", "containerPort": 8080}]
    container["readinessProbe"] = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1}
    return made


def send(cluster: Cluster, count: int) -> Counter[tuple[str, int]]:
    """How many requests each version answered with which status, as the client saw it."""
    place = urlsplit(cluster.status()["http"])

    def one(share: int) -> Counter[tuple[str, int]]:
        seen: Counter[tuple[str, int]] = Counter()
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        for _ in range(share):
            connection.request("GET", "/", headers={"Host": HOST})
            response = connection.getresponse()
            response.read()
            if version := response.headers["X-Version"]:
                seen[version, response.status] += 1
        connection.close()
        return seen

    with ThreadPoolExecutor(CLIENTS) as clients:
        return sum(clients.map(one, [count // CLIENTS] * CLIENTS), Counter())


def values(cluster: Cluster, query: str, label: str = "revision") -> dict[str, float]:
    """The answer of the address that `drumroll status` prints."""
    place = urlsplit(cluster.status()["metrics"])
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    connection.request("GET", f"/api/v1/query?query={quote(query, safe='')}")
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["status"] == "success", answer
    return {one["metric"].get(label, ""): float(one["value"][1]) for one in answer["data"]["result"]}


def test_queries_give_the_known_figures_of_each_revision(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    cluster.drumroll("image", "build", str(tmp_path), "-t", "counted:1")
    labels = {"app": "shop"}
    shop.apply(
        cluster, deployment("one", 10**9, 0.001), deployment("two", 20, 0.03), shop.service(labels), shop.ingress()
    )
    shop.rolled_out(cluster, "shop-one")
    shop.rolled_out(cluster, "shop-two")
    seen = _first_answer(cluster)
    pods = cluster.get("pods", selector="app=shop")["items"]
    revision = {pod["metadata"]["labels"]["version"]: pod["metadata"]["labels"]["pod-template-hash"] for pod in pods}
    where = '{namespace="default",service="shop"}'

    seen += send(cluster, REQUESTS)

    total = {version: seen[version, 200] + seen[version, 500] for version in revision}
    expected = {revision[version]: total[version] for version in revision}
    counted = f'sum by (revision) (drumroll_requests_total{where[:-1]},revision!=""}})'
    cluster.until(lambda: values(cluster, counted) == expected, "every request is counted, under its revision", 60)
    errors = values(cluster, f'sum by (revision) (drumroll_requests_total{where[:-1]},code_class="5xx"}})')
    assert errors == {revision["two"]: seen["two", 500]}
    assert seen["two", 500] == total["two"] // 20
    assert values(cluster, f'drumroll_request_errors_total{where[:-1]},revision!=""}}') == {
        revision["one"]: 0,
        **errors,
    }
    _assert_latencies(cluster, where, revision)
    if cluster.isolation == "container":
        _assert_pods_may_ask(cluster, pods[0]["metadata"]["name"])


def _first_answer(cluster: Cluster) -> Counter[tuple[str, int]]:
    """Before it, Envoy itself answers."""

    def answered() -> Counter[tuple[str, int]]:
        try:
            return send(cluster, CLIENTS)
        except OSError:
            return Counter()

    found: Counter[tuple[str, int]] = cluster.until(answered, "the Ingress serves the program", 60)
    return found


def _assert_latencies(cluster: Cluster, where: str, revision: dict[str, str]) -> None:
    """No slower than the clock allows; how slow a busy machine makes it is not ours to say."""
    buckets = f"sum by (revision, le) (rate(drumroll_request_duration_seconds_bucket{where}[5m]))"
    cluster.until(lambda: len(values(cluster, f"histogram_quantile(0.5, {buckets})")) == 2, "latencies are known", 60)
    median = values(cluster, f"histogram_quantile(0.5, {buckets})")
    assert median[revision["two"]] >= 0.025
    assert median[revision["one"]] >= 0.001
    rate = f"drumroll_request_errors_total{where}[5m]"
    share = f"sum by (revision) (increase({rate})) / sum by (revision) (increase(drumroll_requests_total{where}[5m]))"
    found = values(cluster, share)
    assert found[revision["one"]] == 0
    assert math.isclose(found[revision["two"]], 0.05, rel_tol=0.5)


def _assert_pods_may_ask(cluster: Cluster, pod: str) -> None:
    script = (
        f"import urllib.request; print(urllib.request.urlopen('{ADDRESS}/api/v1/query?query=1%2B1').read().decode())"
    )
    answer = json.loads(cluster.kubectl("exec", pod, "--", "python3", "-c", script))
    assert answer["data"]["result"][1] == "2"
