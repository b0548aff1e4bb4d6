"""The official JavaScript client, from npm."""

import json
import shutil
from pathlib import Path

import pytest

from tests.clients.story import check_gone, shop
from tests.commands import run
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
        done = run(command, timeout=240, check=False)
        if done.returncode:
            pytest.skip(f"the JavaScript client is not to be had: {done.stderr.strip()[-300:]}")
    return CACHE


def test_the_javascript_client_tells_the_story(modules: Path, cluster: Cluster, namespace: str, has_exec: bool):
    arguments = [str(cluster.kubeconfig), namespace, json.dumps(shop()), "exec" if has_exec else ""]
    command = ["node", str(STORY), str(modules), *arguments]
    done = run(command, timeout=240, check=False, environment={"NODE_NO_WARNINGS": "1"})
    assert (done.returncode, done.stdout.strip()) == (0, "told"), done.stderr[-4000:]
    check_gone(cluster, namespace)
