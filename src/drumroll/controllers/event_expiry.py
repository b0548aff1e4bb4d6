"""Takes away the events that nothing was added to for an hour: each pod leaves five or six, and they would never go.

Not one of the reconciling controllers: nothing has to be decided at once, so a look every few minutes does, and no
cache holds thousands of events for it.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from drumroll.client.client import Client
from drumroll.domain.events import is_expired
from drumroll.objects.errors import ApiError, NotFound
from drumroll.objects.kinds import EVENT

log = logging.getLogger("drumroll.controllers")

SWEEP_SECONDS = 120.0


async def expire_events(client: Client, now: Callable[[], datetime], every: float = SWEEP_SECONDS) -> None:
    """Delete expired events every `every` seconds, until cancelled."""
    while True:
        await asyncio.sleep(every)
        try:
            count = await _sweep(client, now())
        except ApiError as error:  # tried again with the next sweep
            log.warning("events_not_expired error=%s", error)
        else:
            if count:
                log.info("events_expired count=%d", count)


async def _sweep(client: Client, now: datetime) -> int:
    count = 0
    for event in (await client.list(EVENT)).items:
        if not is_expired(event, now):
            continue
        meta = event["metadata"]
        try:
            await client.delete(EVENT, meta["namespace"], meta["name"], uid=meta["uid"])
        except NotFound:
            continue
        count += 1
    return count
