"""The example of blue/green: the switch loses nothing, and what crashes after it is taken back at once."""

import http.client
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from drumroll.load.ledger import Outcome
from tests.commands import run
from tests.e2e import shop
from tests.e2e.cluster import KUBECTL, ROOT, Cluster
from tests.e2e.conftest import container_refusal
from tests.e2e.traffic import load

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
EXAMPLE = ROOT / "examples" / "blue-green"
PREVIEW = "preview.shop.drumroll.test"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the example applied."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    made = Cluster(
        Path(tmp_path_factory.mktemp("blue-green")) / "home", "loopback" if container_refusal() else "container"
    )
    try:
        made.up()
        shop.build(made, "faulty", "1", "2")
        made.kubectl("apply", "-f", str(EXAMPLE / "shop.yaml"))
        made.until(lambda: status(made).get("phase") == "Healthy", "the first version is healthy")
        shop.wait_serving(made)
        yield made
    finally:
        with suppress(OSError):
            made.down()


def status(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get("rollout", "shop").get("status") or {}
    return found


def rollout(cluster: Cluster, verb: str) -> None:
    """`drumroll rollout VERB shop`."""
    command = [sys.executable, "-m", "drumroll.cli.main", "rollout", verb, "shop"]
    run([*command, "--kubeconfig", str(cluster.kubeconfig)], cwd=ROOT)


def update(cluster: Cluster, image: str, crash_after: int = 0) -> None:
    """Give the Rollout a version, and wait until it is there to be looked at."""
    (container,) = cluster.get("rollout", "shop")["spec"]["template"]["spec"]["containers"]
    container |= {"image": image, "env": [{"name": "CRASH_AFTER", "value": str(crash_after)}]}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    cluster.kubectl("patch", "rollout", "shop", "--type=merge", "-p", json.dumps(patch))
    cluster.until(lambda: status(cluster).get("message") == "BlueGreenPause", "the new version waits for us")


def version(cluster: Cluster, host: str) -> str:
    """The version that answers under a name; empty when none does."""
    address = urlsplit(cluster.status()["http"])
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
    connection.request("GET", "/status", headers={"Host": host})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return str(json.loads(body)["version"]) if answer.status == 200 else ""


def test_the_switch_loses_no_request_and_the_new_version_is_seen_before(cluster: Cluster) -> None:
    with load(cluster, websockets=False) as running:
        update(cluster, "faulty:2")
        cluster.until(lambda: version(cluster, PREVIEW) == "2", "the preview shows the new version")
        assert version(cluster, "shop.drumroll.test") == "1"
        rollout(cluster, "promote")
        cluster.kill_control_plane()  # wherever it is: what goes on later follows from what is stored
        cluster.up_again()
        cluster.until(lambda: status(cluster).get("phase") == "Healthy", "it is promoted", 90)
    running.assert_nothing_failed()
    assert running.versions == {"1", "2"}
    assert running.ledger.entries[-1].version == "2"


def test_a_version_that_crashes_after_the_switch_is_taken_back(
    cluster: Cluster, record_property: Callable[[str, object], None]
) -> None:
    update(cluster, "faulty:1", crash_after=20)
    with load(cluster, websockets=False) as running:
        rollout(cluster, "promote")
        cluster.until(lambda: status(cluster).get("phase") == "Degraded", "it is taken back")
        cluster.until(lambda: version(cluster, "shop.drumroll.test") == "2", "users are back")
        returned = running.elapsed()
        cluster.until(lambda: running.elapsed() > returned + 1, "users go on")
    failed, everybody = running.ledger.with_outcome(Outcome.FAILED), running.ledger.entries
    met = sum(1 for entry in everybody if entry.version == "1") + len(failed)
    lasted = failed[-1].at - failed[0].at
    record_property("met the bad version", f"{met} of {len(everybody)}; {len(failed)} failed, for {lasted:.2f} s")
    assert failed[-1].at < returned
    assert everybody[-1].version == "2"
    assert met < 40 + 220 * 10  # what its two pods answer before they crash, and ten seconds at most of the load
    with load(cluster, websockets=False) as after:
        assert "RolloutAborted" in status(cluster)["message"]
        rollout(cluster, "undo")
        cluster.until(lambda: status(cluster).get("phase") == "Healthy", "the manifest is back too")
    after.assert_nothing_failed()
    assert after.versions == {"2"}
