"""The server as a process, driven by real kubectl: what a user types and reads."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import run

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on this machine"),
]
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "app:1", ports: [{containerPort: 8080, name: http}]}
"""


class Kubectl:
    """Runs kubectl with a home and a kubeconfig of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, stdin: str = "", code: int = 0, **environment: str) -> str:
        env = {"KUBECONFIG": str(self.folder / "kubeconfig"), "HOME": str(self.folder), **environment}
        argv = ["kubectl", *arguments]
        done = run(argv, stdin=stdin, environment=env, timeout=60, check=False, cwd=self.folder)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory) -> Iterator[Kubectl]:
    folder = tmp_path_factory.mktemp("apiserver")
    argv = [sys.executable, "-m", "drumroll.apiserver", "--folder", str(folder)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("ready ")
        (folder / "web.yaml").write_text(MANIFEST)
        yield Kubectl(folder)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture
def space(kubectl, request) -> str:
    """A namespace of the test's own."""
    name = f"t-{abs(hash(request.node.name)) % 10**8}"
    kubectl("create", "namespace", name)
    return name


def test_apply_says_created_unchanged_and_configured(kubectl, space):
    assert kubectl("-n", space, "apply", "-f", "web.yaml") == "deployment.apps/web created\n"
    assert kubectl("-n", space, "apply", "-f", "web.yaml") == "deployment.apps/web unchanged\n"
    changed = MANIFEST.replace("app:1", "app:2")
    assert kubectl("-n", space, "apply", "-f", "-", stdin=changed) == "deployment.apps/web configured\n"
    wide = kubectl("-n", space, "get", "deploy", "web", "-o", "wide").splitlines()
    assert wide[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert wide[1].split()[:4] + wide[1].split()[5:] == ["web", "0/3", "0", "0", "web", "app:2", "app=web"]


def test_an_unknown_field_is_refused_by_name(kubectl, space):
    wrong = MANIFEST.replace("replicas: 3", "replica: 3")
    assert 'unknown field "spec.replica"' in kubectl("-n", space, "apply", "-f", "-", stdin=wrong, code=1)


def test_bodies_in_protobuf_are_understood(kubectl, space):
    assert "created" in kubectl("-n", space, "create", "deployment", "two", "--image=x:1", "--replicas=2")
    assert "created" in kubectl("-n", space, "create", "configmap", "cm", "--from-literal=a=b")
    found = kubectl("-n", space, "get", "deploy/two", "cm/cm", "-o", "jsonpath={.items[*].metadata.name}")
    assert found == "two cm"
    assert kubectl("-n", space, "get", "cm", "cm", "-o", "jsonpath={.data.a}") == "b"


def test_a_deployment_is_changed_in_every_way_that_kubectl_knows(kubectl, space):
    def run(*arguments: str, **environment: str) -> str:
        return kubectl("-n", space, *arguments, **environment)

    run("apply", "-f", "web.yaml")
    assert run("set", "image", "deploy/web", "web=app:2") == "deployment.apps/web image updated\n"
    assert run("scale", "deploy/web", "--replicas=5") == "deployment.apps/web scaled\n"
    assert run("rollout", "pause", "deploy/web") == "deployment.apps/web paused\n"
    assert run("rollout", "resume", "deploy/web") == "deployment.apps/web resumed\n"
    assert run("rollout", "restart", "deploy/web") == "deployment.apps/web restarted\n"
    assert run("label", "deploy", "web", "x=y") == "deployment.apps/web labeled\n"
    assert run("annotate", "deploy", "web", "n=m") == "deployment.apps/web annotated\n"
    assert run("edit", "deploy", "web", EDITOR="sed -i s/app:2/app:3/") == "deployment.apps/web edited\n"
    patch = '[{"op":"replace","path":"/spec/replicas","value":2}]'
    assert run("patch", "deploy", "web", "--type=json", "-p", patch) == "deployment.apps/web patched\n"
    assert run("expose", "deploy", "web", "--port=80") == "service/web exposed\n"
    found = run("get", "deploy", "web", "-o", "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}")
    assert found == "2 app:3"
    described = run("describe", "deploy", "web")
    assert "StrategyType:           RollingUpdate" in described
    assert "Image:         app:3" in described
    assert "app:1" in run("diff", "-f", "web.yaml", code=1)
    assert run("delete", "deploy", "web") == 'deployment.apps "web" deleted\n'
    assert 'deployments.apps "web" not found' in run("get", "deploy", "web", code=1)


def test_waiting_for_a_condition_ends_when_it_comes(kubectl, space):
    kubectl("-n", space, "run", "p", "--image=x:1")
    status = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    kubectl("-n", space, "patch", "pod", "p", "--subresource=status", "--type=merge", "-p", status)
    assert "condition met" in kubectl("-n", space, "wait", "--for=condition=Ready", "pod/p", "--timeout=20s")
    assert "timed out" in kubectl("-n", space, "wait", "--for=condition=Other", "pod/p", "--timeout=1s", code=1)


def test_what_is_served_can_be_discovered_and_explained(kubectl):
    resources = kubectl("api-resources", "--verbs=list", "-o", "name").splitlines()
    assert {"pods", "deployments.apps", "ingresses.networking.k8s.io"} <= set(resources)
    assert "rollingUpdate" in kubectl("explain", "deployment.spec.strategy")
    assert "v1.36.0+drumroll" in kubectl("version")


def test_all_fields_of_all_kinds_are_shown(kubectl):
    for name in kubectl("api-resources", "--verbs=list", "-o", "name").split():
        if name != "events.events.k8s.io":  # kubectl takes this for a field of the older kind
            assert kubectl("explain", name, "--recursive").count("<") >= 3
    assert "matchLabelKeys" in kubectl("explain", "deployment.spec.template.spec.topologySpreadConstraints")
    assert "maxUnavailable\t<IntOrString>" in kubectl("explain", "deployment.spec.strategy", "--recursive")
