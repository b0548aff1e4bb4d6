"""A small shop in the default namespace: one Deployment, its Service and an Ingress, with quick probes."""

import json
from typing import Any

from tests.e2e.cluster import ROOT, Cluster
from tests.e2e.samples import self_signed
from tests.e2e.traffic import HOST


def build(cluster: Cluster, program: str, *versions: str) -> None:
    """Build a sample program in several versions."""
    for version in versions:
        cluster.drumroll(
            "image", "build", str(ROOT / "samples"), "-f", str(ROOT / "samples" / program / "Dockerfile"),
            "-t", f"{program}:{version}",
            "--build-arg", f"VERSION={version}",
        )  # fmt: skip


def deployment(name: str, image: str, replicas: int, labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    """A Deployment of a sample program; `spec` overrides fields of its spec."""
    container = {
        "name": "shop",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "admin", "containerPort": 9080}],
        "readinessProbe": {"httpGet": {"path": "/health/ready", "port": "admin"}, "periodSeconds": 1},
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 10},
    }
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels}, "template": template,
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, **spec,
        },
    }  # fmt: skip


def rollout(image: str, replicas: int, labels: dict[str, str], **strategy: Any) -> dict[str, Any]:
    """A Rollout named shop of the pods that `deployment` has."""
    spec = deployment("shop", image, replicas, labels)["spec"]
    kept = {name: spec[name] for name in ("replicas", "selector", "template")}
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop"},
        "spec": {**kept, "strategy": strategy},
    }  # fmt: skip


def service(selector: dict[str, str]) -> dict[str, Any]:
    ports = [{"name": "http", "port": 8080, "targetPort": "http"}]
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
        "spec": {"selector": selector, "ports": ports},
    }  # fmt: skip


def ingress() -> dict[str, Any]:
    backend = {"service": {"name": "shop", "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "shop", "annotations": {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}},
        "spec": {
            "ingressClassName": "nginx", "tls": [{"hosts": [HOST], "secretName": "shop-tls"}],
            "rules": [{"host": HOST, "http": {"paths": paths}}],
        },
    }  # fmt: skip


def apply(cluster: Cluster, *objects: dict[str, Any]) -> None:
    for obj in objects:
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(obj))


def open_shop(cluster: Cluster, program: str, replicas: int, **spec: Any) -> None:
    """Build, apply and wait until the shop serves through the Ingress."""
    build(cluster, program, "0.0.1", "0.0.2", "0.0.3")
    certificate, key = self_signed(cluster.home, HOST)
    cluster.kubectl("create", "secret", "tls", "shop-tls", f"--cert={certificate}", f"--key={key}")
    labels = {"app": "shop", "color": "blue"}
    apply(cluster, deployment("shop", f"{program}:0.0.1", replicas, labels, **spec), service(labels), ingress())
    rolled_out(cluster)
    wait_serving(cluster)


def rolled_out(cluster: Cluster, name: str = "shop") -> None:
    cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")


def wait_serving(cluster: Cluster) -> None:
    """Until the Ingress answers with 200, by name, over HTTP and HTTPS."""
    import http.client
    import ssl
    from urllib.parse import urlsplit

    def answers() -> bool:
        status = cluster.status()
        plain, secure = urlsplit(status["http"]), urlsplit(status["https"])
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            for connection in (
                http.client.HTTPConnection(str(plain.hostname), plain.port, timeout=2),
                http.client.HTTPSConnection(str(secure.hostname), secure.port, timeout=2, context=context),
            ):
                connection.request("GET", "/status", headers={"Host": HOST})
                if connection.getresponse().status != 200:
                    return False
                connection.close()
        except OSError:
            return False
        return True

    cluster.until(answers, "the Ingress serves the shop", 30)
