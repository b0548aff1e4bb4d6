"""The official Python client, in its three forms."""

import time

import kubernetes
import pytest
from kubernetes import client, watch
from kubernetes.dynamic import DynamicClient
from kubernetes.stream import stream

from tests.clients.story import (
    EXEC,
    NAME,
    NEW,
    OLD,
    SECONDS,
    SELECTOR,
    check_gone,
    image_patch,
    images_that_run,
    is_rolled_out,
    shop,
)
from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def api(cluster: Cluster):
    """A client from the cluster's kubeconfig."""
    with kubernetes.config.new_client_from_config(str(cluster.kubeconfig)) as made:
        yield made


def until_rolled_out(api: client.ApiClient, namespace: str, image: str) -> None:
    """Watch the Deployment until it has rolled out."""
    apps, watcher, deadline = client.AppsV1Api(api), watch.Watch(), time.monotonic() + SECONDS
    for event in watcher.stream(
        apps.list_namespaced_deployment, namespace, field_selector=f"metadata.name={NAME}", timeout_seconds=SECONDS
    ):
        if is_rolled_out(event["raw_object"], image):
            watcher.stop()
            return
        assert time.monotonic() < deadline
    raise AssertionError(f"{image} did not roll out within {SECONDS} s")


def test_typed_client_tells_the_story(api, cluster: Cluster, namespace: str, has_exec: bool):
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    created = apps.create_namespaced_deployment(namespace, shop())
    assert created.metadata.generation == 1
    until_rolled_out(api, namespace, OLD)
    before = apps.read_namespaced_deployment(NAME, namespace)
    apps.patch_namespaced_deployment(NAME, namespace, image_patch(NEW))
    until_rolled_out(api, namespace, NEW)
    assert images_that_run(cluster, namespace) == {NEW}
    pod = core.list_namespaced_pod(namespace, label_selector=SELECTOR).items[0].metadata.name
    assert core.read_namespaced_pod_log(pod, namespace, tail_lines=5).strip()
    lines = core.read_namespaced_pod_log(pod, namespace, follow=True, _preload_content=False)
    assert next(iter(lines.stream(64)))
    lines.close()
    if has_exec:
        said = stream(core.connect_get_namespaced_pod_exec, pod, namespace, command=EXEC, stdout=True, stderr=True)
        assert said == "heard\n"
    scale = apps.read_namespaced_deployment_scale(NAME, namespace)
    assert (scale.spec.replicas, scale.status.selector) == (2, SELECTOR)
    template = api.sanitize_for_serialization(before.spec.template)
    apps.patch_namespaced_deployment(NAME, namespace, [{"op": "replace", "path": "/spec/template", "value": template}])
    until_rolled_out(api, namespace, OLD)
    apps.delete_namespaced_deployment(NAME, namespace, propagation_policy="Foreground")
    check_gone(cluster, namespace)


def test_dynamic_client_tells_the_story(api, cluster: Cluster, namespace: str):
    dynamic = DynamicClient(api, cache_file=str(cluster.home / f"discovery-{namespace}.json"))
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.server_side_apply(body={**shop()}, namespace=namespace, field_manager="story")
    for event in deployments.watch(namespace=namespace, timeout=SECONDS):
        if is_rolled_out(event["raw_object"], OLD):
            break
    deployments.patch(
        body=image_patch(NEW), name=NAME, namespace=namespace, content_type="application/strategic-merge-patch+json"
    )
    until_rolled_out(api, namespace, NEW)
    pods = dynamic.resources.get(api_version="v1", kind="Pod")
    assert len(pods.get(namespace=namespace, label_selector=SELECTOR).items) >= 2
    deployments.delete(name=NAME, namespace=namespace)
    check_gone(cluster, namespace)


def test_errors_are_the_ones_that_the_client_knows(api, namespace: str):
    apps = client.AppsV1Api(api)
    with pytest.raises(client.ApiException) as caught:
        apps.read_namespaced_deployment("none", namespace)
    assert (caught.value.status, caught.value.reason) == (404, "Not Found")
    with pytest.raises(client.ApiException) as caught:
        apps.create_namespaced_deployment(namespace, {**shop(), "spec": {**shop()["spec"], "replicas": -1}})
    assert caught.value.status == 422


def test_every_group_of_the_client_lists(api, namespace: str):
    listed = {
        "jobs": client.BatchV1Api(api).list_namespaced_job(namespace),
        "autoscalers": client.AutoscalingV1Api(api).list_namespaced_horizontal_pod_autoscaler(namespace),
        "newer autoscalers": client.AutoscalingV2Api(api).list_namespaced_horizontal_pod_autoscaler(namespace),
        "policies": client.NetworkingV1Api(api).list_namespaced_network_policy(namespace),
        "budgets": client.PolicyV1Api(api).list_namespaced_pod_disruption_budget(namespace),
        "quotas": client.CoreV1Api(api).list_namespaced_resource_quota(namespace),
        "slices": client.DiscoveryV1Api(api).list_namespaced_endpoint_slice(namespace),
    }
    assert {name: list(found.items) for name, found in listed.items()} == {name: [] for name in listed}
    assert len(client.SchedulingV1Api(api).list_priority_class().items) == 2
    assert client.StorageV1Api(api).list_storage_class().items == []
    assert client.VersionApi(api).get_code().major == "1"
