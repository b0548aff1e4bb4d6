"""Several controllers, of which one acts: the election by Lease, on the real API server with short times."""

import asyncio
import contextlib
from ipaddress import IPv4Network

import pytest

from drumroll.apiserver import ApiServer
from drumroll.client.client import Client
from drumroll.client.inprocess import InProcessTransport
from drumroll.domain.leadership import Seen, Times, held, may_take
from drumroll.objects.clock import now
from drumroll.objects.errors import ServiceUnavailable
from drumroll.objects.kinds import LEASE
from drumroll.objects.meta import Key
from drumroll.objects.wire import Request, Response
from drumroll.rollouts.election import Election
from drumroll.store.memory import MemoryStore
from tests.controllers.simulation import ADMIN

KEY = Key("default", "controller")
TIMES = Times(lease=1.0, renew=0.5, retry=0.1)


class Runs:
    """Who leads now; more than one at a time is a fault."""

    def __init__(self) -> None:
        self.now: set[str] = set()
        self.log: list[str] = []
        self.most = 0

    async def run(self, name: str) -> None:
        self.now.add(name)
        self.log.append(name)
        self.most = max(self.most, len(self.now))
        try:
            await asyncio.Event().wait()
        finally:
            self.now.discard(name)

    async def leads(self, name: str) -> None:
        async with asyncio.timeout(20):
            while self.now != {name}:
                await asyncio.sleep(0.01)


class Network:
    """A way to the API server that can be cut."""

    def __init__(self, api: ApiServer) -> None:
        self._api, self.is_cut = api, False

    async def handle(self, request: Request) -> Response:
        if self.is_cut:
            raise ServiceUnavailable("cut")
        return await self._api.handle(request)


async def served() -> ApiServer:
    api = ApiServer(MemoryStore(), service_cidr=IPv4Network("10.96.0.0/16"), now=now)
    await api.prepare()
    return api


@pytest.mark.asyncio
async def test_one_leads_at_a_time_and_the_next_takes_over() -> None:
    api, runs = await served(), Runs()
    networks = {name: Network(api) for name in "ab"}

    def stand(name: str) -> asyncio.Task[None]:
        client = Client(InProcessTransport(networks[name].handle, ADMIN))
        return asyncio.create_task(Election(client, KEY, name, times=TIMES, now=now).lead(lambda: runs.run(name)))

    first = stand("a")
    await runs.leads("a")
    second = stand("b")
    await asyncio.sleep(0)
    networks["a"].is_cut = True  # a cannot renew: it must stop before b may begin
    await runs.leads("b")
    networks["a"].is_cut = False
    second.cancel()  # a leaves no Lease behind, so nobody has to wait for it
    with contextlib.suppress(asyncio.CancelledError):
        await second
    await runs.leads("a")
    assert runs.most == 1
    client = Client(InProcessTransport(api.handle, ADMIN))
    lease = await client.get(LEASE, KEY.namespace, KEY.name)
    assert lease["spec"]["holderIdentity"] == "a"
    assert lease["spec"]["leaseTransitions"] >= 2
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    assert (await client.get(LEASE, KEY.namespace, KEY.name))["spec"]["holderIdentity"] == ""


def test_a_holder_is_gone_when_its_lease_has_not_changed_for_its_duration_by_our_clock() -> None:
    lease = held(KEY, None, "a", Times(), now())
    lease["metadata"]["resourceVersion"] = "7"
    assert may_take(None, "b", Seen(), 0)
    assert may_take(lease, "a", Seen(), 0)
    assert not may_take(lease, "b", Seen("7", 100.0), 114.9)
    assert may_take(lease, "b", Seen("7", 100.0), 115.0)
    assert not may_take(lease, "b", Seen("6", 100.0), 200.0)


@pytest.mark.parametrize(
    ("times", "word"),
    [(Times(), ""), (Times(10, 10, 2), "lease-duration"), (Times(15, 2, 2), "renew-deadline"), (Times(0), "0 seconds")],
)
def test_times_that_cannot_work_are_refused(times: Times, word: str) -> None:
    assert word in times.fault()
    assert bool(word) is bool(times.fault())
