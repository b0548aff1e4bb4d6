"""What people keep in files: overlays of kustomize, sets of objects that are pruned, and diffs that come out empty."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.kubectl]
OVERLAYS = Path(__file__).with_name("kustomize")


@pytest.fixture
def modern(cluster: Cluster) -> Cluster:
    """The cluster, for a kubectl that knows ApplySets and today's kustomize. Skips for older ones."""
    client = json.loads(cluster.kubectl("version", "--client", "-o", "json"))["clientVersion"]
    if int(client["minor"].rstrip("+")) < 27:
        pytest.skip(f"kubectl {client['gitVersion']} knows no ApplySets")
    return cluster


def test_an_overlay_is_applied_changed_and_deleted(modern: Cluster, namespace: str):
    green = ("-n", namespace, "-k", str(OVERLAYS / "green"))
    modern.kubectl("apply", *green)
    modern.kubectl("rollout", "status", "-n", namespace, "deployment/green-shop", "--timeout=90s")
    assert modern.get("service", "green-shop", namespace)["spec"]["ports"][0]["port"] == 8080
    names = {one["metadata"]["name"] for one in modern.get("configmap", namespace=namespace)["items"]}
    assert any(name.startswith("green-settings-") for name in names)
    assert modern.try_kubectl("diff", *green).returncode == 0
    again = modern.kubectl("apply", *green).splitlines()
    assert [line.rpartition(" ")[2] for line in again] == ["unchanged"] * 3
    other = ("--server-side", "--force-conflicts", "--field-manager=story")  # kubectl itself renews its annotation
    assert modern.try_kubectl("diff", *other, *green).returncode == 0
    modern.kubectl("delete", *green, "--timeout=60s")
    assert not modern.kubectl("get", "deploy,svc", "-n", namespace, "-o", "name").strip()


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_what_left_a_set_is_pruned(modern: Cluster, namespace: str):
    def apply(*objects: dict[str, Any], dry_run: str = "") -> str:
        whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        options = ("--prune", "--applyset=configmaps/story", *([f"--dry-run={dry_run}"] if dry_run else []))
        modern.environment["KUBECTL_APPLYSET"] = "true"
        try:
            return modern.kubectl("apply", "-n", namespace, "-f", "-", *options, stdin=whole)
        finally:
            del modern.environment["KUBECTL_APPLYSET"]

    apply(config("a", x="1"), config("b", x="1"))
    assert "pruned" in apply(config("a", x="2"), dry_run="server")
    assert modern.get("configmap", "b", namespace)["data"] == {"x": "1"}
    assert "configmap/b pruned" in apply(config("a", x="2"))
    left = {one["metadata"]["name"] for one in modern.get("configmap", namespace=namespace)["items"]}
    assert left == {"a", "story", "kube-root-ca.crt"}


def test_a_selector_prunes_in_the_older_way(modern: Cluster, namespace: str):
    def apply(*names: str) -> str:
        objects = [{**config(name), "metadata": {"name": name, "labels": {"of": "story"}}} for name in names]
        whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        arguments = ("--prune", "-l", "of=story", "--prune-allowlist=core/v1/ConfigMap")
        return modern.kubectl("apply", "-n", namespace, "-f", "-", *arguments, stdin=whole)

    apply("a", "b")
    assert "configmap/b pruned" in apply("a")
