"""A canary whose two Services take turns, under load and without a second between promotion and the old pods' end."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import shop
from tests.e2e.cluster import KUBECTL, Cluster
from tests.e2e.conftest import container_refusal
from tests.e2e.test_canary import is_promoted, load, status, update

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LABELS = {"app": "shop"}
NAMES = ("shop-ping", "shop-pong")


def rollout() -> dict[str, Any]:
    canary = {
        "pingPong": {"pingService": "shop-ping", "pongService": "shop-pong"}, "scaleDownDelaySeconds": 0,
        "trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop"}}},
        "steps": [{"setWeight": 20}, {"setWeight": 60}],
    }  # fmt: skip
    return shop.rollout("rude:1", 2, LABELS, canary=canary)


def front() -> list[dict[str, Any]]:
    """A Gateway, and a route with both Services."""
    api = "gateway.networking.k8s.io/v1"
    listeners = [{"name": "http", "protocol": "HTTP", "port": 80}]
    backends = [{"name": name, "port": 8080} for name in NAMES]
    parents, hosts = [{"name": "front"}], ["shop.drumroll.test"]
    return [
        {
            "apiVersion": api, "kind": "Gateway", "metadata": {"name": "front"},
            "spec": {"gatewayClassName": "drumroll", "listeners": listeners},
        },
        {
            "apiVersion": api, "kind": "HTTPRoute", "metadata": {"name": "shop"},
            "spec": {"parentRefs": parents, "hostnames": hosts, "rules": [{"backendRefs": backends}]},
        },
        *({**shop.service(LABELS), "metadata": {"name": name}} for name in NAMES),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the shop in it."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    made = Cluster(Path(tmp_path_factory.mktemp("turns")) / "home", "loopback" if container_refusal() else "container")
    try:
        made.up()
        shop.build(made, "rude", "1", "2")
        shop.apply(made, *front(), rollout())
        made.until(lambda: is_promoted(made), "the first version is healthy")
        yield made
    finally:
        with suppress(OSError):
            made.down()


def test_services_that_take_turns_lose_no_request(cluster: Cluster) -> None:
    assert status(cluster)["canary"]["stablePingPong"] == "ping"
    with load(cluster) as running:
        for image, stable in (("rude:2", "pong"), ("rude:1", "ping"), ("rude:2", "pong")):
            update(cluster, image)
            cluster.until(lambda: is_promoted(cluster), "the new version is promoted", 90)
            assert status(cluster)["canary"]["stablePingPong"] == stable
            cluster.until(lambda: len(cluster.get("pods", selector="app=shop")["items"]) == 2, "old pods gone")
    running.assert_nothing_failed()
    assert running.versions == {"1", "2"}
