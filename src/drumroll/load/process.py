"""A load in a process of its own, so that what it measures is not its starter's business."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from drumroll.load.ledger import Ledger, read_lines
from drumroll.load.plan import LoadPlan
from drumroll.load.run import Progress

STOP_SECONDS = 30.0


class LoadFailed(Exception):
    """The load's process ended without a ledger; the message says how."""


class LoadProcess:
    """A running load. `stop` ends it and returns the account."""

    def __init__(self, process: asyncio.subprocess.Process, out: Path, on_progress: Callable[[Progress], None]) -> None:
        self._process, self._out, self._on_progress = process, out, on_progress
        self._sending = asyncio.Event()

    async def follow(self) -> None:
        """Pass the progress lines on until the process ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._sending.set()
            self._on_progress(Progress(**orjson.loads(line)))
        self._sending.set()

    async def wait_sending(self) -> None:
        """Return when requests flow. Raises LoadFailed when the process ended instead."""
        await self._sending.wait()
        if self._process.returncode is not None:
            raise LoadFailed(f"the load ended with status {self._process.returncode}")

    async def stop(self) -> Ledger:
        """End the load and wait for what is under way. Raises LoadFailed."""
        self.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                status = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            raise LoadFailed(f"the load did not end within {STOP_SECONDS:.0f} s") from None
        if status != 0 or not self._out.exists():
            raise LoadFailed(f"the load ended with status {status} and without a ledger")
        return await asyncio.to_thread(_read, self._out)

    def terminate(self) -> None:
        """Ask the process to end, if it still runs."""
        if self._process.returncode is None:
            self._process.terminate()


def _read(path: Path) -> Ledger:
    with path.open("rb") as file:
        return read_lines(file)


@asynccontextmanager
async def load_process(
    plan: LoadPlan, folder: Path, on_progress: Callable[[Progress], None] = lambda _: None
) -> AsyncIterator[LoadProcess]:
    """Run a plan as `python -m drumroll.load`; its files go to `folder`. It ends with the block at the latest."""
    plan_file, out = folder / "plan.json", folder / "ledger.jsonl"
    await asyncio.to_thread(plan_file.write_bytes, plan.to_json())
    await asyncio.to_thread(out.unlink, missing_ok=True)
    arguments = ["-m", "drumroll.load", "--plan", str(plan_file), "--out", str(out)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    load = LoadProcess(process, out, on_progress)
    following = asyncio.create_task(load.follow())
    try:
        yield load
    finally:
        load.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
