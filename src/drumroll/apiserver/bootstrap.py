"""What every cluster has before anybody asks: its namespaces, and the Service `kubernetes`."""

from ipaddress import IPv4Network

from drumroll.apiserver import codec
from drumroll.apiserver.cluster import Cluster
from drumroll.apiserver.routing import Target
from drumroll.apiserver.writing import create
from drumroll.objects.kinds import NAMESPACE, SERVICE
from drumroll.objects.meta import Obj
from drumroll.objects.wire import JSON, Request

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


async def bootstrap(cluster: Cluster, service_cidr: IPv4Network) -> None:
    """Count what stored Services hold, and create what is missing."""
    for record in cluster.store.select(SERVICE.resource):
        cluster.allocator.adopt(codec.decode(record))
    for name in NAMESPACES:
        await _ensure(cluster, Target(NAMESPACE, "", name), {"metadata": {"name": name}})
    address = str(service_cidr.network_address + 1)
    await _ensure(cluster, Target(SERVICE, "default", "kubernetes"), _kubernetes(address))


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


async def _ensure(cluster: Cluster, target: Target, obj: Obj) -> None:
    import orjson

    if cluster.store.get(codec.collection(target.kind), target.key) is None:
        typed = {"apiVersion": target.kind.api_version, "kind": target.kind.name, **obj}
        request = Request("POST", "", (), {"content-type": JSON}, orjson.dumps(typed))
        await create(cluster, Target(target.kind, target.namespace), request)
