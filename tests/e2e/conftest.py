"""Fixtures for whole clusters in both isolations."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import KUBECTL, Cluster


def container_refusal() -> str | None:
    """Why container isolation cannot work here; None when it can."""
    from drumroll.assembly.isolation import container_refusal as reason

    return reason()


@pytest.fixture(params=["container", "loopback"])
def isolation(request: pytest.FixtureRequest) -> str:
    if request.param == "container" and (why := container_refusal()):
        pytest.skip(f"no container isolation here: {why}")
    return str(request.param)


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[Callable[[str], Cluster]]:
    """Makes clusters that are taken down at the end of the test."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    made: list[Cluster] = []

    def make(isolation: str) -> Cluster:
        cluster = Cluster(tmp_path / f"home{len(made)}", isolation)
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.down()
        shutil.rmtree(cluster.home, ignore_errors=True)


@pytest.fixture
def cluster(new_cluster: Callable[[str], Cluster], isolation: str) -> Cluster:
    """A running cluster, once per isolation that works here."""
    made = new_cluster(isolation)
    made.up()
    return made
