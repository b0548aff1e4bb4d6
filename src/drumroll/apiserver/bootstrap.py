"""What every cluster has before anybody asks: its namespaces, and the Service `kubernetes`."""

import asyncio
from ipaddress import IPv4Network

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.routing import Target
from drumroll.apiserver.writing import create, patch
from drumroll.domain.rbac_bootstrap import bootstrap_bindings, bootstrap_roles
from drumroll.domain.validation.policy import SYSTEM_PRIORITIES
from drumroll.objects.kinds import ENDPOINT_SLICE, ENDPOINTS, NAMESPACE, PRIORITY_CLASS, SERVICE, kind_of
from drumroll.objects.meta import Obj
from drumroll.objects.wire import JSON, MERGE_PATCH, Request

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


async def bootstrap(cluster: Cluster, service_cidr: IPv4Network) -> None:
    """Count what stored Services hold, and create what is missing."""
    for record in cluster.store.select(SERVICE.resource):
        cluster.allocator.adopt(codec.decode(record))
    for name in NAMESPACES:
        await ensure(cluster, Target(NAMESPACE, "", name), {"metadata": {"name": name}})
    policy = [*bootstrap_roles(), *bootstrap_bindings(), *_priority_classes()]
    await asyncio.gather(*(ensure(cluster, _target(obj), obj) for obj in policy))
    address = str(service_cidr.network_address + 1)
    await ensure(cluster, Target(SERVICE, "default", "kubernetes"), _kubernetes(address))


def _priority_classes() -> list[Obj]:
    return [
        {
            "apiVersion": PRIORITY_CLASS.api_version,
            "kind": PRIORITY_CLASS.name,
            "metadata": {"name": name},
            "value": value,
            "description": "For pods without which the cluster does not work.",
        }
        for name, value in SYSTEM_PRIORITIES.items()
    ]


def _kubernetes(address: str) -> Obj:
    return {
        "metadata": {
            "name": "kubernetes",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": address,
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }


async def publish(cluster: Cluster, address: str, port: int) -> None:
    """Make the endpoints of the Service `kubernetes` this address. Source: kubernetes pkg/controlplane/reconcilers."""
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    metadata = {"name": "kubernetes", "namespace": "default"}
    mirrored = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    endpoints = {
        "metadata": {**metadata, "labels": mirrored},
        "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
    }
    endpoint_slice = {
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": ports,
    }
    for kind, obj in ((ENDPOINTS, endpoints), (ENDPOINT_SLICE, endpoint_slice)):
        target = Target(kind, "default", "kubernetes")
        await ensure(cluster, target, obj)
        wanted = {name: value for name, value in obj.items() if name != "metadata"}
        request = Request(
            "PATCH", "", (), {"content-type": MERGE_PATCH, "user-agent": "kube-apiserver"}, orjson.dumps(wanted)
        )
        await patch(cluster, target, request)


def _target(obj: Obj) -> Target:
    return Target(kind_of(obj), "", obj["metadata"]["name"])


async def ensure(cluster: Cluster, target: Target, obj: Obj) -> None:
    """Create an object unless there is one of its name."""
    if cluster.store.get(codec.collection(target.kind), target.key) is None:
        typed = {"apiVersion": target.kind.api_version, "kind": target.kind.name, **obj}
        request = Request("POST", "", (), {"content-type": JSON, "user-agent": "kube-apiserver"}, orjson.dumps(typed))
        await create(cluster, Target(target.kind, target.namespace), request)
