"""The command line on a real cluster: contexts, parts, status, images that revisions need."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.e2e import shop
from tests.e2e.cluster import ROOT, Cluster

pytestmark = pytest.mark.e2e

FREE_PORTS = ("--api-port", "0", "--http-port", "0", "--https-port", "0")


def test_up_adds_a_context_and_down_takes_it_away_again(new_cluster: Callable[[str], Cluster], tmp_path: Path) -> None:
    cluster, file = new_cluster("loopback"), tmp_path / "config"
    theirs = {
        "apiVersion": "v1", "kind": "Config", "current-context": "work",
        "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
    }  # fmt: skip
    file.write_text(yaml.safe_dump(theirs))
    cluster.drumroll("up", "--isolation", "loopback", "--kubeconfig", str(file), *FREE_PORTS)
    merged = yaml.safe_load(file.read_text())
    assert merged["current-context"] == "drumroll"
    assert [context["name"] for context in merged["contexts"]] == ["work", "drumroll"]
    assert file.stat().st_mode & 0o777 == 0o600
    cluster.drumroll("down", "--delete", "--kubeconfig", str(file))
    left = yaml.safe_load(file.read_text())
    assert [context["name"] for context in left["contexts"]] == ["work"]


def test_status_names_every_part_with_its_process(new_cluster: Callable[[str], Cluster]) -> None:
    cluster = new_cluster("loopback")
    cluster.up()
    cluster.until(lambda: "envoy" in {part["name"] for part in cluster.status()["parts"]}, "Envoy runs", 20)
    status = cluster.status()
    parts = {part["name"]: part["pid"] for part in status["parts"]}
    assert set(parts) == {"apiserver", "controllers", "rollouts", "node", "proxy", "envoy"}
    assert len({parts[name] for name in ("apiserver", "controllers", "rollouts", "node", "proxy")}) == 1
    for pid in parts.values():
        os.kill(pid, 0)
    assert (status["isolation"], status["home"]) == ("loopback", str(cluster.home))
    assert (cluster.home / "kubeconfig").stat().st_mode & 0o777 == 0o600
    refused = cluster.drumroll("up", "--no-context", check=False)
    assert refused.returncode == 1
    assert "already up" in refused.stderr
    cluster.drumroll("down")
    assert cluster.status()["running"] is False
    for pid in parts.values():
        with pytest.raises(ProcessLookupError):
            signal_alive(pid)


def signal_alive(pid: int) -> None:
    """Raises ProcessLookupError when the process is gone or only waits to be reaped."""
    os.kill(pid, 0)
    if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
        raise ProcessLookupError(pid)


def test_parts_run_as_processes_of_their_own(new_cluster: Callable[[str], Cluster]) -> None:
    cluster = new_cluster("loopback")
    cluster.up("--parts", "apiserver")
    cluster.drumroll("up", "--no-context", "--parts", "controllers")
    parts = {part["name"]: part["pid"] for part in cluster.status()["parts"]}
    assert set(parts) == {"apiserver", "controllers"}
    assert parts["apiserver"] != parts["controllers"]
    cluster.kubectl("create", "deployment", "web", "--image=web:1", "--replicas=2")
    cluster.until(lambda: len(cluster.get("pods")["items"]) == 2, "the controllers made the pods")
    refused = cluster.drumroll("up", "--no-context", "--parts", "controllers", check=False)
    assert "already up" in refused.stderr


def test_the_foreground_ends_with_control_c_and_leaves_no_part(new_cluster: Callable[[str], Cluster]) -> None:
    cluster = new_cluster("loopback")
    command = [
        sys.executable, "-m", "drumroll.cli.main", "up", "--foreground", "--no-context", "--isolation", "loopback",
        "--parts", "apiserver", "--home", str(cluster.home), *FREE_PORTS,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("Cluster is up in")
        assert cluster.kubectl("get", "namespaces", "-o", "name").splitlines()[0] == "namespace/default"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    assert cluster.status()["running"] is False


def test_an_image_that_a_kept_revision_needs_is_not_removed(new_cluster: Callable[[str], Cluster]) -> None:
    cluster = new_cluster("loopback")
    shop.build(cluster, "rude", "0.0.1", "0.0.2", "0.0.3")  # before the first `up`
    cluster.drumroll("image", "rm", "rude:0.0.3")
    cluster.up()
    shop.apply(cluster, shop.deployment("shop", "rude:0.0.1", 1, {"app": "shop"}))
    shop.rolled_out(cluster)
    cluster.kubectl("set", "image", "deployment/shop", "shop=rude:0.0.2")
    shop.rolled_out(cluster)
    refused = cluster.drumroll("image", "rm", "rude:0.0.1", check=False)
    assert refused.returncode == 1
    assert "is needed by replicaset default/shop-" in refused.stderr
    cluster.kubectl("delete", "deployment", "shop")
    cluster.until(lambda: not cluster.get("replicasets")["items"], "its revisions are gone")
    cluster.until(lambda: not cluster.get("pods")["items"], "its pods are gone")
    assert "removed rude:0.0.1" in cluster.drumroll("image", "rm", "rude:0.0.1").stdout


def test_pods_start_again_after_down_and_up(cluster: Cluster) -> None:
    shop.open_shop(cluster, "rude", 2)
    before = {pod["metadata"]["uid"] for pod in cluster.get("pods", selector="app=shop")["items"]}
    cluster.drumroll("down")
    cluster.up_again()
    shop.wait_serving(cluster)
    shop.rolled_out(cluster)
    assert {pod["metadata"]["uid"] for pod in cluster.get("pods", selector="app=shop")["items"]} == before
