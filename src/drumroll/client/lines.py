"""Cuts a stream of chunks into lines, however the chunks fall and however long a line is."""

from collections.abc import AsyncIterator


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Each line without its newline, in order; a last line without a newline counts as one."""
    pending: list[bytes] = []  # parts of a line that has not ended: joined once, so a huge line costs linear time
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        if whole:
            yield b"".join((*pending, whole[0]))
            pending.clear()
            for line in whole[1:]:
                yield line
        if rest:
            pending.append(rest)
    if pending:
        yield b"".join(pending)
