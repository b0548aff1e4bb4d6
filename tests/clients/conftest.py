"""One cluster for all clients of a test process, and a namespace of its own for each story."""

import shutil
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import KUBECTL, Cluster
from tests.e2e.shop import build


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster in loopback isolation with two versions of the storefront."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    made = Cluster(tmp_path_factory.mktemp("clients") / "home", "loopback")
    try:
        build(made, "storefront", "0.0.1", "0.0.2")
        made.up()
        yield made
    finally:
        made.down()
        shutil.rmtree(made.home, ignore_errors=True)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A new namespace; it is deleted afterwards, without waiting."""
    name = f"story-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found", check=False)


@pytest.fixture
def has_exec(cluster: Cluster) -> bool:
    """Whether discovery names pods/exec."""
    return '"pods/exec"' in cluster.kubectl("get", "--raw", "/api/v1")
