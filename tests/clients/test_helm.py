"""Helm 4, as a library from PyPI: a chart is installed, upgraded, rolled back and uninstalled, with waiting."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run
from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PACKAGE = "helm-python-sdk==0.2.2"
CACHE = Path.home() / ".cache" / "drumroll-tests" / "helm-0.2.2"
CHART = Path(__file__).with_name("chart")
STEP = Path(__file__).with_name("helm_step.py")


@pytest.fixture(scope="session")
def python() -> Path:
    """A Python with Helm's library, installed once: it is too large for the tests' own environment."""
    found = CACHE / "bin" / "python"
    if run([str(found), "-c", "import helm_python"], check=False, timeout=60).returncode if found.exists() else True:
        run([sys.executable, "-m", "venv", "--clear", str(CACHE)], timeout=120)
        done = run([str(found), "-m", "pip", "install", "-q", PACKAGE], timeout=240, check=False)
        if done.returncode:
            pytest.skip(f"Helm is not to be had: {done.stderr.strip()[-300:]}")
    return found


def test_a_chart_lives(python: Path, cluster: Cluster, namespace: str):
    def helm(step: str, **values: Any) -> Any:
        arguments = [str(cluster.kubeconfig), namespace, str(CHART), step, json.dumps(values)]
        done = run([str(python), str(STEP), *arguments], timeout=180, check=False)
        assert done.returncode == 0, f"{step}: {done.stderr[-4000:]}"
        return json.loads(done.stdout)

    def shop() -> tuple[str, int, str]:
        deployment = cluster.get("deployment", "shop", namespace)
        color = cluster.get("configmap", "shop-settings", namespace)["data"]["color"]
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        return image, deployment["status"].get("availableReplicas", 0), color

    helm("dry-run")
    assert not cluster.kubectl("get", "deploy,svc,secret", "-n", namespace, "-o", "name").strip()
    helm("install")
    assert shop() == ("storefront:0.0.1", 2, "blue")
    helm("upgrade", image="storefront:0.0.2", color="green", replicas=1)
    assert shop() == ("storefront:0.0.2", 1, "green")
    helm("rollback")
    assert shop() == ("storefront:0.0.1", 2, "blue")
    assert helm("history")["revisions"] == 3
    helm("uninstall")
    assert not cluster.kubectl("get", "deploy,svc,secret", "-n", namespace, "-o", "name").strip()
