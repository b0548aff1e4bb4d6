"""Clients for asyncio that no one here wrote: kubernetes-asyncio, kr8s, lightkube."""

import asyncio
from typing import Any

import pytest

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

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.asyncio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


async def test_kubernetes_asyncio_tells_the_story(cluster: Cluster, namespace: str, has_exec: bool):
    from kubernetes_asyncio import client, config, watch
    from kubernetes_asyncio.stream import WsApiClient

    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    async with client.ApiClient(configuration) as api:
        apps, core = client.AppsV1Api(api), client.CoreV1Api(api)

        async def rolled_out(image: str) -> None:
            listing = {"field_selector": f"metadata.name={NAME}", "timeout_seconds": SECONDS}
            async with watch.Watch().stream(apps.list_namespaced_deployment, namespace, **listing) as events:
                async for event in events:
                    if is_rolled_out(event["raw_object"], image):
                        return
            raise AssertionError(f"{image} did not roll out")

        await apps.create_namespaced_deployment(namespace, shop())
        await rolled_out(OLD)
        await apps.patch_namespaced_deployment(NAME, namespace, image_patch(NEW))
        await rolled_out(NEW)
        pod = (await core.list_namespaced_pod(namespace, label_selector=SELECTOR)).items[0].metadata.name
        assert (await core.read_namespaced_pod_log(pod, namespace, tail_lines=5)).strip()
        if has_exec:
            async with WsApiClient(configuration) as websocket:
                said = await client.CoreV1Api(websocket).connect_get_namespaced_pod_exec(
                    pod, namespace, command=EXEC, stdout=True, stderr=True, stdin=False, tty=False
                )
            assert said == "heard\n"
        await apps.patch_namespaced_deployment(NAME, namespace, image_patch(OLD))
        await rolled_out(OLD)
        await apps.delete_namespaced_deployment(NAME, namespace)
    await asyncio.to_thread(check_gone, cluster, namespace)


@pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported:UserWarning")
async def test_kr8s_tells_the_story(cluster: Cluster, namespace: str, has_exec: bool):
    import kr8s.asyncio
    from kr8s.asyncio.objects import Deployment

    api = await kr8s.asyncio.api(kubeconfig=str(cluster.kubeconfig), namespace=namespace)
    found: Any = await Deployment(shop(), namespace=namespace, api=api)
    await found.create()

    async def rolled_out(image: str) -> None:
        async with asyncio.timeout(SECONDS):
            async for _, seen in api.watch("deployments", namespace=namespace):
                if is_rolled_out(seen.raw.to_dict() if hasattr(seen.raw, "to_dict") else dict(seen.raw), image):
                    return

    await rolled_out(OLD)
    await found.patch(image_patch(NEW), type="strategic")
    await rolled_out(NEW)
    assert await asyncio.to_thread(images_that_run, cluster, namespace) == {NEW}
    pods = [pod async for pod in api.get("pods", namespace=namespace, label_selector=SELECTOR)]
    assert [line async for line in pods[0].logs(tail_lines=5)]
    if has_exec:
        assert (await pods[0].exec(EXEC)).stdout == b"heard\n"
    await found.scale(3)
    await found.wait("jsonpath='{.status.readyReplicas}'=3", timeout=SECONDS)
    await found.patch(image_patch(OLD), type="strategic")
    await found.delete()
    await asyncio.to_thread(check_gone, cluster, namespace)


async def test_lightkube_tells_the_story(cluster: Cluster, namespace: str):
    from lightkube import AsyncClient, KubeConfig
    from lightkube.models.autoscaling_v1 import ScaleSpec
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.apps_v1 import Deployment
    from lightkube.resources.core_v1 import Pod
    from lightkube.types import PatchType

    client = AsyncClient(KubeConfig.from_file(str(cluster.kubeconfig)), namespace=namespace, field_manager="story")

    async def rolled_out(image: str) -> None:
        async with asyncio.timeout(SECONDS):
            async for _, seen in client.watch(Deployment, fields={"metadata.name": NAME}):
                if is_rolled_out(seen.to_dict(), image):
                    return

    await client.apply(Deployment.from_dict(shop()))
    await rolled_out(OLD)
    await client.patch(Deployment, NAME, image_patch(NEW), patch_type=PatchType.STRATEGIC)
    await rolled_out(NEW)
    pods = [pod async for pod in client.list(Pod, labels={"app": "shop"})]
    assert [line async for line in client.log(pods[0].metadata.name, tail_lines=5)]
    meta = ObjectMeta(name=NAME, namespace=namespace)
    await client.replace(Deployment.Scale(metadata=meta, spec=ScaleSpec(replicas=1)), NAME)
    assert (await client.get(Deployment, NAME)).spec.replicas == 1
    await client.delete(Deployment, NAME)
    await asyncio.to_thread(check_gone, cluster, namespace)
