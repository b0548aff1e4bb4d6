"""Runs a plan: requests leave when they are due, and none waits for another's answer."""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from drumroll.load.answer import Answer, reason_of
from drumroll.load.ledger import Entry, Ledger, Outcome, percentile
from drumroll.load.plan import LoadPlan, Target

if TYPE_CHECKING:
    from drumroll.load.websocket import Websocket

PROGRESS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a run, about once a second. Counts are since the start, `versions` and `p99` since the last one."""

    at: float
    sent: int
    answered: int
    failed: int
    cut: int
    versions: dict[str, int] = field(default_factory=dict)
    p99: float = 0.0
    reason: str = ""


class _Client(Protocol):
    async def request(self) -> Answer: ...

    async def close(self) -> None: ...


class Run:
    """One run of a plan."""

    def __init__(self, plan: LoadPlan, on_progress: Callable[[Progress], None] | None = None) -> None:
        self._plan, self._on_progress = plan, on_progress
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent = 0
        self._counts: Counter[str] = Counter()
        self._recent: list[Entry] = []
        self._reason = ""
        self._began = time.perf_counter()
        self.ledger = Ledger(time.time())

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began

    def _book(self, entry: Entry) -> None:
        self.ledger.add(entry)
        self._counts[entry.outcome] += 1
        self._recent.append(entry)
        if entry.outcome == Outcome.FAILED:
            self._reason = f"{entry.kind} {entry.reason}"

    async def run(self, stop: asyncio.Event) -> Ledger:
        """Send until `stop` is set or the plan ends, then wait for what is under way."""
        coroutines = [self._stream(target) for target in self._plan.targets]  # imports and TLS contexts cost time
        self._began, self.ledger.started = time.perf_counter(), time.time()
        streams = [asyncio.create_task(coroutine) for coroutine in coroutines]
        reporting = asyncio.create_task(self._report())
        stopping = asyncio.create_task(stop.wait())
        try:
            remaining = self._plan.seconds - self._elapsed()
            await asyncio.wait([stopping, *streams], timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopping, reporting, *streams):
                task.cancel()
            outcomes = await asyncio.gather(stopping, reporting, *streams, return_exceptions=True)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._plan.timeout + 1)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        self.ledger.seconds = self._elapsed()
        self._tell()
        return self.ledger

    def _stream(self, target: Target) -> Coroutine[None, None, None]:
        context = tls_context(target)
        if target.kind == "websocket":
            from drumroll.load.websocket import Websocket

            interval = target.connections / target.rate
            sockets = [Websocket(target, context, self._plan.timeout, interval) for _ in range(target.connections)]
            return self._messages(target, sockets)
        return self._requests(target, client_for(target, context))

    async def _requests(self, target: Target, client: _Client) -> None:
        try:
            await self._pace(target, client)
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._plan.timeout)
            await client.close()

    async def _pace(self, target: Target, client: _Client) -> None:
        interval, number = 1 / target.rate, 0
        while self._sent < self._plan.limit:
            due = number * interval
            ahead = due - self._elapsed()
            if ahead > 0.001:
                await asyncio.sleep(ahead)
            elif number % 16 == 0:
                await asyncio.sleep(0)  # behind: let the answers in
            self._sent += 1
            number += 1
            if len(self._tasks) >= self._plan.max_in_flight:
                self._book(_entry(target, due, self._elapsed(), Outcome.FAILED, "saturated"))
                continue
            task = asyncio.create_task(self._one(target, client, due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _one(self, target: Target, client: _Client, due: float) -> None:
        try:
            async with asyncio.timeout(self._plan.timeout):
                answer = await client.request()
        except Exception as error:  # noqa: BLE001 - the edge where every failure becomes an entry
            self._book(_entry(target, due, self._elapsed(), Outcome.FAILED, reason_of(error)))
            return
        good = answer.status in target.expect
        outcome = Outcome.ANSWERED if good else Outcome.FAILED
        self._book(_entry(target, due, self._elapsed(), outcome, "" if good else f"status_{answer.status}", answer))

    async def _messages(self, target: Target, sockets: "list[Websocket]") -> None:
        async with asyncio.TaskGroup() as group:
            for number, socket in enumerate(sockets):
                group.create_task(socket.run(number / target.rate, self._elapsed, self._book))

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            self._tell()

    def _tell(self) -> None:
        recent, self._recent = self._recent, []
        if self._on_progress is None:
            return
        answered = [entry for entry in recent if entry.outcome == Outcome.ANSWERED]
        self._on_progress(
            Progress(
                at=round(self._elapsed(), 3),
                sent=len(self.ledger.entries),
                answered=self._counts[Outcome.ANSWERED],
                failed=self._counts[Outcome.FAILED],
                cut=self._counts[Outcome.CUT],
                versions=dict(sorted(Counter(entry.version for entry in answered).items())),
                p99=percentile(sorted(entry.latency for entry in answered), 0.99),
                reason=self._reason,
            )
        )


def _entry(
    target: Target, due: float, now: float, outcome: Outcome, reason: str, answer: Answer | None = None
) -> Entry:
    version, pod = (answer.version, answer.pod) if answer else ("", "")
    return Entry(due, target.name, target.kind, now - due, outcome, reason, version, pod)


def client_for(target: Target, context: ssl.SSLContext | None) -> _Client:
    """The client that a target's kind names."""
    if target.kind == "http2":
        from drumroll.load.http2 import Http2Client

        assert context is not None
        return Http2Client(target, context)
    from drumroll.load.http1 import Http1Client

    return Http1Client(target, context, keep_alive=target.kind == "kept-alive")


def tls_context(target: Target) -> ssl.SSLContext | None:
    """TLS without verification (a lab's certificate is its own), None for plain targets. HTTP/2 always has it."""
    if not target.tls and target.kind != "http2":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"] if target.kind == "http2" else ["http/1.1"])
    return context


async def run_load(
    plan: LoadPlan, stop: asyncio.Event, on_progress: Callable[[Progress], None] | None = None
) -> Ledger:
    """Run a plan in this loop until it ends or `stop` is set. The ledger holds every request that was due."""
    return await Run(plan, on_progress).run(stop)
