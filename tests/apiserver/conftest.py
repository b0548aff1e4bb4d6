"""Fixtures of the API server's tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.apiserver.server import Server


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    """A fresh server over a store in memory."""
    made = Server()
    await made.api.prepare()
    yield made
    await made.store.close()
