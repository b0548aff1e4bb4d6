"""`drumroll controller` beside an API server that runs no Rollouts of its own: two of it, of which one dies."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import KUBECTL, ROOT, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
TIMES = ("lease-duration=3", "renew-deadline=2", "retry-period=0.5")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server and its controllers, without nodes."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    made = Cluster(Path(tmp_path_factory.mktemp("controller")) / "home", "loopback")
    try:
        made.up("--parts", "apiserver,controllers", "--bare")
        yield made
    finally:
        with suppress(OSError):
            made.down()


def start(cluster: Cluster, log: Path) -> "subprocess.Popen[bytes]":
    times = [f"--leader-elect-{time}" for time in TIMES]
    command = [sys.executable, "-m", "drumroll.cli.main", "controller", "--kubeconfig", str(cluster.kubeconfig), *times]
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT)


def leader(cluster: Cluster) -> str:
    answer = cluster.try_kubectl("get", "lease", "drumroll-controller", "-n", "drumroll-system", "-o", "json")
    return str(json.loads(answer.stdout)["spec"].get("holderIdentity") or "") if answer.returncode == 0 else ""


def rollout(image: str) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template,
                 "strategy": {"canary": {"steps": [{"setWeight": 50}]}}},
    }  # fmt: skip


def is_at(cluster: Cluster, revision: str) -> bool:
    found = cluster.get("rollout", "web")
    status, notes = found.get("status") or {}, found["metadata"].get("annotations") or {}
    is_stable = status.get("stableRS") and status["stableRS"] == status.get("currentPodHash")
    return bool(is_stable and status["phase"] == "Healthy" and notes.get("rollout.argoproj.io/revision") == revision)


def test_two_controllers_on_somebody_elses_cluster_and_one_dies(cluster: Cluster) -> None:
    logs = [cluster.home / name for name in ("first.log", "second.log")]
    early = start(cluster, logs[0])
    assert early.wait(60) == 1
    assert "does not know rollouts.argoproj.io" in logs[0].read_text()
    cluster.kubectl("apply", "--server-side", "-f", str(ROOT / "deploy" / "crds.yaml"))
    cluster.kubectl("apply", "-f", str(ROOT / "deploy" / "drumroll.yaml"))
    first = start(cluster, logs[0])
    second = None
    try:
        holder = cluster.until(lambda: leader(cluster), "the first one leads")
        second = start(cluster, logs[1])
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(rollout("v1")))
        cluster.until(lambda: is_at(cluster, "1"), "the first revision is stable")
        os.kill(first.pid, signal.SIGKILL)
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(rollout("v2")))
        cluster.until(lambda: is_at(cluster, "2"), "the second controller goes on")
        assert leader(cluster) not in ("", holder)
        second.terminate()
        assert second.wait(30) == 0
        assert leader(cluster) == ""
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait(30)
