"""Runs something in one of several processes at a time: in the one that holds a Lease."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from drumroll.client.client import Client
from drumroll.domain.leadership import Seen, Times, held, holder_of, may_take, released
from drumroll.objects.errors import ApiError, Conflict, NotFound
from drumroll.objects.kinds import LEASE
from drumroll.objects.meta import Key, Obj

log = logging.getLogger("drumroll.rollouts")


class Election:
    """Takes part in the election for one Lease under the name `identity`."""

    def __init__(
        self, client: Client, key: Key, identity: str, *, times: Times | None = None, now: Callable[[], datetime]
    ) -> None:
        self._client, self._key, self._identity = client, key, identity
        self._times, self._now = times or Times(), now
        self._seen = Seen()
        self._lease: Obj | None = None

    async def lead(self, run: Callable[[], Awaitable[None]]) -> None:
        """Call `run` whenever the Lease is ours, and cancel it when it no longer is; until cancelled.

        The Lease is given up at the end, so that the next one need not wait for it to expire.
        """
        try:
            while True:
                await self._acquire()
                log.info("leading lease=%s identity=%s", self._key, self._identity)
                await self._hold(run)
                log.warning("no_longer_leading lease=%s identity=%s", self._key, self._identity)
        finally:
            await self._release()

    async def _acquire(self) -> None:
        told = ""
        while not await self._try():
            holder = holder_of(self._lease)
            if holder != told:
                told = holder
                log.info("waiting_for_lease lease=%s holder=%s", self._key, holder)
            await asyncio.sleep(self._times.retry)

    async def _hold(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run it as long as the Lease can be renewed."""
        task = asyncio.ensure_future(run())
        renewing = asyncio.ensure_future(self._renew())
        try:
            await asyncio.wait((task, renewing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (task, renewing):
                one.cancel()
            await asyncio.gather(task, renewing, return_exceptions=True)
        if task.done() and not task.cancelled() and (fault := task.exception()):
            raise fault

    async def _renew(self) -> None:
        """Return when renewing has failed for too long, or somebody else holds the Lease."""
        clock = asyncio.get_running_loop().time
        last = clock()
        while clock() - last < self._times.renew:
            await asyncio.sleep(self._times.retry)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.1, last + self._times.renew - clock())):
                    if await self._try():
                        last = clock()
                    elif holder_of(self._lease) not in ("", self._identity):
                        return

    async def _try(self) -> bool:
        """Read the Lease and take or renew it; whether it is ours now."""
        clock = asyncio.get_running_loop().time()
        try:
            found = await self._read()
            self._lease = found
            if found is not None and found["metadata"]["resourceVersion"] != self._seen.version:
                self._seen = Seen(found["metadata"]["resourceVersion"], clock)
            if not may_take(found, self._identity, self._seen, clock):
                return False
            wanted = held(self._key, found, self._identity, self._times, self._now())
            write = self._client.create if found is None else self._client.update
            self._lease = await write(wanted)
        except ApiError as error:
            log.debug("lease_not_taken reason=%s message=%s", error.reason, error.message)
            return False
        return True

    async def _read(self) -> Obj | None:
        try:
            return await self._client.get(LEASE, self._key.namespace, self._key.name)
        except NotFound:
            return None

    async def _release(self) -> None:
        """Give the Lease up when it is ours. A renewal may have been on its way when we were to end: look again."""
        if holder_of(self._lease) != self._identity:
            return
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._times.renew):
                while (found := await self._read()) is not None and holder_of(found) == self._identity:
                    with contextlib.suppress(Conflict):
                        await self._client.update(released(found, self._now()))
                        return
