"""Blue/green without a second between the switch and the end of the old pods: Envoy's word is what they wait for."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from drumroll.load.ledger import Outcome
from drumroll.load.plan import LoadPlan
from tests.e2e import shop
from tests.e2e.cluster import Cluster
from tests.e2e.samples import self_signed
from tests.e2e.test_blue_green import status
from tests.e2e.traffic import HOST, Load, targets

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LABELS = {"app": "shop"}
SWITCHES = int(os.environ.get("DRUMROLL_SWITCHES", "4"))


def rollout(program: str) -> dict[str, Any]:
    return shop.rollout(f"{program}:0.0.1", 2, LABELS, blueGreen={"activeService": "shop", "scaleDownDelaySeconds": 0})


def opened(cluster: Cluster, program: str) -> None:
    shop.build(cluster, program, "0.0.1", "0.0.2")
    certificate, key = self_signed(cluster.home, HOST)
    cluster.kubectl("create", "secret", "tls", "shop-tls", f"--cert={certificate}", f"--key={key}")
    shop.apply(cluster, rollout(program), shop.service(LABELS), shop.ingress())
    shop.wait_serving(cluster)
    cluster.until(lambda: status(cluster).get("phase") == "Healthy", "the first version is healthy")


def switch(cluster: Cluster, image: str, between: Callable[[], None] | None = None) -> None:
    """Give the Rollout a version, and wait until only its pods are there."""
    before = status(cluster)["stableRS"]
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
    cluster.kubectl("patch", "rollout", "shop", "--type=json", "-p", json.dumps(patch))
    if between is not None:
        between()
    cluster.until(lambda: status(cluster)["stableRS"] != before, "it is the stable version", 90)
    cluster.until(lambda: len(cluster.get("pods", selector="app=shop")["items"]) == 2, "the old pods are gone", 60)


def test_switches_at_once_lose_no_request(cluster: Cluster, record_property: Callable[[str, object], None]) -> None:
    opened(cluster, "rude")
    with Load(LoadPlan(targets(cluster, websockets=False), seconds=900), cluster.home) as running:
        for number in range(SWITCHES):
            switch(cluster, f"rude:0.0.{2 - number % 2}")
    failed, everybody = running.ledger.with_outcome(Outcome.FAILED), running.ledger.entries
    record_property("switches", f"{len(failed)} of {len(everybody)} failed in {SWITCHES} switches")
    running.assert_nothing_failed()
    assert running.versions == {"0.0.1", "0.0.2"}
