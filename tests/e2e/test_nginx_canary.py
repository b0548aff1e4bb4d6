"""A canary by the annotations of ingress-nginx, under load: its weights are in force before pods go."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import shop
from tests.e2e.cluster import KUBECTL, Cluster
from tests.e2e.conftest import container_refusal
from tests.e2e.test_canary import is_promoted, promote, status, update
from tests.e2e.traffic import HOST, load

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LABELS = {"app": "shop"}


def ingress() -> dict[str, Any]:
    """The shop's Ingress, to the Service of the stable pods, without TLS."""
    made = shop.ingress()
    backend = {"service": {"name": "shop-stable", "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return {**made, "spec": {"ingressClassName": "nginx", "rules": [{"host": HOST, "http": {"paths": paths}}]}}


def rollout() -> dict[str, Any]:
    """Three pods, and not one second between the end of an update and the end of the old pods."""
    canary = {
        "canaryService": "shop-canary", "stableService": "shop-stable", "scaleDownDelaySeconds": 0,
        "trafficRouting": {"nginx": {"stableIngress": "shop"}},
        "steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}],
    }  # fmt: skip
    return shop.rollout("faulty:1", 3, LABELS, canary=canary)


def services() -> list[dict[str, Any]]:
    made = shop.service(LABELS)
    return [{**made, "metadata": {"name": name}} for name in ("shop-stable", "shop-canary")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the shop in it."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    made = Cluster(Path(tmp_path_factory.mktemp("nginx")) / "home", "loopback" if container_refusal() else "container")
    try:
        made.up()
        shop.build(made, "faulty", "1", "2")
        shop.apply(made, *services(), ingress(), rollout())
        made.until(lambda: status(made).get("phase") == "Healthy", "the first version is healthy")
        yield made
    finally:
        with suppress(OSError):
            made.down()


def test_an_update_and_its_undo_lose_no_request(cluster: Cluster) -> None:
    cluster.until(lambda: is_promoted(cluster), "the proxy has acknowledged the Ingress")
    with load(cluster, websockets=False) as running:
        for image in ("faulty:2", "faulty:1"):
            update(cluster, image)
            cluster.until(lambda: status(cluster).get("phase") == "Paused", "it waits at 20 %")
            promote(cluster)
            cluster.until(lambda: is_promoted(cluster), "the new version is promoted", 90)
    running.assert_nothing_failed()
    assert running.versions == {"1", "2"}


def test_what_is_acknowledged_is_no_difference_to_the_manifest(cluster: Cluster) -> None:
    notes = cluster.get("ingress", "shop")["metadata"]["annotations"]
    assert json.loads(notes["drumroll.dev/Acknowledged"])["canaries"] == ["default/shop-shop-canary"]
    manifest = json.dumps(ingress())
    for options in ([], ["--server-side"]):
        assert cluster.try_kubectl("diff", *options, "-f", "-", stdin=manifest).stdout == ""
        cluster.kubectl("apply", *options, "-f", "-", stdin=manifest)
    assert cluster.get("ingress", "shop")["metadata"]["annotations"]["drumroll.dev/Acknowledged"]
