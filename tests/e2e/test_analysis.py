"""The examples of analyses and experiments: bad versions are taken back by what the mesh counts, a good one is kept."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from drumroll.load.ledger import Outcome
from drumroll.load.plan import LoadPlan
from tests.e2e import shop
from tests.e2e.cluster import KUBECTL, ROOT, Cluster
from tests.e2e.conftest import container_refusal
from tests.e2e.traffic import Load, load, targets

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
EXAMPLE = ROOT / "examples" / "analysis"
HASH = "rollouts-pod-template-hash"
TRIAL, TRIAL_HOST = ROOT / "examples" / "experiment" / "trial.yaml", "trial.drumroll.test"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the example applied."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    made = Cluster(
        Path(tmp_path_factory.mktemp("analysis")) / "home", "loopback" if container_refusal() else "container"
    )
    try:
        made.up()
        shop.build(made, "faulty", "1")
        for name in ("templates", "shop"):
            made.kubectl("apply", "-f", str(EXAMPLE / f"{name}.yaml"))
        made.until(lambda: phase(made) == "Healthy", "the first version is healthy")
        yield made
    finally:
        with suppress(OSError):
            made.down()


def status(cluster: Cluster, name: str = "shop") -> dict[str, Any]:
    found: dict[str, Any] = cluster.get("rollout", name).get("status") or {}
    return found


def phase(cluster: Cluster, name: str = "shop") -> str:
    return str(status(cluster, name).get("phase"))


def update(cluster: Cluster, name: str = "shop", **environment: int) -> None:
    """Give the Rollout a version that behaves like this."""
    (container,) = cluster.get("rollout", name)["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": variable, "value": str(value)} for variable, value in environment.items()]
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    before = status(cluster, name)["currentPodHash"]
    cluster.kubectl("patch", "rollout", name, "--type=merge", "-p", json.dumps(patch))
    cluster.until(lambda: status(cluster, name).get("currentPodHash") != before, "the new version is seen")


def taken_back(cluster: Cluster) -> str:
    """The Rollout's message, once the update was aborted and no traffic goes to the new version."""

    def message() -> str:
        now = status(cluster)
        weight = now.get("canary", {}).get("weights", {}).get("canary", {}).get("weight")
        return str(now.get("message")) if now.get("phase") == "Degraded" and not weight else ""

    return str(cluster.until(message, "the update is taken back"))


def exposure(cluster: Cluster) -> tuple[int, int, int]:
    """How many requests met the version that was taken back, of how many, and how many it failed: by its condition."""

    def told() -> str:
        conditions = status(cluster).get("conditions") or ()
        found = next((one for one in conditions if one["type"] == "drumroll.dev/Exposure"), {})
        return str(found.get("message", ""))

    message = str(cluster.until(told, "it is told how many met the bad version"))
    found = re.fullmatch(
        r"About ([\d,]+) of ([\d,]+) requests \(.*%\) met revision \d+; it failed ([\d,]+) of them", message
    )
    assert found, message
    met, every, failed = (int(figure.replace(",", "")) for figure in found.groups())
    return met, every, failed


def test_a_version_with_errors_is_taken_back_and_few_users_meet_it(cluster: Cluster) -> None:
    with load(cluster, websockets=False) as running:
        update(cluster, FAIL_PERCENT=10, DELAY_MS=0)
        message = taken_back(cluster)
        met, every, told = exposure(cluster)
    assert "analysis phase error/failed: Metric" in message
    failed = running.ledger.with_outcome(Outcome.FAILED)
    assert {entry.reason for entry in failed} == {"status_500"}
    assert len(failed) < 0.04 * len(running.ledger.entries)  # a tenth of at most 20 % of the traffic, and margin
    assert met < 0.3 * every
    assert abs(told - len(failed)) <= 3 + 0.2 * len(failed)  # counters are looked at every few seconds
    with load(cluster, websockets=False) as after:
        cluster.until(lambda: phase(cluster) == "Degraded", "it stays so")
    after.assert_nothing_failed()


def test_a_slow_version_is_taken_back_by_the_comparison_with_the_stable_one(cluster: Cluster) -> None:
    with load(cluster, websockets=False) as running:
        update(cluster, FAIL_PERCENT=0, DELAY_MS=200)
        message = taken_back(cluster)
    assert "Background analysis phase error/failed" in message
    assert "quantile of the canary's latency is" in message
    running.assert_nothing_failed()


def test_a_good_version_is_kept(cluster: Cluster) -> None:
    with load(cluster, websockets=False) as running:
        update(cluster, FAIL_PERCENT=0, DELAY_MS=0, EDITION=2)

        def is_promoted() -> bool:
            now = status(cluster)
            return now.get("phase") == "Healthy" and now["stableRS"] == now["currentPodHash"]

        cluster.until(is_promoted, "the good version is promoted", seconds=90)
    running.assert_nothing_failed()
    runs = cluster.get("analysisruns", selector=f"{HASH}={status(cluster)['stableRS']}")["items"]
    assert {run["metadata"]["labels"]["rollout-type"] for run in runs} == {"Step", "Background"}
    assert {run["status"]["phase"] for run in runs} <= {"Successful", "Running"}


def test_an_experiment_has_its_part_of_the_traffic_and_decides_before_the_canary(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", str(TRIAL))
    cluster.until(lambda: phase(cluster, "trial") == "Healthy", "the first version is healthy")
    plain = tuple(target for target in targets(cluster, host=TRIAL_HOST, websockets=False) if not target.tls)
    with Load(LoadPlan(plain, seconds=300), cluster.home) as running:
        update(cluster, "trial", FAIL_PERCENT=20, DELAY_MS=0)

        def shares() -> dict[str, int]:
            (rule,) = cluster.get("httproute", "trial")["spec"]["rules"]
            return {one["name"].rpartition("-")[2]: one["weight"] for one in rule["backendRefs"]}

        wanted = {"stable": 60, "canary": 0, "candidate": 20, "baseline": 20}
        cluster.until(lambda: shares() == wanted, "both get their part")
        cluster.until(lambda: phase(cluster, "trial") == "Degraded", "the experiment fails", seconds=90)
        cluster.until(lambda: shares() == {"stable": 100, "canary": 0}, "the traffic is back")
    assert {entry.reason for entry in running.ledger.with_outcome(Outcome.FAILED)} == {"status_500"}
    assert "of the canary's requests fail" in status(cluster, "trial")["message"]
    replicas = {one["metadata"]["labels"][HASH]: one["spec"]["replicas"] for one in cluster.get("replicasets")["items"]}
    assert replicas[status(cluster, "trial")["currentPodHash"]] == 0
