"""What the API server and the node say to each other about exec and attach, after an upgrade of their connection.

Frames of one byte channel, four bytes length (big-endian) and the payload. The channels are those of
`v5.channel.k8s.io`: the API server hands most frames on as they are. The payload of ERROR is the Status that ends it.
"""

import asyncio
import select
import socket
import struct
from collections.abc import Awaitable, Callable

from drumroll.objects.meta import Obj

NODE_SOCKET = "drumroll.dev/node-socket"
"""The annotation of a Node that says at which Unix socket it listens."""
UPGRADE = "drumroll-stream"
"""The protocol's name in the Upgrade header."""

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
CHUNK = 32 * 1024
"""How much is read at once, in bytes: also the largest message that kubectl sends."""

_HEAD = struct.Struct(">BI")
_LOOK_SECONDS = 1.0

Send = Callable[[int, bytes], Awaitable[None]]
"""Channel and data; returns when there is room for more."""


def frame(channel: int, payload: bytes) -> bytes:
    """One frame as bytes."""
    return _HEAD.pack(channel, len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes] | None:
    """The next channel and payload; None when the other side is gone."""
    try:
        channel, length = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        return channel, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, OSError):
        return None


def success() -> Obj:
    """The Status of a command that ended with 0, or of an attached container that ended."""
    return {"metadata": {}, "status": "Success"}


def exit_status(code: int) -> Obj:
    """The Status of a command that ended with `code`. Source: kubernetes pkg/util/exec and remotecommand.go."""
    if code == 0:
        return success()
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: error executing command, exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure_status(message: str) -> Obj:
    """The Status of a command that could not be run."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {message}",
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }


async def wait_hung_up(
    writer: asyncio.StreamWriter, *, half: bool = True, nudge: Callable[[], None] | None = None
) -> None:
    """Return when the other side has gone, even while nothing can be read or written; looks once a second.

    With `half`, its having shut down only its own direction counts as well. While more has come than we can take, the
    end of a connection stays behind it. So `nudge` sends something at each look, and a kernel whose program has gone
    answers with a reset.
    """
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is None:
        await asyncio.get_running_loop().create_future()
        return
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLHUP | select.POLLERR | (select.POLLRDHUP if half else 0))
    while not writer.is_closing() and not poll.poll(0):  # nothing tells of it while reading is paused
        if nudge is not None:
            nudge()
        await asyncio.sleep(_LOOK_SECONDS)
