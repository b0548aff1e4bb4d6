"""The Lease `kube-system/drumroll-proxy`: while somebody holds it, nodes wait for drains before they stop a program."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from drumroll.client.client import Client
from drumroll.objects.errors import ApiError, NotFound
from drumroll.objects.kinds import LEASE
from drumroll.objects.meta import Obj, micro_timestamp

log = logging.getLogger("drumroll.proxy")

NAMESPACE, NAME = "kube-system", "drumroll-proxy"
DURATION_SECONDS = 15
RENEW_SECONDS = 5.0
RETRY_SECONDS = 0.5


def lease(now: datetime) -> Obj:
    """The Lease as held at `now`."""
    spec = {"holderIdentity": NAME, "leaseDurationSeconds": DURATION_SECONDS, "renewTime": micro_timestamp(now)}
    return {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.name,
        "metadata": {"namespace": NAMESPACE, "name": NAME},
        "spec": spec,
    }


async def hold_lease(client: Client, now: Callable[[], datetime]) -> None:
    """Renew it until cancelled. It is left to expire and never given up: Envoy serves on while we are away, so a node
    that starts together with our successor must not stop a program that still has traffic.
    """
    while True:
        renewed = await _write(client, lease(now()))
        await asyncio.sleep(RENEW_SECONDS if renewed else RETRY_SECONDS)


async def _write(client: Client, held: Obj) -> bool:
    try:
        try:
            await client.patch(LEASE, NAMESPACE, NAME, {"spec": held["spec"]})
        except NotFound:
            await client.create(held)
    except ApiError as error:
        log.warning("lease_not_renewed reason=%s message=%s", error.reason, error.message)
        return False
    return True
