"""Lines come out whole, however the chunks fall."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from drumroll.client.lines import split_lines


async def chunked(data: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        yield data[start:end]


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"."))), st.lists(st.integers(0, 500)))
def test_lines_survive_any_cutting(lines: list[bytes], cuts: list[int]) -> None:
    async def collect() -> list[bytes]:
        return [line async for line in split_lines(chunked(b"".join(line + b"\n" for line in lines), cuts))]

    assert asyncio.run(collect()) == lines


def test_a_last_line_without_an_end_counts() -> None:
    async def collect() -> list[bytes]:
        return [line async for line in split_lines(chunked(b"a\nb", [1]))]

    assert asyncio.run(collect()) == [b"a", b"b"]
