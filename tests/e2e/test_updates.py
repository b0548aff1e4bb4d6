"""Zero lost requests: every way in which pods come and go, under constant load of every kind of client."""

import os
import signal
import time

import pytest

from drumroll.load.ledger import Outcome, summarize
from tests.e2e import shop
from tests.e2e.cluster import Cluster
from tests.e2e.traffic import load

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize(
    ("program", "replicas"),
    [
        pytest.param("storefront", 4, id="a well-behaved program, four replicas"),
        pytest.param("rude", 4, id="a rude program, four replicas"),
        pytest.param("rude", 1, id="a rude program, one replica"),
    ],
)
def test_updates_lose_no_request(cluster: Cluster, program: str, replicas: int) -> None:
    shop.open_shop(cluster, program, replicas)
    with load(cluster, websockets=program == "storefront") as running:
        cluster.kubectl("set", "image", "deployment/shop", f"shop={program}:0.0.2")
        shop.rolled_out(cluster)
        cluster.kubectl("rollout", "undo", "deployment/shop")
        shop.rolled_out(cluster)
        cluster.kubectl("rollout", "restart", "deployment/shop")
        shop.rolled_out(cluster)
        all_old_pods_gone(cluster, replicas)
    running.assert_nothing_failed()
    assert {"0.0.1", "0.0.2"} <= running.versions


def test_scaling_and_an_update_during_an_update_lose_no_request(cluster: Cluster) -> None:
    shop.open_shop(cluster, "rude", 4)
    with load(cluster, websockets=False) as running:
        for size in ("8", "2", "4"):
            cluster.kubectl("scale", "deployment/shop", f"--replicas={size}")
            shop.rolled_out(cluster)
        cluster.kubectl("set", "image", "deployment/shop", "shop=rude:0.0.2")
        cluster.until(
            lambda: cluster.get("deployment", "shop")["status"].get("updatedReplicas", 0) >= 2, "update in flight"
        )
        cluster.kubectl("set", "image", "deployment/shop", "shop=rude:0.0.3")
        shop.rolled_out(cluster)
        all_old_pods_gone(cluster, 4)
    running.assert_nothing_failed()
    assert {"0.0.1", "0.0.3"} <= running.versions


def test_blue_green_by_hand_loses_no_request(cluster: Cluster) -> None:
    shop.open_shop(cluster, "rude", 2)
    green = {"app": "shop", "color": "green"}
    with load(cluster, websockets=False) as running:
        shop.apply(cluster, shop.deployment("shop-green", "rude:0.0.2", 2, green))
        shop.rolled_out(cluster, "shop-green")
        shop.apply(cluster, shop.service(green))
        cluster.kubectl("delete", "deployment", "shop")
        cluster.until(lambda: len(cluster.get("pods", selector="app=shop")["items"]) == 2, "the blue pods are gone")
    running.assert_nothing_failed()
    assert {"0.0.1", "0.0.2"} <= running.versions
    assert running.ledger.entries[-1].version == "0.0.2"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_control_plane_that_ends_in_the_middle_of_an_update_loses_no_request(cluster: Cluster, number: int) -> None:
    shop.open_shop(cluster, "rude", 4)
    with load(cluster, websockets=False) as running:
        cluster.kubectl("set", "image", "deployment/shop", "shop=rude:0.0.2")
        cluster.until(
            lambda: cluster.get("deployment", "shop")["status"].get("updatedReplicas", 0) >= 2, "update in flight"
        )
        cluster.kill_control_plane(number)
        time.sleep(1)  # the load goes on meanwhile, that is the point
        cluster.up_again()
        shop.rolled_out(cluster)
        all_old_pods_gone(cluster, 4)
    running.assert_nothing_failed()
    assert {"0.0.1", "0.0.2"} <= running.versions


def test_a_killed_envoy_comes_back_by_itself_and_the_report_says_what_was_lost(cluster: Cluster) -> None:
    shop.open_shop(cluster, "storefront", 2)
    before = cluster.part("envoy")["pid"]
    with load(cluster) as running:
        os.kill(before, 9)
        cluster.until(
            lambda: any(part["name"] == "envoy" and part["pid"] != before for part in cluster.status()["parts"]),
            "a new Envoy",
        )
        shop.wait_serving(cluster)
        back = time.time()
        time.sleep(2)
    lost = running.ledger.with_outcome(Outcome.FAILED)
    assert {entry.reason for entry in lost} <= {"refused", "reset", "closed", "truncated", "status_404", "status_503"}
    late = [entry for entry in lost if running.ledger.started + entry.at > back]
    assert not late, late
    summary = summarize(running.ledger)
    assert summary.failed == len(lost)
    assert sum(summary.failures.values()) == len(lost)
    assert "EnvoyDied" in cluster.kubectl("get", "events", "-A")


@pytest.mark.parametrize(
    ("image", "words"),
    [
        pytest.param("missing:1", "ImagePullBackOff", id="the image is missing"),
        pytest.param("crash:1", "CrashLoopBackOff", id="the program crashes"),
        pytest.param("unready:1", "Readiness probe failed", id="readiness never passes"),
    ],
)
def test_a_broken_update_leaves_the_old_version_serving(cluster: Cluster, image: str, words: str) -> None:
    shop.open_shop(cluster, "rude", 2, progressDeadlineSeconds=8)
    broken(cluster)
    with load(cluster, websockets=False) as running:
        cluster.kubectl("set", "image", "deployment/shop", f"shop={image}")
        status = cluster.try_kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
        assert status.returncode == 1
        assert 'deployment "shop" exceeded its progress deadline' in status.stderr
        cluster.until(lambda: words in described(cluster), f"describe shows {words}", 30)
        cluster.kubectl("rollout", "undo", "deployment/shop")
        shop.rolled_out(cluster)
        all_old_pods_gone(cluster, 2)
    running.assert_nothing_failed()
    assert running.versions == {"0.0.1"}


def test_recreate_counts_what_it_loses(cluster: Cluster) -> None:
    shop.open_shop(cluster, "rude", 2, strategy={"type": "Recreate"})
    with load(cluster, websockets=False) as running:
        cluster.kubectl("set", "image", "deployment/shop", "shop=rude:0.0.2")
        shop.rolled_out(cluster)
        shop.wait_serving(cluster)
    assert {"0.0.1", "0.0.2"} <= running.versions
    kept = {entry.reason for entry in running.ledger.with_outcome(Outcome.FAILED)}
    assert kept <= {"status_503", "refused", "reset", "closed"}


def broken(cluster: Cluster) -> None:
    """Images that crash and that never get ready."""
    for name, entrypoint in (("crash", '["/bin/sh", "-c", "exit 3"]'), ("unready", '["/bin/sleep", "1000"]')):
        folder = cluster.home / name
        folder.mkdir()
        (folder / "Dockerfile").write_text(f"FROM host\nENTRYPOINT {entrypoint}\n")
        cluster.drumroll("image", "build", str(folder), "-t", f"{name}:1")


def described(cluster: Cluster) -> str:
    """What a person sees who asks why."""
    return cluster.kubectl("get", "pods") + cluster.kubectl("describe", "pods", "-l", "app=shop")


def all_old_pods_gone(cluster: Cluster, replicas: int) -> None:
    """The end of an update is when the last old pod has gone, not when the new ones are ready."""
    cluster.until(lambda: len(cluster.get("pods", selector="app=shop")["items"]) == replicas, "old pods gone", 60)
