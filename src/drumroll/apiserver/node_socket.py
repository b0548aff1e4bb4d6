"""Where a pod's node listens, and a connection to it.

The Node object named by the pod carries the path of the node's Unix socket in an annotation.
"""

import asyncio

from drumroll.apiserver import codec
from drumroll.apiserver.cluster import Cluster
from drumroll.objects.errors import BadRequest, InternalError, ServiceUnavailable
from drumroll.objects.kinds import NODE
from drumroll.objects.meta import Obj, annotations_of
from drumroll.objects.stream import NODE_SOCKET

_SECONDS = 5.0


def node_socket(cluster: Cluster, pod: Obj) -> str:
    """Where the pod's node listens. Raises BadRequest when it has none yet, InternalError when that is gone."""
    node_name = (pod.get("spec") or {}).get("nodeName") or ""
    if not node_name:
        raise BadRequest(f"pod {pod['metadata']['name']} does not have a host assigned")
    record = cluster.store.get(NODE.resource, node_name)
    socket = annotations_of(codec.decode(record)).get(NODE_SOCKET, "") if record else ""
    if not socket:
        raise InternalError(f'the node "{node_name}" cannot be asked: it is gone, or is none of this cluster')
    return socket


async def connect(socket: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the node. Raises ServiceUnavailable when it does not answer."""
    try:
        async with asyncio.timeout(_SECONDS):
            return await asyncio.open_unix_connection(socket)
    except (OSError, TimeoutError) as error:
        raise ServiceUnavailable(f"the node does not answer at {socket}: {error}") from error
