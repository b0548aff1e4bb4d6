"""Reading and writing of file descriptors that asyncio has no transport for: terminals and message sockets."""

import asyncio
import contextlib
import os

from drumroll.objects.stream import CHUNK


class Descriptor:
    """Owns one non-blocking descriptor. One reader and one writer at a time."""

    def __init__(self, number: int) -> None:
        os.set_blocking(number, False)
        self._number = number
        self._is_open = True

    @property
    def number(self) -> int:
        """The descriptor itself."""
        return self._number

    async def read(self) -> bytes:
        """What has come (one message of a message socket); empty at the end. A terminal that is gone has ended."""
        while self._is_open:
            try:
                return os.read(self._number, CHUNK + 1)
            except BlockingIOError:
                await self._wait(is_read=True)
            except OSError:
                break
        return b""

    async def write(self, data: bytes) -> None:
        """Write everything. Data for somebody who has gone is dropped."""
        view = memoryview(data)
        while view and self._is_open:
            try:
                view = view[os.write(self._number, view) :]
            except BlockingIOError:
                await self._wait(is_read=False)
            except OSError:
                return

    def close(self) -> None:
        """Close the descriptor. Nobody may be reading or writing. Does nothing twice."""
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(OSError):
                os.close(self._number)

    async def _wait(self, *, is_read: bool) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        add, remove = (loop.add_reader, loop.remove_reader) if is_read else (loop.add_writer, loop.remove_writer)
        add(self._number, settle, ready)
        try:
            await ready
        finally:
            remove(self._number)


def settle(future: "asyncio.Future[None]") -> None:
    """Let whoever waits for the future go on; one that was cancelled meanwhile is fine."""
    if not future.done():
        future.set_result(None)
