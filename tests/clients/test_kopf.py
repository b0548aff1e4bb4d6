"""Operators written with kopf: one annotates Deployments, one has a kind of its own."""

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
def program() -> str:
    """The operator's text."""
    return OPERATOR


@pytest.fixture
def operator(cluster: Cluster, namespace: str, tmp_path: Path, program: str):
    """The operator as a process of its own, with its output in a file."""
    source, output = tmp_path / "operator.py", tmp_path / "output"
    source.write_text(program)
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "-n", namespace, "--verbose", str(source)]
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


GREETING = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "greetings.story.drumroll.test"},
    "spec": {
        "group": "story.drumroll.test",
        "scope": "Namespaced",
        "names": {"plural": "greetings", "singular": "greeting", "kind": "Greeting"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["text"],
                                "properties": {"text": {"type": "string", "maxLength": 20}},
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}
OF_ITS_OWN = """
import kopf
from kubernetes import client, config

config.load_kube_config()
core = client.CoreV1Api()

def written(spec, name):
    body = {"metadata": {"name": name}, "data": {"text": spec["text"]}}
    kopf.adopt(body)
    return body

@kopf.on.create("story.drumroll.test", "v1", "greetings")
def created(spec, name, namespace, **_):
    core.create_namespaced_config_map(namespace, written(spec, name))
    return {"said": spec["text"]}

@kopf.on.field("story.drumroll.test", "v1", "greetings", field="spec.text")
def changed(old, new, name, namespace, **_):
    if old is not None:
        core.patch_namespaced_config_map(name, namespace, {"data": {"text": new}})

@kopf.on.delete("story.drumroll.test", "v1", "greetings")
def deleted(name, namespace, **_):
    core.create_namespaced_config_map(namespace, {"metadata": {"name": f"farewell-{name}"}})
"""


@pytest.fixture
def greetings(cluster: Cluster):
    """The operator's own kind, for as long as the test."""
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(GREETING))
    cluster.kubectl("wait", "--for=condition=Established", "crd/greetings.story.drumroll.test", "--timeout=30s")
    yield
    cluster.kubectl("delete", "crd", "greetings.story.drumroll.test", "--timeout=60s", check=False)


@pytest.mark.usefixtures("greetings")
@pytest.mark.parametrize("program", [OF_ITS_OWN], ids=["of its own kind"])
def test_an_operator_of_its_own_kind(operator: Path, cluster: Cluster, namespace: str):
    """It makes an object for each of its own, follows changes, and holds a deletion up until it has said farewell."""

    def text(name: str) -> str:
        found = cluster.try_kubectl("get", "configmap", name, "-n", namespace, "-o", "jsonpath={.data.text}")
        return found.stdout if found.returncode == 0 else "none"

    def until(expected: str) -> None:
        try:
            cluster.until(lambda: text("hello") == expected, f"the greeting is {expected!r}", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{operator.read_text()[-6000:]}") from error

    greeting = {"apiVersion": "story.drumroll.test/v1", "kind": "Greeting", "metadata": {"name": "hello"}}
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps({**greeting, "spec": {"text": "hi"}}))
    until("hi")
    said = ("get", "greeting", "hello", "-n", namespace, "-o", "jsonpath={.status.created.said}")
    cluster.until(lambda: cluster.kubectl(*said) == "hi", "the operator's result is in the status", 60)
    cluster.kubectl("patch", "greeting", "hello", "-n", namespace, "--type=merge", "-p", '{"spec":{"text":"ho"}}')
    until("ho")
    finalizers = cluster.kubectl("get", "greeting", "hello", "-n", namespace, "-o", "jsonpath={.metadata.finalizers}")
    assert "kopf.zalando.org/KopfFinalizerMarker" in finalizers
    cluster.kubectl("delete", "greeting", "hello", "-n", namespace, "--timeout=60s")
    cluster.until(lambda: text("farewell-hello") == "", "the operator's farewell")
    cluster.until(lambda: text("hello") == "none", "what the greeting owned is gone")
