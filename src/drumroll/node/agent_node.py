"""The Node object of this machine and the Lease that says that it is alive."""

import asyncio
import logging
import os
import platform
from pathlib import Path

from drumroll.node.agent_context import Machine, NodeContext
from drumroll.objects import wire
from drumroll.objects.errors import AlreadyExists, ApiError, NotFound
from drumroll.objects.kinds import LEASE, NODE
from drumroll.objects.meta import Obj, micro_timestamp, timestamp
from drumroll.objects.stream import NODE_SOCKET

log = logging.getLogger("drumroll.node")

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
MAX_PODS = 1000
VERSION = "v1.36.0+drumroll"

_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def this_machine() -> Machine:
    """Cores that this process may use, and the machine's memory."""
    return Machine(len(os.sched_getaffinity(0)), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


async def register_node(context: NodeContext, server_socket: Path) -> None:
    """Make or refresh the Node object, so that it names this process's socket and is Ready."""
    node = _node(context, server_socket)
    try:
        await context.client.create(node)
    except AlreadyExists:
        await context.client.patch(NODE, "", context.node_name, {"metadata": node["metadata"]})
    await context.client.patch(
        NODE, "", context.node_name, {"status": _status(context)},
        subresource="status", content_type=wire.STRATEGIC_MERGE_PATCH,
    )  # fmt: skip


def _node(context: NodeContext, server_socket: Path) -> Obj:
    labels = {
        "kubernetes.io/arch": _architecture(),
        "kubernetes.io/hostname": context.node_name,
        "kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": _architecture(),
        "beta.kubernetes.io/os": "linux",
        "node-role.kubernetes.io/control-plane": "",
    }
    annotations = {NODE_SOCKET: str(server_socket)}
    cidr = str(context.network.pod_cidr)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": context.node_name, "labels": labels, "annotations": annotations},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
    }


def _status(context: NodeContext) -> Obj:
    moment = timestamp(context.now())
    room = {
        "cpu": str(context.machine.cpu_cores),
        "memory": f"{context.machine.memory_bytes // 1024}Ki",
        "pods": str(MAX_PODS),
    }
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    return {
        "capacity": room,
        "allocatable": room,
        "addresses": [
            {"type": "InternalIP", "address": context.host_ip},
            {"type": "Hostname", "address": context.node_name},
        ],
        "conditions": [
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": moment,
                "lastTransitionTime": moment,
            }
            for kind, status, reason, message in _CONDITIONS
        ],
        "nodeInfo": {
            "architecture": _architecture(),
            "bootID": "",
            "containerRuntimeVersion": f"drumroll-{context.runtime.isolation}://0.1.0",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": "",
            "kubeletVersion": VERSION,
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": release.get("PRETTY_NAME", "Linux"),
            "systemUUID": "",
        },
    }


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


async def keep_lease(context: NodeContext) -> None:
    """Renew the node's Lease every ten seconds until cancelled."""
    while True:
        try:
            await _renew(context)
        except ApiError as error:
            log.warning("lease_not_renewed reason=%s message=%s", error.reason, error.message)
        await asyncio.sleep(RENEW_SECONDS)


async def _renew(context: NodeContext) -> None:
    spec = {
        "holderIdentity": context.node_name,
        "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": micro_timestamp(context.now()),
    }
    try:
        await context.client.patch(LEASE, LEASE_NAMESPACE, context.node_name, {"spec": spec})
    except NotFound:
        meta = {"name": context.node_name, "namespace": LEASE_NAMESPACE}
        lease: Obj = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
        await context.client.create(lease)
