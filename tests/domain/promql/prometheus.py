"""A real Prometheus (Debian's package) that holds given samples and asks nothing of the network."""

import contextlib
import shutil
import socket
import subprocess
import time
from http.client import HTTPConnection
from urllib.parse import urlencode

import orjson
import pytest

NEEDED = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="needs Debian's package prometheus (apt-get install prometheus)",
)
DEADLINE = 60.0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def ask(port, path, **parameters):
    """Status and decoded answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", f"{path}?{urlencode(parameters)}")
        response = connection.getresponse()
        return response.status, orjson.loads(response.read())


def fill(folder, text):
    """Write samples in the OpenMetrics format where Prometheus keeps its own."""
    (folder / "samples.txt").write_text(text)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"]
    subprocess.run(command, cwd=folder, check=True, timeout=DEADLINE, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def running_prometheus(folder, configuration=""):
    """Its port, while it runs."""
    port = free_port()
    (folder / "prometheus.yml").write_text(configuration)
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_ready(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _wait_ready(port, process):
    ends = time.monotonic() + DEADLINE
    while time.monotonic() < ends:
        assert process.poll() is None, "prometheus ended at once"
        with contextlib.suppress(OSError), contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=5)) as asked:
            asked.request("GET", "/-/ready")
            if asked.getresponse().status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("prometheus was not ready in time")
