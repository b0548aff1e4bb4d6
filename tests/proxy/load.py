"""A little constant load: new and kept-alive connections side by side, no retries, every failure kept."""

import asyncio
import collections
import contextlib

import aiohttp


class Load:
    def __init__(self, url, rate=100.0, method="GET", headers=None):
        self.url, self.rate, self.method, self.headers = url, rate, method, headers
        self.failures = []
        self.answers = collections.Counter()

    async def _one(self, session):
        try:
            async with session.request(self.method, self.url, headers=self.headers) as response:
                await response.read()
                if response.status == 200:
                    self.answers[response.headers["X-Served-By"]] += 1
                else:
                    self.failures.append(response.status)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.failures.append(repr(error))

    async def _lane(self, session):
        loop, due = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._one(session))
                due += 1 / self.rate
                await asyncio.sleep(max(0, due - loop.time()))

    async def more(self, n, deadline=30):
        """Return when `n` more requests have been answered."""
        wanted = self.answers.total() + len(self.failures) + n
        async with asyncio.timeout(deadline):
            while self.answers.total() + len(self.failures) < wanted:
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def running(self):
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as fresh,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20)) as kept,
        ):
            lanes = [asyncio.create_task(self._lane(session)) for session in (fresh, kept)]
            try:
                yield self
            finally:
                for lane in lanes:
                    lane.cancel()
                await asyncio.gather(*lanes, return_exceptions=True)
