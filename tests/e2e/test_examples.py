"""The examples, typed as their pages say, on one cluster: canary, header routing, shadow and A/B test."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.commands import run
from tests.e2e import shop
from tests.e2e.cluster import KUBECTL, ROOT, Cluster
from tests.e2e.conftest import container_refusal

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with both versions of the program that the examples use."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    home = Path(tmp_path_factory.mktemp("examples")) / "home"
    made = Cluster(home, "loopback" if container_refusal() else "container")
    try:
        shop.build(made, "relay", "1", "2")
        made.up()
        yield made
    finally:
        with suppress(OSError):
            made.down()


class Browser:
    """Asks the cluster's web port in the name of a host, over one connection."""

    def __init__(self, cluster: Cluster, host: str) -> None:
        place = urlsplit(cluster.status()["http"])
        self._connection = HTTPConnection(str(place.hostname), place.port or 80, timeout=10)
        self._host = host

    def ask(self, **headers: str) -> tuple[dict[str, Any], dict[str, str]]:
        """The answer and its headers. Fails for any status but 200."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", "/", headers={"Host": self._host, **sent})
        response = self._connection.getresponse()
        body = response.read()
        assert response.status == 200, (response.status, body)
        return json.loads(body), {name.lower(): value for name, value in response.getheaders()}

    def versions(self, count: int) -> Counter[str]:
        """Which version answered how often."""
        return Counter(self.ask()[0]["version"] for _ in range(count))


def apply(cluster: Cluster, *names: str) -> None:
    for name in names:
        cluster.kubectl("apply", "-f", str(ROOT / "examples" / name))


def status(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get(kind, name).get("status") or {}
    return found


def phase(cluster: Cluster, kind: str, name: str, wanted: str) -> dict[str, Any]:
    cluster.until(lambda: status(cluster, kind, name).get("phase") == wanted, f"{kind} {name} is {wanted}", seconds=90)
    return status(cluster, kind, name)


def rollout(cluster: Cluster, *arguments: str) -> str:
    command = [sys.executable, "-m", "drumroll.cli.main", "rollout", *arguments]
    return run([*command, "--kubeconfig", str(cluster.kubeconfig)], cwd=ROOT).stdout


def test_a_canary_gets_its_share_and_then_everything(cluster: Cluster) -> None:
    apply(cluster, "canary/shop.yaml")
    phase(cluster, "rollout", "shop", "Healthy")
    browser = Browser(cluster, "shop.drumroll.test")
    cluster.until(lambda: _answers(browser), "the route is served")
    assert browser.versions(50) == {"1": 50}
    rollout(cluster, "set", "image", "shop", "shop=relay:2")
    paused = phase(cluster, "rollout", "shop", "Paused")
    assert paused["canary"]["weights"]["canary"]["weight"] == 10
    assert paused["canary"]["weights"]["verified"] is True
    seen = browser.versions(1000)
    assert 69 <= seen["2"] <= 131, seen  # 10 % of 1,000: 99.9 % of all samples lie within 31 of it
    assert "SetWeight:" in rollout(cluster, "get", "shop")
    rollout(cluster, "promote", "shop")
    phase(cluster, "rollout", "shop", "Healthy")
    assert browser.versions(50) == {"2": 50}


def _answers(browser: Browser) -> bool:
    with suppress(AssertionError):
        browser.ask()
        return True
    return False


def test_a_header_leads_to_the_version_under_test_deep_in_a_chain(cluster: Cluster) -> None:
    apply(cluster, "header-routing/shop.yaml")
    phase(cluster, "rollout", "back", "Healthy")
    cluster.kubectl("rollout", "status", "deployment/front", "--timeout=60s")
    rollout(cluster, "set", "image", "back", "back=relay:2")
    phase(cluster, "rollout", "back", "Paused")
    browser = Browser(cluster, "front.drumroll.test")

    def behind(**headers: str) -> str:
        return str(browser.ask(**headers)[0]["next"]["version"])

    cluster.until(lambda: _answers(browser) and behind(x_version="test") == "2", "the header leads to version 2")
    assert {behind(x_version="test") for _ in range(30)} == {"2"}
    assert {behind() for _ in range(30)} == {"1"}
    assert {behind(x_version="other") for _ in range(30)} == {"1"}
    rules = cluster.get("httproute", "back")["spec"]["rules"]
    own = [rule for rule in rules if rule.get("name") != "test"]
    assert len(own) < len(rules), rules
    cluster.kubectl("patch", "httproute", "back", "--type=merge", "-p", json.dumps({"spec": {"rules": own}}))
    cluster.until(lambda: behind(x_version="test") == "2", "the rule that somebody deleted is back")
    rollout(cluster, "abort", "back")
    cluster.until(lambda: behind(x_version="test") == "1", "the test is over")


def test_a_shadow_is_compared_and_no_user_hears_it(cluster: Cluster) -> None:
    apply(cluster, "shadow/shop.yaml")
    phase(cluster, "rollout", "prices", "Healthy")
    container = "/spec/template/spec/containers/0"
    changes = [("image", "relay:2"), ("env/1/value", "12")]
    patch = [{"op": "replace", "path": f"{container}/{field}", "value": value} for field, value in changes]
    cluster.kubectl("patch", "rollout", "prices", "--type=json", "-p", json.dumps(patch))
    phase(cluster, "rollout", "prices", "Paused")
    apply(cluster, "shadow/comparison.yaml")
    phase(cluster, "comparison", "prices", "Running")
    browser = Browser(cluster, "prices.drumroll.test")
    assert {browser.ask()[0]["price"] for _ in range(40)} == {"10"}
    cluster.until(lambda: status(cluster, "comparison", "prices").get("compared", 0) >= 40, "all are compared")
    found = status(cluster, "comparison", "prices")
    assert (found["compared"], found["differing"]) == (40, 40)
    assert [place["where"] for place in found["places"]] == ["body.price"]
    assert found["examples"][0]["differences"] == [{"where": "body.price", "primary": "10", "shadow": "12"}]


def test_an_ab_test_keeps_users_where_they_are_and_ends_by_itself(cluster: Cluster) -> None:
    apply(cluster, "ab-test/shop.yaml")
    for name in ("button-grey", "button-green"):
        cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    apply(cluster, "ab-test/test.yaml")
    phase(cluster, "abtest", "button", "Running")
    browser = Browser(cluster, "button.drumroll.test")
    cluster.until(lambda: _answers(browser) and "set-cookie" in browser.ask(x_user="0")[1], "users are split")
    first, headers = browser.ask(x_user="1")
    cookie = headers["set-cookie"].split(";")[0]
    assert {browser.ask(x_user="1", cookie=cookie)[0]["name"] for _ in range(20)} == {first["name"]}
    users = iter(range(2, 20_000))

    def more() -> bool:
        for user in (next(users) for _ in range(200)):
            browser.ask(x_user=str(user))
        return status(cluster, "abtest", "button").get("phase") not in ("Running", "Pending")

    cluster.until(more, "the test has ended", seconds=90)
    found = status(cluster, "abtest", "button")
    assert (found["phase"], found["interval"]["low"] > 0, found["pValue"] < 0.05) == ("Success", True, True), found
    cluster.until(lambda: {browser.ask()[0]["name"] for _ in range(20)} == {"green"}, "everybody gets the green one")
