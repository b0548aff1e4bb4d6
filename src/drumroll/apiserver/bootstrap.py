"""What every cluster has before anybody asks: its namespaces, and the Service `kubernetes`."""

import asyncio
import logging
from ipaddress import IPv4Network

import orjson

from drumroll.apiserver import codec
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.routing import Target
from drumroll.apiserver.writing import create, patch
from drumroll.domain.rbac_bootstrap import bootstrap_bindings, bootstrap_roles
from drumroll.domain.validation.policy import SYSTEM_PRIORITIES
from drumroll.objects.errors import InternalError
from drumroll.objects.kinds import ENDPOINT_SLICE, ENDPOINTS, NAMESPACE, PRIORITY_CLASS, SERVICE, kind_of
from drumroll.objects.meta import Obj
from drumroll.objects.wire import JSON, MERGE_PATCH, Request

log = logging.getLogger("drumroll.apiserver")

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


async def bootstrap(cluster: Cluster, service_cidr: IPv4Network) -> None:
    """Count what stored Services hold, move those of another range here, and create what is missing."""
    services = [codec.decode(record) for record in cluster.store.select(SERVICE.resource)]
    for service in services:
        cluster.allocator.adopt(service)
    for service in filter(cluster.allocator.is_elsewhere, services):
        await _move(cluster, Target(SERVICE, service["metadata"]["namespace"], service["metadata"]["name"]))
    for name in NAMESPACES:
        await ensure(cluster, Target(NAMESPACE, "", name), {"metadata": {"name": name}})
    policy = [*bootstrap_roles(), *bootstrap_bindings(), *_priority_classes()]
    await asyncio.gather(*(ensure(cluster, _target(obj), obj) for obj in policy))
    address = str(service_cidr.network_address + 1)
    await ensure(cluster, Target(SERVICE, "default", "kubernetes"), _kubernetes(address))


async def _move(cluster: Cluster, target: Target) -> None:
    """Give a Service an address of this cluster's range: each isolation has its own, and a home may change isolation.

    Nobody uses the old address any more: pods were stopped, and get to know the new one when they start.
    """

    def move(service: Obj) -> Obj:
        before = service["spec"]["clusterIP"]
        cluster.allocator.readdress(service)
        log.info("service_moved key=%s from=%s to=%s", target.key, before, service["spec"]["clusterIP"])
        return service

    try:
        await cluster.change(target, move)
    except InternalError as error:
        log.warning("service_not_moved key=%s message=%s", target.key, error.message)


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
