"""An operator written with kopf: it hears of Deployments and annotates them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.story import NAME, OLD, check_gone, shop
from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
OPERATOR = """
import kopf

@kopf.on.startup()
def configure(settings, **_):
    settings.persistence.finalizer = "story.drumroll.test/kopf"

@kopf.on.create("apps", "v1", "deployments")
def created(meta, patch, **_):
    patch.metadata.annotations["told"] = f"created {meta['name']}"
    return {"seen": True}

@kopf.on.update("apps", "v1", "deployments", field="spec.replicas")
def scaled(old, new, patch, **_):
    patch.metadata.annotations["told"] = f"from {old} to {new}"

@kopf.on.delete("apps", "v1", "deployments")
def deleted(name, namespace, **_):
    print(f"goodbye {name}", flush=True)
"""


@pytest.fixture
def operator(cluster: Cluster, namespace: str, tmp_path: Path):
    """The operator as a process of its own, with its output in a file."""
    program, output = tmp_path / "operator.py", tmp_path / "output"
    program.write_text(OPERATOR)
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "-n", namespace, "--verbose", str(program)]
    with output.open("wb") as sink:
        process = subprocess.Popen(
            command, env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}, stdout=sink, stderr=subprocess.STDOUT
        )
    yield output
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def test_an_operator_hears_of_deployments(operator: Path, cluster: Cluster, namespace: str):
    def told() -> str:
        found = json.loads(cluster.kubectl("get", "deployment", NAME, "-n", namespace, "-o", "json"))
        return str(found["metadata"].get("annotations", {}).get("told", ""))

    def until_told(expected: str) -> None:
        try:
            cluster.until(lambda: told() == expected, f"the operator says {expected!r}", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{operator.read_text()[-6000:]}") from error

    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(shop(1)))
    until_told(f"created {NAME}")
    cluster.kubectl("scale", "-n", namespace, f"deployment/{NAME}", "--replicas=2")
    until_told("from 1 to 2")
    assert (
        json.loads(cluster.kubectl("get", "deployment", NAME, "-n", namespace, "-o", "json"))["spec"]["template"][
            "spec"
        ]["containers"][0]["image"]
        == OLD
    )
    cluster.kubectl("delete", "-n", namespace, f"deployment/{NAME}", "--timeout=60s")
    cluster.until(lambda: f"goodbye {NAME}" in operator.read_text(), "the operator's farewell")
    check_gone(cluster, namespace)
