"""A Service's callers in another namespace, real pods: their own route is for them alone."""

from typing import Any

import pytest

from tests.e2e import shop
from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ASK = "import urllib.request as r; print(r.urlopen('http://shop.default:8080/status', timeout=5).read().decode())"


def pod(name: str, namespace: str, image: str) -> dict[str, Any]:
    made = shop.deployment(name, image, 1, {"app": name})
    return {**made, "metadata": {"name": name, "namespace": namespace}}


def route() -> dict[str, Any]:
    spec = {
        "parentRefs": [{"group": "", "kind": "Service", "name": "shop", "namespace": "default"}],
        "rules": [{"backendRefs": [{"name": "green", "namespace": "default", "port": 8080}]}],
    }
    head = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    return {**head, "metadata": {"name": "ours", "namespace": "b"}, "spec": spec}


def conditions(cluster: Cluster) -> dict[str, tuple[str, str]]:
    parents = cluster.get("httproute", "ours", "b").get("status", {}).get("parents", [])
    return {one["type"]: (one["status"], one["reason"]) for parent in parents for one in parent["conditions"]}


def test_each_namespace_gets_its_own(cluster: Cluster, isolation: str) -> None:
    cluster.kubectl("create", "namespace", "b")
    shop.build(cluster, "rude", "1", "2")
    shop.apply(
        cluster, pod("shop", "default", "rude:1"), pod("green", "default", "rude:2"), pod("caller", "b", "rude:1")
    )
    shop.apply(
        cluster, shop.service({"app": "shop"}), {**shop.service({"app": "green"}), "metadata": {"name": "green"}}
    )
    shop.apply(cluster, route())
    for name, namespace in (("shop", "default"), ("green", "default"), ("caller", "b")):
        cluster.kubectl("rollout", "status", f"deployment/{name}", "-n", namespace, "--timeout=120s")
    if isolation == "loopback":
        cluster.until(lambda: conditions(cluster).get("Accepted") == ("False", "UnsupportedValue"), "it is refused")
        return
    cluster.until(lambda: conditions(cluster).get("drumroll.dev/Acknowledged", ("",))[0] == "True", "it is served")
    for name, namespace, version in (("caller", "b", "2"), ("shop", "default", "1")):
        said = cluster.kubectl("exec", f"deployment/{name}", "-n", namespace, "--", "python3", "-c", ASK)
        assert f'"version":"{version}"' in said
