"""kubectl as it is, in the version at hand and in Debian's of 2020."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.story import EXEC, LABELS, NAME, NEW, OLD, SELECTOR, check_gone, images_that_run, shop
from tests.commands import run
from tests.e2e.cluster import KUBECTL, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.kubectl]
CACHE = Path.home() / ".cache" / "drumroll-tests" / "kubectl-debian"
DEBIAN = "kubernetes-client"
Kubectl = Callable[..., str]


def debian_kubectl() -> Path:
    """Debian's kubectl, from its package; fetched once into a cache folder. Skips with the reason when it cannot be."""
    binary = CACHE / "usr" / "bin" / "kubectl"
    if binary.exists():
        return binary
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        pytest.skip("no apt-get and dpkg here: Debian's kubectl is not to be had")
    CACHE.mkdir(parents=True, exist_ok=True)
    fetch = subprocess.run(
        ["apt-get", "download", DEBIAN], cwd=CACHE, capture_output=True, text=True, timeout=120, check=False
    )
    packages = sorted(CACHE.glob(f"{DEBIAN}_*.deb"))
    if fetch.returncode or not packages:
        pytest.skip(f"Debian's kubectl is not to be had: {fetch.stderr.strip()[-300:]}")
    subprocess.run(["dpkg", "-x", str(packages[-1]), str(CACHE)], check=True, timeout=60, capture_output=True)
    return binary


@pytest.fixture(params=["at hand", "debian"])
def kubectl(request: pytest.FixtureRequest, cluster: Cluster, namespace: str) -> Kubectl:
    """Runs one kubectl in the story's namespace."""
    binary = str(KUBECTL) if request.param == "at hand" else str(debian_kubectl())
    home = cluster.home / request.param.replace(" ", "-")
    home.mkdir(exist_ok=True)

    def typed(*arguments: str, stdin: str = "") -> str:
        command = [binary, "--kubeconfig", str(cluster.kubeconfig), "-n", namespace, *arguments]
        return run(command, environment={"HOME": str(home)}, stdin=stdin).stdout

    return typed


def test_a_person_updates_a_shop(kubectl: Kubectl, cluster: Cluster, namespace: str, has_exec: bool):
    assert "created" in kubectl("apply", "-f", "-", stdin=json.dumps(shop()))
    assert "successfully rolled out" in kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=90s")
    kubectl("patch", "deployment", NAME, "-p", json.dumps({"metadata": {"annotations": {"told": "yes"}}}))
    kubectl("set", "image", f"deployment/{NAME}", f"{NAME}={NEW}")
    assert "successfully rolled out" in kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=90s")
    assert images_that_run(cluster, namespace) == {NEW}
    assert kubectl("logs", f"deployment/{NAME}", "--tail=5").strip()
    if has_exec:
        pod = kubectl("get", "pods", "-l", SELECTOR, "-o", "jsonpath={.items[0].metadata.name}")
        assert kubectl("exec", pod, "--", *EXEC) == "heard\n"
    assert "REVISION" in kubectl("rollout", "history", f"deployment/{NAME}")
    assert "rolled back" in kubectl("rollout", "undo", f"deployment/{NAME}")
    kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=90s")
    assert images_that_run(cluster, namespace) == {OLD}
    assert f"deployment.apps/{NAME}" in kubectl("get", "all")
    assert "StrategyType" in kubectl("describe", "deployment", NAME)
    kubectl("delete", "deployment", NAME)
    check_gone(cluster, namespace)


def test_a_person_lists_what_the_cluster_knows(kubectl: Kubectl):
    listed = kubectl("api-resources", "--no-headers")
    for resource in ("statefulsets", "daemonsets", "cronjobs", "poddisruptionbudgets", "resourcequotas", "limitranges"):
        assert resource in listed
    assert "apps/v1" in kubectl("api-versions").split()
    assert "FIELDS" in kubectl("explain", "deployment.spec.strategy").upper()


def cron_job(name: str) -> dict[str, Any]:
    """A cron job that never runs soon."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": OLD}]}
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def budget(name: str) -> dict[str, Any]:
    """A budget for the shop's pods."""
    spec = {"minAvailable": 1, "selector": {"matchLabels": LABELS}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}


def test_a_person_creates_each_kind_of_workload(kubectl: Kubectl):
    kubectl("create", "deployment", "a", f"--image={OLD}", "--dry-run=server")
    kubectl("create", "job", "b", f"--image={OLD}")
    kubectl("create", "quota", "d", "--hard=configmaps=5")
    kubectl("create", "priorityclass", "e", "--value=7", "--dry-run=server")
    # Debian's kubectl makes these in versions of the API that no stock server has any more; applying works.
    for obj in (cron_job("c"), budget("f")):
        kubectl("apply", "-f", "-", stdin=json.dumps(obj))
    shown = kubectl("get", "all,quota,pdb")
    for name in ("job.batch/b", "cronjob.batch/c", "resourcequota/d", "poddisruptionbudget.policy/f"):
        assert name in shown


def test_a_person_applies_a_kustomization(kubectl: Kubectl, tmp_path: Path):
    (tmp_path / "shop.yaml").write_text(json.dumps(shop()))
    kustomization = {"resources": ["shop.yaml"], "namePrefix": "big-", "commonLabels": {"tier": "front"}}
    (tmp_path / "kustomization.yaml").write_text(json.dumps(kustomization))
    assert "name: big-shop" in kubectl("kustomize", str(tmp_path))
    assert "deployment.apps/big-shop created" in kubectl("apply", "-k", str(tmp_path))
    kubectl("rollout", "status", "deployment/big-shop", "--timeout=90s")
    assert kubectl("get", "deployments", "-l", "tier=front", "-o", "name").strip() == "deployment.apps/big-shop"
    kubectl("delete", "-k", str(tmp_path))
