import shutil
import tempfile
from pathlib import Path

import pytest_asyncio

from tests.proxy.cluster import running_cluster


@pytest_asyncio.fixture
async def cluster():
    folder = Path(tempfile.mkdtemp(prefix="dr-"))  # short: Unix sockets live in it
    try:
        async with running_cluster(folder) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)
