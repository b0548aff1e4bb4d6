"""Which images a kept revision needs, so that an undo never finds its image gone."""

import asyncio
from typing import TYPE_CHECKING

from drumroll.assembly.home import Home, Refusal
from drumroll.assembly.registry import running_parts

if TYPE_CHECKING:
    from drumroll.node.images import ImageStore


def images_in_use(home: Home, images: "ImageStore") -> dict[str, str]:
    """Normalised image name → the object that needs it, from Deployments, their ReplicaSets (also old ones) and pods.

    Raises Refusal when a store exists but no API server runs, since then nobody can tell.
    """
    if not any(part.name == "apiserver" for part in running_parts(home)):
        if home.store.exists():
            raise Refusal(
                "the cluster is down, so nobody knows whether a revision still needs the image. "
                "Start it with `drumroll up`, or use --force."
            )
        return {}
    return asyncio.run(_collect(home, images))


async def _collect(home: Home, images: "ImageStore") -> dict[str, str]:
    from drumroll.assembly.local_api import connect_api
    from drumroll.objects.kinds import DEPLOYMENT, POD, REPLICA_SET

    used: dict[str, str] = {}
    async with connect_api(home) as access:
        for kind in (DEPLOYMENT, REPLICA_SET, POD):
            for obj in (await access.client.list(kind)).items:
                spec = obj["spec"] if kind is POD else obj["spec"]["template"]["spec"]
                owner = f"{kind.singular} {obj['metadata']['namespace']}/{obj['metadata']['name']}"
                for container in (*spec.get("initContainers", ()), *spec["containers"]):
                    used.setdefault(images.normalize(container["image"]), owner)
    return used
