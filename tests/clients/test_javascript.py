"""The official JavaScript client, from npm."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.story import check_gone, shop
from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PACKAGE = "@kubernetes/client-node@^1"
CACHE = Path.home() / ".cache" / "drumroll-tests" / "javascript"
STORY = Path(__file__).with_name("story.mjs")


@pytest.fixture(scope="session")
def modules() -> Path:
    """A folder with the client in it, fetched once. Skips with the reason when it cannot be."""
    npm = shutil.which("npm")
    if not (npm and shutil.which("node")):
        pytest.skip("node and npm are not installed")
    if not (CACHE / "node_modules" / "@kubernetes" / "client-node" / "package.json").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(CACHE), PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"the JavaScript client is not to be had: {done.stderr.strip()[-300:]}")
    return CACHE


def test_the_javascript_client_tells_the_story(modules: Path, cluster: Cluster, namespace: str, has_exec: bool):
    arguments = [str(cluster.kubeconfig), namespace, json.dumps(shop()), "exec" if has_exec else ""]
    done = subprocess.run(
        ["node", str(STORY), str(modules), *arguments], capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "told"), done.stderr[-4000:]
    check_gone(cluster, namespace)
