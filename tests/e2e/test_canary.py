"""The example of a canary: real programs behind a Gateway, under load, with a control plane that dies meanwhile."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from drumroll.load.ledger import Outcome
from drumroll.load.plan import LoadPlan
from tests.e2e import shop
from tests.e2e.cluster import KUBECTL, ROOT, Cluster
from tests.e2e.conftest import container_refusal
from tests.e2e.traffic import Load, targets

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
EXAMPLE = ROOT / "examples" / "canary-testers" / "shop.yaml"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the example applied."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    made = Cluster(Path(tmp_path_factory.mktemp("canary")) / "home", "loopback" if container_refusal() else "container")
    try:
        made.up()
        shop.build(made, "faulty", "1", "2", "3")
        made.kubectl("apply", "-f", str(EXAMPLE))
        made.until(lambda: status(made).get("phase") == "Healthy", "the first version is healthy")
        yield made
    finally:
        with suppress(OSError):
            made.down()


@contextmanager
def load(cluster: Cluster) -> Iterator[Load]:
    """New and kept connections to the Gateway."""
    plain = tuple(target for target in targets(cluster, websockets=False) if not target.tls)
    with Load(LoadPlan(plain, seconds=300), cluster.home) as running:
        yield running


def status(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get("rollout", "shop").get("status") or {}
    return found


def weight(cluster: Cluster) -> int:
    """The canary's weight, once it is in force; -1 before."""
    weights = (status(cluster).get("canary") or {}).get("weights") or {}
    return int(weights["canary"]["weight"]) if weights.get("verified") else -1


def update(cluster: Cluster, image: str, **environment: int) -> None:
    """Give the Rollout another version."""
    (container,) = cluster.get("rollout", "shop")["spec"]["template"]["spec"]["containers"]
    container |= {"image": image, "env": [{"name": name, "value": str(value)} for name, value in environment.items()]}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    before = status(cluster)["currentPodHash"]
    cluster.kubectl("patch", "rollout", "shop", "--type=merge", "-p", json.dumps(patch))
    cluster.until(lambda: status(cluster).get("currentPodHash") != before, "the new version is seen")


def promote(cluster: Cluster) -> None:
    cluster.kubectl("patch", "rollout", "shop", "--subresource=status", "--type=merge", "-p",
                    '{"status": {"pauseConditions": null}}')  # fmt: skip


def pauses(cluster: Cluster) -> None:
    cluster.until(lambda: status(cluster).get("phase") == "Paused" and weight(cluster) == 20, "it waits at 20 %")


def is_promoted(cluster: Cluster) -> bool:
    now = status(cluster)
    is_stable = now.get("phase") == "Healthy" and now["stableRS"] == now["currentPodHash"]
    return is_stable and weight(cluster) == 0


def ask(cluster: Cluster, **headers: str) -> str:
    """The version that answers one request."""
    request = urllib.request.Request(
        f"{cluster.status()['http']}/status", headers={"Host": "shop.drumroll.test", **headers}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["version"])


def test_a_canary_gets_its_share_and_its_testers_and_loses_no_request(cluster: Cluster) -> None:
    with load(cluster) as running:
        update(cluster, "faulty:2")
        pauses(cluster)
        began = time.time()
        assert {ask(cluster, **{"x-version": "canary"}) for _ in range(10)} == {"2"}
        cluster.until(lambda: time.time() > began + 4, "some seconds of 20 %")
        ended = time.time()
        promote(cluster)
        cluster.until(lambda: is_promoted(cluster), "the new version is promoted", 90)
    running.assert_nothing_failed()
    counted = [entry for entry in running.ledger.entries if began < running.ledger.started + entry.at < ended]
    new = sum(1 for entry in counted if entry.version == "2")
    margin = 3.3 * (0.2 * 0.8 * len(counted)) ** 0.5  # 99.9 %
    assert abs(new - 0.2 * len(counted)) <= margin, (new, len(counted))


def test_a_control_plane_that_dies_in_the_middle_costs_nothing(cluster: Cluster) -> None:
    with load(cluster) as running:
        update(cluster, "faulty:3")
        cluster.kill_control_plane()
        cluster.up_again()
        pauses(cluster)
        cluster.kill_control_plane()
        cluster.up_again()
        promote(cluster)
        cluster.until(lambda: is_promoted(cluster), "the new version is promoted", 90)
    running.assert_nothing_failed()
    assert running.versions >= {"2", "3"} or running.versions >= {"1", "3"}


def test_a_canary_that_crashes_is_taken_back(cluster: Cluster) -> None:
    cluster.until(lambda: is_promoted(cluster), "the version before is stable", 90)
    with load(cluster) as running:
        update(cluster, "faulty:2", CRASH_AFTER=20)
        cluster.until(
            lambda: status(cluster).get("phase") == "Degraded" and weight(cluster) == 0, "it is taken back", 90
        )
        back = time.time()
        message = status(cluster)["message"]
        cluster.until(lambda: time.time() > back + 2, "some seconds of calm")
    assert "keeps crashing" in message, message
    failed = running.ledger.with_outcome(Outcome.FAILED)
    assert len(failed) < 0.05 * len(running.ledger.entries), (len(failed), len(running.ledger.entries))
    late = [entry for entry in failed if running.ledger.started + entry.at > back + 0.5]
    assert not late, late[:5]
